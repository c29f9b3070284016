from __future__ import annotations

import numpy as np
import pytest
import torch

from mhc.errors import MhcError
from mhc.model.results import Collector, Meter, merge_by_row


def columns(rows: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = np.array(rows)
    return values, values % 2, np.stack([values, -values], axis=1).astype(np.float32)


def test_parts_of_several_processes_are_merged_by_row() -> None:
    rows, labels, probabilities = merge_by_row([columns([4, 0, 2]), columns([1, 3, 0])])
    assert rows.tolist() == [0, 1, 2, 3, 4]
    assert labels.tolist() == [0, 1, 0, 1, 0]
    assert probabilities[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_process_without_rows_is_merged() -> None:
    assert merge_by_row([columns([1, 0]), columns([])])[0].tolist() == [0, 1]


def test_result_clears_the_collector() -> None:
    collector = Collector()
    collector.add(torch.tensor([0]), torch.tensor([1]), torch.tensor([[0.0, 1.0]]))
    assert len(collector.result(["a", "b"]).rows) == 1
    assert len(collector.result(["a", "b"]).rows) == 0


def test_outputs_that_are_not_numbers_are_refused() -> None:
    collector = Collector()
    collector.add(torch.tensor([0]), torch.tensor([1]), torch.tensor([[0.0, float("nan")]]))
    with pytest.raises(MhcError, match=r"training diverged; lower model\.optimizer\.lr"):
        collector.result(["a", "b"])


def test_logits_in_bfloat16_give_probabilities_in_float32() -> None:
    collector = Collector()
    collector.add(torch.tensor([0]), torch.tensor([1]), torch.tensor([[1.0, 2.0]]).bfloat16())
    assert collector.result(["a", "b"]).probabilities.dtype == np.float32


def test_meter_excludes_pauses() -> None:
    now = [0.0]
    meter = Meter(clock=lambda: now[0])
    assert meter.tokens_per_s is None
    for seconds, action in ((10.0, meter.start), (14.0, meter.stop), (100.0, meter.stop), (200.0, meter.start)):
        now[0] = seconds
        action()
    now[0] = 201.0
    meter.add(torch.tensor(30))
    meter.add(torch.tensor(20))
    assert (meter.tokens, meter.elapsed, meter.tokens_per_s) == (50, 5.0, 10.0)
