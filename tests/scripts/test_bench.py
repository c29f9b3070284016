"""What the benchmark counts."""

from __future__ import annotations

import csv
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from click.testing import CliRunner
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertForSequenceClassification

from mhc.model.fast_bert import encoder
from scripts.bench import peak, show, texts, train
from scripts.bench.clock import Clock
from scripts.bench.setting import Setting

ROOT = Path(__file__).resolve().parents[2]


def test_warm_steps_are_not_counted() -> None:
    clock = Clock(seconds=1.0, warm=2, ended=[1.0, 2.0, 3.0, 4.0], tokens=[1000, 1000, 30, 50])
    assert clock.rate == pytest.approx((30 + 50) / 2)


def test_turn_lasts_at_least_one_counted_step() -> None:
    clock = Clock(seconds=0.0, warm=2)
    assert [clock.step(1) for _ in range(3)] == [False, False, True]


def test_generated_texts_have_the_lengths_of_posts(tmp_path: Path) -> None:
    path = texts.write(tmp_path / "texts.csv", 3000, median=66, most=256)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sizes = [len(row["text"].split()) + texts.SPECIAL_TOKENS for row in rows]
    assert len(rows) == 3000
    assert statistics.median(sizes) == pytest.approx(66, rel=0.1)
    assert max(sizes) == 256
    assert {row["label"] for row in rows} == set(texts.LABELS)


def test_generated_texts_are_the_same_for_the_same_seed() -> None:
    assert list(texts.texts(20, median=17, most=64)) == list(texts.texts(20, median=17, most=64))


def test_lengths_stay_within_their_bounds() -> None:
    assert all(4 <= length <= 40 for length in texts.lengths(np.random.default_rng(1), 1000, 20, 40))


def test_flops_are_six_per_weight_and_token_plus_attention() -> None:
    weights = 12 * 3 * 256**2
    assert peak.flops_per_token(3, 256, [10, 10]) == 6 * weights + 12 * 3 * 256 * 10


def test_unread_flops_are_those_the_fast_forward_omits() -> None:
    rows, length, layers, width, classes = 16, 16, 2, 64, 2
    config = BertConfig(
        vocab_size=50, hidden_size=width, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=4 * width
    )
    config.attention_probs_dropout_prob = 0.0
    network = BertForSequenceClassification(config)
    ids = torch.randint(5, 50, (rows, length))
    in_place = {torch.ops.aten.addmm_: lambda _, left, right, **__: 2 * left[0] * left[1] * right[1]}
    with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
        encoder.logits(network, ids, None).sum().backward()
    layer_by_layer = peak.flops_per_token(layers, width, [length] * rows)
    unread = peak.unread_flops_per_token(width, 4, [length] * rows)
    head = 6 * rows * width * (width + classes)  # pooler and classifier, which the formula omits
    assert counter.get_total_flops() == pytest.approx((layer_by_layer - unread) * rows * length + head, rel=1e-3)


def test_json_keeps_the_results_of_other_parts(tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    show.add_json(path, "train", {"baseline": {"share_of_peak": 0.5}})
    show.add_json(path, "train", {"medium": {"share_of_peak": 0.6}})
    show.add_json(path, "predict", {"texts": 3})
    assert json.loads(path.read_text()) == {
        "train": {"baseline": {"share_of_peak": 0.5}, "medium": {"share_of_peak": 0.6}},
        "predict": {"texts": 3},
    }


def test_every_part_has_help_and_json() -> None:
    from scripts.benchmark import benchmark

    for part in ("train", "predict", "startup", "memory", "quality"):
        result = CliRunner().invoke(benchmark, [part, "--help"])
        assert result.exit_code == 0, part
        assert "--json" in result.output


def rounds(setting: Setting, budget: float, *, turn_s: float) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    def turn(setting: Setting, seed: int, seconds: float) -> float:
        time.sleep(turn_s)
        return 1000.0 + seed

    return train._rounds(setting, {"mhc": turn, "other": turn}, train.Length(5, 1.0, budget), lambda line: None)


def test_a_budget_ends_the_rounds_but_not_before_the_first(tmp_path: Path) -> None:
    setting = Setting("short", "micro", None, tmp_path, "32-true")
    rates, _ = rounds(setting, 0.0, turn_s=0.01)
    assert {name: len(values) for name, values in rates.items()} == {"mhc": 1, "other": 1}
    rates, _ = rounds(setting, float("inf"), turn_s=0.0)
    assert {name: len(values) for name, values in rates.items()} == {"mhc": 5, "other": 5}


@pytest.mark.parametrize(("precision", "kinds"), [("32-true", {"fp32"}), ("bf16-mixed", {"fp32", "bf16"})])
def test_the_peak_is_that_of_the_precision_in_use(tmp_path: Path, precision: str, kinds: set[str]) -> None:
    rates, peaks = rounds(Setting("peak", "micro", None, tmp_path, precision), 0.0, turn_s=0.0)
    assert set(peaks) == kinds
    result = train.Result(rates, peaks, 1e6, 1e6, {})
    used = peaks["bf16" if "bf16" in kinds else "fp32"][0]
    assert result.share_of_peak() == pytest.approx(rates["mhc"][0] * 1e6 / used)


PARENT = """
from scripts.bench.peer_process import PeerProcess
import os, signal
if __name__ == "__main__":
    peers = PeerProcess()
    print(peers.pool.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_killed_benchmark_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    child = int(ended.stdout)
    assert ended.returncode == -signal.SIGKILL
    _, alive = psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], timeout=30)
    assert not alive
