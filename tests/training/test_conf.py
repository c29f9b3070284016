"""Every YAML of conf/ composes and can be built; an invalid override is explained in one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mhc import policy
from mhc.errors import BadConfig, NotFound
from mhc.index import config_sections
from mhc.index.config_names import ConfigNames
from mhc.policy import CONF
from mhc.training.config import register_config
from mhc.training.config_errors import explain
from mhc.training.job import build, build_all, plain

ROOT = CONF.parent
GROUPS = ("callbacks", "data", "logger", "model", "policy", "trainer")
NEEDED = {"data=files": ["data.train=train.csv"], "data=huggingface": ["data.path=folder"]}
"""The overrides without which an option does not resolve."""


def options(*groups: str) -> list[str]:
    """Return the options of groups; files whose names begin with `_` are parts of options."""
    return [f"{group}={path.stem}" for group in groups for path in sorted((CONF / group).glob("[!_]*.yaml"))]


def composed(*overrides: str, hydra: bool = False) -> DictConfig:
    return compose("train", overrides=list(overrides), return_hydra_config=hydra)


@pytest.fixture(autouse=True)
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    register_config()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        yield
    GlobalHydra.instance().clear()


@pytest.mark.parametrize("option", options(*GROUPS))
def test_option_composes_and_every_value_resolves(option: str, tmp_path: Path) -> None:
    cfg = composed(option, *NEEDED.get(option, []), f"paths.run={tmp_path}")
    assert OmegaConf.to_container(cfg, resolve=True)


@pytest.mark.parametrize("option", options("experiment"))
def test_experiment_composes_and_starts_with_its_command(option: str) -> None:
    name = option.partition("=")[2]
    head = (CONF / "experiment" / f"{name}.yaml").read_text().splitlines()[:2]
    assert head[0] == "# @package _global_"
    assert re.match(rf"# python -m mhc.train .*experiment={name}", head[1]), head[1]
    composed(option)


@pytest.mark.parametrize("option", options("sweep"))
def test_sweep_composes(option: str) -> None:
    if option == "sweep=slurm" and find_spec("hydra_plugins.hydra_submitit_launcher") is None:
        pytest.skip("the extra slurm is not installed")
    assert composed(option, hydra=True).hydra.launcher._target_


@pytest.mark.parametrize("option", options("model"))
def test_model_can_be_built(option: str, tmp_path: Path) -> None:
    cfg = composed(option)
    if option == "model=large":  # the benchmark builds it in full size
        cfg.model.network.layers = 2
    if option in ("model=pretrained", "model=embedding"):
        cfg.model.network.name = str(tmp_path / "nothing")
        with pytest.raises(NotFound, match="nothing"):
            build(cfg.model)["network"](4, 100, 0, list("abcd"))
        return
    network = build(cfg.model)["network"](4, 100, 0, list("abcd"))
    assert sum(weight.numel() for weight in network.parameters()) > 0


@pytest.mark.parametrize("option", options("data"))
def test_data_module_can_be_built(option: str, tmp_path: Path) -> None:
    cfg = composed(option, *NEEDED.get(option, []))
    assert build(cfg.data).prepare


@pytest.mark.parametrize("option", options("trainer"))
def test_trainer_can_be_built_on_its_hardware(option: str, tmp_path: Path) -> None:
    import torch

    cfg = composed(option)
    needs_gpu = option in ("trainer=gpu", "trainer=multi_gpu", "trainer=fsdp")
    if needs_gpu and not torch.cuda.is_available():
        with pytest.raises(BadConfig, match=r"trainer=auto"):
            build(cfg.trainer, logger=False)
        return
    assert build(cfg.trainer, logger=False, enable_progress_bar=False).max_epochs == cfg.model.epochs


@pytest.mark.parametrize("option", options("logger"))
def test_logger_can_be_built_or_names_its_extra(option: str, tmp_path: Path) -> None:
    cfg = composed(option, f"paths.run={tmp_path}", f"paths.outputs={tmp_path}")
    extra = option.partition("=")[2]
    if extra in ("mlflow", "wandb") and find_spec(extra) is None:
        with pytest.raises(BadConfig, match=re.escape(f'pip install "mhc[{extra}]"')):
            build_all(cfg.logger)
        return
    assert build_all(cfg.logger)


def test_callbacks_can_be_built(tmp_path: Path) -> None:
    cfg = composed(f"paths.run={tmp_path}")
    assert [type(callback).__name__ for callback in build_all(cfg.callbacks)][:2] == ["RegisterRun", "ClassifyRun"]


@pytest.mark.parametrize("option", options("policy"))
def test_policy_is_the_same_for_training_and_for_the_cli(option: str) -> None:
    name = option.partition("=")[2]
    assert policy.from_values(plain(composed(option).policy), name) == policy.load(name)


@pytest.mark.parametrize("option", options("model"))
def test_default_name_of_a_run_is_that_of_its_model(option: str) -> None:
    assert composed(option).name == option.partition("=")[2]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("modle=micro", "There is no key 'modle'; did you mean 'model'"),
        ("model=mdium", "model has no option 'mdium'; did you mean 'medium'. It has: baseline, embedding"),
        ("data=file", "data has no option 'file'; did you mean 'files'. It has: files, huggingface, synthetic"),
        ("model.optimizer.lrr=1", "There is no key 'model.optimizer.lrr'; did you mean 'model.optimizer.lr'"),
        ("model.optimizer.lr=fast", "model.optimizer.lr: Value 'fast' of type 'str' could not be converted to Float"),
        ("seed=x", "seed: Value 'x' of type 'str' could not be converted to Integer"),
        ("data.batching.bucketing=5.5", "data.batching.bucketing: Value '5.5' is not a valid bool"),
    ],
)
def test_invalid_override_is_explained(override: str, sentence: str) -> None:
    from hydra.errors import HydraException

    with pytest.raises(HydraException) as error:
        composed(override)
    assert explain(error.value, [override]).startswith(sentence)


def test_missing_mandatory_value_is_asked_for() -> None:
    cfg = composed("data=files")
    with pytest.raises(OmegaConfBaseException) as error:
        OmegaConf.to_container(cfg, resolve=True)
    assert explain(error.value, ["data=files"]) == (
        "data.train has no value, and none can be guessed. Give it one: data.train=..."
    )


def test_help_lists_every_option_of_every_group() -> None:
    command = [sys.executable, "-m", "mhc.train", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ).stdout
    for group in sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "hydra"):
        line = re.search(rf"^  {group} +\S.*", text, flags=re.MULTILINE)
        assert line, f"--help does not explain the group {group}"
        missing = [name for name in options(group) if name.partition("=")[2] not in re.findall(r"\w+", line[0])]
        assert not missing, f"--help does not list {missing}: add them to conf/hydra/default.yaml"
    assert "_common" not in text


def test_recipe_sets_name_tags_seed_and_description(tmp_path: Path) -> None:
    recipe = tmp_path / "recipes" / "experiment" / "mine.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text("# @package _global_\nname: mine\nseed: 7\ntags: [paper]\ndescription: from a recipe\n")
    search = f"hydra.searchpath=[file://{recipe.parents[1]}]"
    cfg = composed(search, "experiment=mine")
    assert (cfg.name, cfg.seed, list(cfg.tags), cfg.description) == ("mine", 7, ["paper"], "from a recipe")
    assert composed(search, "experiment=mine", "seed=8").seed == 8  # the command line wins over the recipe


@pytest.mark.parametrize(
    ("short", "key"),
    [
        ("lr", "model.optimizer.lr"),
        ("epochs", "model.epochs"),
        ("precision", "trainer.precision"),
        ("batch_tokens", "model.batch_tokens"),
    ],
)
def test_short_names_mean_one_value_of_a_new_run(short: str, key: str) -> None:
    """A key of a callback that repeats a value must refer to it, else `list --where "lr = 0.003"` is ambiguous."""
    text = OmegaConf.to_yaml(composed())
    keys = [found for section in config_sections.sections_of(text) for found in section.keys]
    names = ConfigNames.of((found.words, found.is_reference) for found in keys)
    assert names.find((short,)) == tuple(key.split("."))


def test_start_of_a_training_imports_no_library_of_numbers() -> None:
    names = ("torch", "numpy", "scipy", "sklearn", "pytorch_lightning", "transformers", "torchmetrics")
    code = f"import sys, mhc.train; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
