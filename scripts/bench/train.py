"""Part `train`: real tokens per second of mhc and of what a user would pick instead, round by round, in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from scripts.bench import mhc_run, others, peak
from scripts.bench.apart import PEERS, Apart, Turn
from scripts.bench.setting import Setting

HERE: dict[str, Turn] = {
    "mhc": mhc_run.turn,
    "bare_loop": others.bare_loop(own_forward=True),
    "bare_loop_hf_forward": others.bare_loop(own_forward=False),
}
"""In the process of mhc, with its allocator; the peers are in one of their own."""

GOALS = {"hf_default": 6.0, "hf_best": 1.8, "lightning": 6.0, "bare_loop": 0.97}
"""How many times as fast mhc is to be."""


@dataclass(frozen=True)
class Result:
    """All rounds of one setting."""

    rates: dict[str, list[float]]
    """Real tokens per second by contender and round."""
    peaks: dict[str, list[float]]
    """FLOP/s of a matrix product by type and round."""
    flops_per_token: float
    computed_per_token: float
    """Of these, what mhc computes: of the last layer it leaves out what nothing reads."""
    about: dict[str, object]

    def ratios(self) -> dict[str, list[float]]:
        """Of mhc to each other one, round by round: what disturbs a round disturbs both."""
        whole = dict(self.rates)
        variants = [name for name in whole if name.startswith("hf_best")]
        if variants:
            whole["hf_best"] = whole[max(variants, key=lambda name: statistics.median(whole[name]))]
        return {
            name: [ours / theirs for ours, theirs in zip(self.rates["mhc"], rates, strict=True)]
            for name, rates in whole.items()
            if name != "mhc"
        }

    def share_of_peak(self, contender: str = "mhc", *, computed: bool = False) -> float:
        """Median over rounds of FLOPs for real tokens over those of the same round's bf16 product.

        Counted are those of the whole model, so that a share means a speed; or `computed`, what mhc really multiplies.
        """
        pairs = zip(self.rates[contender], self.peaks["bf16"], strict=True)
        each = self.computed_per_token if computed else self.flops_per_token
        return statistics.median(rate * each / top for rate, top in pairs)

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return {
            "tokens_per_s": {name: summary(rates) for name, rates in self.rates.items()},
            "ratio": {name: statistics.median(ratios) for name, ratios in self.ratios().items()},
            "ratio_range": {name: [min(ratios), max(ratios)] for name, ratios in self.ratios().items()},
            "share_of_peak": self.share_of_peak(),
            "share_of_peak_computed": self.share_of_peak(computed=True),
            "peak_gflops": {kind: summary([value / 1e9 for value in values]) for kind, values in self.peaks.items()},
            "flops_per_token": self.flops_per_token,
        } | self.about


def summary(values: list[float]) -> dict[str, float]:
    """Median and range."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def run(
    setting: Setting, *, rounds: int, seconds: float, tell: Callable[[str], None], only: Sequence[str] = ()
) -> Result:
    """Warm everything up once, then let the contenders take turns.

    Args:
        setting: model and data.
        rounds: turns of each contender.
        seconds: of a turn; contenders that must read an epoch to be fair take as long as that takes.
        tell: hears of each turn.
        only: contenders beside mhc; none named: all.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    apart = Apart()
    everybody = HERE | {name: apart.turn_of(name) for name in PEERS}
    contenders = {name: turn for name, turn in everybody.items() if name == "mhc" or name in (only or everybody)}
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    peaks: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for number in range(rounds + 1):
        order = list(contenders.items())
        for name, turn in order if number % 2 else reversed(order):
            rate = turn(setting, number, seconds if number else seconds / 3)
            tell(f"{setting.name}  round {number or 'to warm up'}  {name:<30}{rate:>10,.0f} tokens/s")
            if number:
                rates[name].append(rate)
        if number:
            peaks["fp32"].append(peak.peak(torch.float32, device))
            peaks["bf16"].append(peak.peak(torch.bfloat16, device))
    apart.close()
    layers, width, heads = (int(setting.plain.model.network[name]) for name in ("layers", "width", "heads"))
    whole = peak.flops_per_token(layers, width, setting.lengths)
    computed = whole - peak.unread_flops_per_token(width, heads, setting.lengths)
    return Result(rates, peaks, whole, computed, facts(setting, device))


def facts(setting: Setting, device: str) -> dict[str, object]:
    """What the numbers are about."""
    lengths = setting.lengths
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads",
        "precision": setting.precision,
        "texts": len(lengths),
        "median_tokens": statistics.median(lengths),
        "mean_tokens": statistics.mean(lengths),
        "texts_per_step": setting.rows_per_step,
    }


def known_settings(work: Path, data: Path, precision: str, texts: int, train: Path) -> dict[str, Setting]:
    """Return what can be measured here, by name: the real data sets only where their folder is."""
    settings = {
        model: Setting(model, model, train, work / model, precision) for model in ("baseline", "medium", "large")
    }
    for folder in ("goemotions_group4", "mh4_balanced"):
        path = data / folder / "train.csv"
        if path.is_file():
            name = f"baseline@{folder}"
            settings[name] = Setting(
                name, "baseline", path, work / name, precision, [f"data.splitting.max_train_rows={texts * 4}"]
            )
    return settings
