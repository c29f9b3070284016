"""Few rows get more passes over train, unless the user gives a number."""

from __future__ import annotations

import pytest
from omegaconf import DictConfig, OmegaConf

from mhc.errors import BadConfig
from mhc.training.passes import ordinal, passes, settle


def config(**trainer: object) -> DictConfig:
    values = {"max_epochs": None, "max_steps": -1, "accumulate_grad_batches": 1, "check_val_every_n_epoch": 1}
    return OmegaConf.create({"trainer": values | trainer, "model": {"min_epochs": 8, "min_steps": 500}})


@pytest.mark.parametrize(
    ("steps", "expected"), [(1, (504, 63)), (11, (48, 6)), (62, (16, 2)), (63, (8, 1)), (900, (8, 1))]
)
def test_few_rows_get_passes_for_enough_steps(steps: int, expected: tuple[int, int]) -> None:
    assert passes(steps, min_epochs=8, min_steps=500) == expected
    assert expected[0] * steps >= 500 or expected[1] == 1


def test_validations_are_as_many_for_few_rows_as_for_many() -> None:
    for steps in (1, 7, 40, 1000):
        epochs, per_validation = passes(steps, min_epochs=8, min_steps=500)
        assert epochs / per_validation == 8


def test_open_epochs_are_settled_by_the_batches() -> None:
    cfg = config()
    settle(cfg, range(11))
    assert (cfg.trainer.max_epochs, cfg.trainer.check_val_every_n_epoch) == (48, 6)


def test_steps_of_several_batches_count_once() -> None:
    cfg = config(accumulate_grad_batches=4)
    settle(cfg, range(44))
    assert cfg.trainer.max_epochs == 48


@pytest.mark.parametrize("given", [{"max_epochs": 3}, {"max_steps": 20}])
def test_a_length_that_the_user_gives_stays(given: dict[str, int]) -> None:
    cfg = config(**given)
    before = cfg.copy()
    settle(cfg, range(11))
    assert cfg == before


def test_a_given_interval_of_validation_stays() -> None:
    cfg = config(check_val_every_n_epoch=2)
    settle(cfg, range(11))
    assert (cfg.trainer.max_epochs, cfg.trainer.check_val_every_n_epoch) == (48, 2)


@pytest.mark.parametrize(("key", "value"), [("min_epochs", 0), ("min_steps", -1)])
def test_an_impossible_length_is_refused_by_its_key(key: str, value: int) -> None:
    cfg = config()
    cfg.model[key] = value
    with pytest.raises(BadConfig, match=rf"model\.{key} is {value}"):
        settle(cfg, range(11))


def test_ordinals() -> None:
    assert [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th",
    ]  # fmt: skip
