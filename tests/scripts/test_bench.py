"""What the benchmark counts."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertForSequenceClassification

from mhc.model.fast_bert import encoder
from scripts.bench import peak, show, texts
from scripts.bench.clock import Clock


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
