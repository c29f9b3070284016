"""The number of passes over train if the config leaves it open: few rows need more passes for the same steps."""

from __future__ import annotations

import logging
import math
from collections.abc import Sized
from typing import NamedTuple

from omegaconf import DictConfig

from mhc.errors import BadConfig

log = logging.getLogger("mhc")


class Passes(NamedTuple):
    """Passes over train, and how many of them are between two validations."""

    epochs: int
    per_validation: int


def passes(steps_per_pass: int, *, min_epochs: int, min_steps: int) -> Passes:
    """Return the fewest passes that are at least `min_steps` steps, as a multiple of `min_epochs`.

    There are `min_epochs` validations, whatever the size of train, so that the patience of early stopping means the
    same share of the training.
    """
    repeats = max(1, math.ceil(min_steps / (min_epochs * max(1, steps_per_pass))))
    return Passes(min_epochs * repeats, repeats)


def settle(cfg: DictConfig, batches: Sized) -> None:
    """Fill in `trainer.max_epochs` if it is null, and validate after as many passes as belong together.

    A number that the user gives, of epochs, steps or passes between validations, stays.

    Args:
        cfg: the whole config of the training.
        batches: those of one pass over train, on all processes together; counted only if needed.

    Raises:
        BadConfig: if `model.min_epochs` is below 1 or `model.min_steps` is negative.
    """
    trainer, model = cfg.trainer, cfg.model
    if trainer.get("max_epochs") is not None or trainer.get("max_steps", -1) not in (None, -1):
        return
    for key, least in (("min_epochs", 1), ("min_steps", 0)):
        if model[key] < least:
            raise BadConfig(f"model.{key} is {model[key]}; it must be at least {least}")
    steps = math.ceil(len(batches) / max(1, trainer.accumulate_grad_batches))
    chosen = passes(steps, min_epochs=model.min_epochs, min_steps=model.min_steps)
    trainer.max_epochs = chosen.epochs
    if trainer.check_val_every_n_epoch == 1:
        trainer.check_val_every_n_epoch = chosen.per_validation
    if chosen.per_validation > 1:
        log.info(
            "Train has %s steps per pass: %s passes, validated after every %s, for at least %s steps (model.min_steps)",
            steps, chosen.epochs, ordinal(chosen.per_validation), model.min_steps,
        )  # fmt: skip


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, 11th, 21st, ..."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
