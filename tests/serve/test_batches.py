"""Requests that are computed together: each gets its own answer, short ones do not wait for long ones, few may wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mhc.inference.predictor import Prediction
from mhc.serve.prediction.batches import Batches, BatchLimits, Full

Model = Callable[[Sequence[str]], Prediction]
LIMITS = BatchLimits(batch_texts=8, waiting_texts=40, waiting_characters=400, gathering=0.0)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def lengths_of(texts: Sequence[str]) -> Prediction:
    """Predict the length of each text; texts of 5 characters are cut."""
    if "bad" in texts:
        raise ValueError("bad")
    cut = frozenset(row for row, text in enumerate(texts) if len(text) == 5)
    numbers = np.array([[len(text)] for text in texts], np.float32)
    return Prediction(labels=list(texts), probabilities=numbers, cut=cut, empty=0)


class Gate:
    """A model that waits before its first batch until it is opened, and notes the sizes of its batches."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self.sizes: list[int] = []
        self.order: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Prediction:
        self.reached.set()
        assert self.opened.wait(10)
        self.sizes.append(len(texts))
        self.order += texts
        return lengths_of(texts)


def test_requests_that_wait_are_computed_together(thread: ThreadPoolExecutor) -> None:
    gate = Gate()
    batches = Batches(gate, thread, LIMITS)
    first = batches.submit(["a"])
    assert gate.reached.wait(10)
    others = [batches.submit(["b" * size]) for size in range(1, 8)]
    gate.opened.set()
    assert first.result(10).labels == ["a"]
    assert [each.result(10).probabilities.tolist() for each in others] == [[[float(size)]] for size in range(1, 8)]
    assert [each.result(10).cut for each in others] == [
        frozenset({0}) if size == 5 else frozenset() for size in range(1, 8)
    ]
    assert gate.sizes == [1, 7]
    assert (batches.computed, batches.waiting) == (2, 0)


def test_short_request_does_not_wait_for_a_long_one(thread: ThreadPoolExecutor) -> None:
    gate = Gate()
    batches = Batches(gate, thread, LIMITS)
    blocker = batches.submit(["x"])
    assert gate.reached.wait(10)
    long = batches.submit([f"l{number:02}" if number != 20 else "12345" for number in range(30)])
    short = batches.submit(["s"])
    gate.opened.set()
    answer = long.result(10)
    assert answer.labels == [f"l{number:02}" if number != 20 else "12345" for number in range(30)]
    assert answer.cut == {20}
    assert short.result(10).labels == ["s"]
    assert blocker.result(10).labels == ["x"]
    assert gate.order.index("s") < 9
    assert max(gate.sizes) == 8


@pytest.mark.parametrize("texts", [["x"] * 40, ["x" * 400]], ids=["texts", "characters"])
def test_more_texts_than_may_wait_are_refused(thread: ThreadPoolExecutor, texts: list[str]) -> None:
    gate = Gate()
    batches = Batches(gate, thread, LIMITS)
    first = batches.submit(["a"])
    with pytest.raises(Full):
        batches.submit(texts)
    gate.opened.set()
    first.result(10)
    assert len(batches.submit(texts).result(10).labels) == len(texts)


def test_text_that_fails_fails_its_own_request_only(thread: ThreadPoolExecutor) -> None:
    gate = Gate()
    batches = Batches(gate, thread, LIMITS)
    first = batches.submit(["a"])
    assert gate.reached.wait(10)
    good, bad, better = batches.submit(["good"]), batches.submit(["bad", *"defghijklmn"]), batches.submit(["better"])
    gate.opened.set()
    assert [each.result(10).labels for each in (first, good, better)] == [["a"], ["good"], ["better"]]
    with pytest.raises(ValueError, match="bad"):
        bad.result(10)
    assert batches.submit(["again"]).result(10).labels == ["again"]
    assert batches.waiting == 0


def test_cancelled_request_is_not_computed(thread: ThreadPoolExecutor) -> None:
    gate = Gate()
    batches = Batches(gate, thread, LIMITS)
    first = batches.submit(["a"])
    assert gate.reached.wait(10)
    gone, stays = batches.submit(["gone"]), batches.submit(["stays"])
    assert gone.cancel()
    gate.opened.set()
    assert stays.result(10).labels == ["stays"]
    assert first.result(10).labels == ["a"]
    assert "gone" not in gate.order
    assert batches.waiting == 0


def test_models_take_turns_in_one_thread(thread: ThreadPoolExecutor) -> None:
    gate, order = Gate(), []

    def noted(texts: Sequence[str]) -> Prediction:
        order.append(("second", len(gate.sizes)))
        return lengths_of(texts)

    one, two = Batches(gate, thread, LIMITS), Batches(noted, thread, LIMITS)
    long = one.submit(["x"] * 32)
    assert gate.reached.wait(10)
    quick = two.submit(["y"])
    gate.opened.set()
    assert quick.result(10).labels == ["y"]
    long.result(10)
    assert order == [("second", 1)]
