"""A step over several batches, or several processes, is the step over all of their rows at once."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from mhc.data.batch_loader import BatchLoader, RankInfo
from mhc.data.options import Batching
from mhc.data.token_cache import TokenSplit
from mhc.model.losses import CrossEntropy
from tests.support import programs
from tests.support.learning import LABELS, NETWORK, VOCABULARY, Rows, a_classifier, a_step, a_trainer

SIZES = (3, 9, 5, 7, 10, 6)


def largest_difference(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@pytest.mark.parametrize("weights", ["none", "balanced"])
@pytest.mark.parametrize("accumulate", [6, 8], ids=["a complete cycle", "an incomplete cycle"])
def test_accumulated_step_is_the_step_over_all_rows(tmp_path: Path, weights: str, accumulate: int) -> None:
    at_once, _ = a_step(tmp_path, [sum(SIZES)], 1, weights)
    accumulated, _ = a_step(tmp_path, SIZES, accumulate, weights)
    assert largest_difference(at_once, accumulated) < 1e-6
    start = a_classifier(network=partial(NETWORK, dropout=0.0)).network.state_dict()
    assert largest_difference(at_once, start) > 1e-3


STEPS = {
    "a complete cycle": (3, SIZES, "none"),
    "an incomplete cycle": (4, SIZES, "balanced"),
    "one batch each": (1, (13, 27), "balanced"),
}
"""The batches of a step, the rows of each batch, and the weights of the loss."""


@pytest.fixture(scope="module")
def steps_of_two_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the weights after each step, of both processes."""
    folder = tmp_path_factory.mktemp("steps")
    words = [",".join(map(str, (accumulate, weights, *sizes))) for accumulate, sizes, weights in STEPS.values()]
    done = programs.run("tests.support.step_in_two_processes", str(folder), *words)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_step_of_two_processes_is_the_step_over_all_rows(
    steps_of_two_processes: Path, tmp_path: Path, name: str
) -> None:
    _, sizes, weights = STEPS[name]
    at_once, _ = a_step(tmp_path, [sum(sizes)], 1, weights)
    for rank in (0, 1):
        path = steps_of_two_processes / f"step{list(STEPS).index(name)}_rank{rank}.pt"
        assert largest_difference(at_once, torch.load(path)) < 1e-6


def a_loader(tokens: int) -> BatchLoader:
    """Return the loader of 256 texts of 1 to 16 tokens in batches of at most `tokens`."""
    draw = np.random.default_rng(3)
    lengths = draw.integers(1, 17, 256)
    split = TokenSplit(
        ids=draw.integers(2, VOCABULARY, int(lengths.sum())),
        starts=np.concatenate([[0], lengths.cumsum()[:-1]]),
        lengths=lengths,
        labels=draw.integers(0, len(LABELS), 256),
        pad_id=0,
        truncated=0,
    )
    options = Batching(tokens=tokens, eval_tokens=tokens, max_rows=9999, bucketing=True, pad_multiple=8, prefetch=0)
    return BatchLoader(split, options, seed=1, train=True, masked=True, rank_info=RankInfo(), pin=False)


def test_small_batches_give_the_step_of_a_large_one(tmp_path: Path) -> None:
    """Batches of 1,024 tokens, accumulated, against one of 4,096; the loss of the epoch is the same, too."""
    states, losses = [], []
    for tokens in (4096, 1024):
        loader = a_loader(tokens)
        batches = len(loader)
        assert (batches == 1) == (tokens > 1024)
        model = a_classifier(
            network=partial(NETWORK, dropout=0.0),
            optimizer=lambda network: torch.optim.SGD(network.parameters(), lr=0.5),
            loss=CrossEntropy,
        )
        trainer = a_trainer(tmp_path, max_epochs=1, accumulate_grad_batches=batches)
        trainer.fit(model, train_dataloaders=loader, val_dataloaders=Rows(8, 2))
        states.append(model.network.state_dict())
        losses.append(float(trainer.callback_metrics["train/loss_epoch"]))
    assert largest_difference(*states) < 1e-6
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
