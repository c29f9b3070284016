"""What is typed in the place of a node that builds an object is refused by its key."""

from __future__ import annotations

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from mhc.errors import BadConfig
from mhc.policy import CONF
from mhc.training import job, structure
from mhc.training.config import register_config


def config(*overrides: str) -> DictConfig:
    register_config()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return compose("train", ["paths.run=x", *overrides])


@pytest.mark.parametrize("model", ["linear", "embedding", "micro", "baseline", "medium", "large", "pretrained"])
def test_every_model_has_the_structure(model: str) -> None:
    structure.check(config(f"model={model}"))


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("model.loss=3", "model.loss is 3"),
        ("model.loss=${paths.outputs}", "model.loss is outputs"),
        ("model.network=null", "model.network is null"),
        ("model.network=inf", "model.network is inf"),
        ("model.optimizer=null", "model.optimizer is null"),
        ("model.schedule=true", "model.schedule is True"),
        ("callbacks.classify_run.run='%s'", "callbacks.classify_run.run is %s"),
        ("callbacks.flag_for_promotion.run=null", "callbacks.flag_for_promotion.run is null"),
        ("callbacks.archive_debug_runs.policy=true", "callbacks.archive_debug_runs.policy is True"),
        ("callbacks.figures=abc", "callbacks.figures is abc"),
        ("model.loss._partial_=a", "model.loss._partial_ is a; it must be true or false"),
        ("model.network._partial_=../x", "model.network._partial_ is ../x; it must be true or false"),
        ("callbacks.hparams._recursive_=3", "callbacks.hparams._recursive_ is 3; it must be true or false"),
        ("model.loss._target_=3", "model.loss._target_ is 3; it must be the name of a class or function"),
    ],
)
def test_a_value_in_the_place_of_an_object_is_refused(override: str, sentence: str) -> None:
    with pytest.raises(BadConfig, match=sentence):
        structure.check(config("model=baseline", override))


def test_a_model_with_a_solver_needs_no_optimizer() -> None:
    structure.check(config("model=linear", "model.optimizer=null"))
    with pytest.raises(BadConfig, match=r"model\.solver is 3"):
        structure.check(config("model=linear", "model.solver=3"))


def test_a_callback_may_be_left_out() -> None:
    structure.check(config("callbacks.figures=null", "~callbacks.pr_curves"))


@pytest.mark.parametrize("key", ["tags", "code_files"])
def test_a_single_value_in_the_place_of_a_list_is_refused(key: str) -> None:
    with pytest.raises(BadConfig, match=rf"{key}=inf is not a list\. Write '{key}=\[inf\]'"):
        job.check(config(f"{key}=inf"))
