from __future__ import annotations

import numpy as np
import pytest
import torch

from mhc.errors import MhcError
from mhc.model.results import Collector, Meter, in_row_order


def columns(rows: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    numbers = np.array(rows)
    return numbers, numbers % 2, np.stack([numbers, -numbers], axis=1).astype(np.float32)


def test_parts_of_several_processes_become_one_split_in_row_order():
    rows, labels, probabilities = in_row_order([columns([4, 0, 2]), columns([1, 3, 0])])
    assert rows.tolist() == [0, 1, 2, 3, 4]
    assert labels.tolist() == [0, 1, 0, 1, 0]
    assert probabilities[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_a_process_without_rows_is_no_trouble():
    assert in_row_order([columns([1, 0]), columns([])])[0].tolist() == [0, 1]


def test_a_collector_forgets_what_it_has_told():
    collector = Collector()
    collector.add(torch.tensor([0]), torch.tensor([1]), torch.tensor([[0.0, 1.0]]))
    assert len(collector.result(["a", "b"]).rows) == 1
    assert len(collector.result(["a", "b"]).rows) == 0


def test_outputs_that_are_no_numbers_are_a_sentence():
    collector = Collector()
    collector.add(torch.tensor([0]), torch.tensor([1]), torch.tensor([[0.0, float("nan")]]))
    with pytest.raises(MhcError, match=r"training diverged; lower model\.optimizer\.lr"):
        collector.result(["a", "b"])


def test_logits_in_bfloat16_give_probabilities_in_float32():
    collector = Collector()
    collector.add(torch.tensor([0]), torch.tensor([1]), torch.tensor([[1.0, 2.0]]).bfloat16())
    assert collector.result(["a", "b"]).probabilities.dtype == np.float32


def test_a_meter_counts_only_while_training_goes_on():
    now = [0.0]
    meter = Meter(clock=lambda: now[0])
    assert meter.tokens_per_s is None
    for at, step in ((10.0, meter.start), (14.0, meter.stop), (100.0, meter.stop), (200.0, meter.start)):
        now[0] = at
        step()
    now[0] = 201.0
    meter.add(torch.tensor(30))
    meter.add(torch.tensor(20))
    assert (meter.tokens, meter.elapsed, meter.tokens_per_s) == (50, 5.0, 10.0)
