"""Every option of the `model` group gives a classifier that takes a training step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from transformers import BertConfig, BertModel

from mhc.errors import BadConfig
from mhc.model import build
from mhc.model.classifier import TextClassifier

CONF = Path(__file__).parent.parent.parent / "conf"
LABELS = ["anxiety", "normal"]
MILLIONS = {"micro": (0.3, 0.4), "baseline": (4.5, 5.5), "medium": (26, 28), "large": (100, 103), "linear": (0.9, 1.1)}
"""Parameters of each option with its whole vocabulary."""


def parts(option: str, *overrides: str) -> Any:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return instantiate(compose(f"model/{option}", list(overrides)).model, _convert_="all")


def a_model(option: str, *overrides: str, seed: int = 1) -> TextClassifier:
    model = parts(option, *overrides)
    size = model["tokenizer"].get("vocab_size", 50)
    return build.classifier(model, labels=LABELS, class_counts=[30, 70], vocab_size=size, pad_id=0, seed=seed)


def takes_a_step(model: TextClassifier) -> bool:
    generator = torch.Generator().manual_seed(1)
    ids, labels = torch.randint(5, 45, (4, 12), generator=generator), torch.tensor([0, 1, 0, 1])
    optimizer = model._optimizer_factory(model.network)
    schedule = model._schedule_factory(optimizer, 10)
    before = [parameter.detach().clone() for parameter in model.network.parameters()]
    loss = model.loss(model({"input_ids": ids, "attention_mask": torch.ones_like(ids)}), labels)
    loss.backward()
    optimizer.step()
    schedule.step()
    changed = [not torch.equal(old, new) for old, new in zip(before, model.network.parameters(), strict=True)]
    return bool(loss.isfinite()) and any(changed)


@pytest.mark.parametrize("option", MILLIONS)
def test_every_option_has_its_size_and_takes_a_step(option: str) -> None:
    model = a_model(option)
    fewest, most = MILLIONS[option]
    assert fewest * 1e6 < model.facts().parameters < most * 1e6
    assert model.facts().name == option
    assert model.facts().max_tokens == model.max_tokens
    assert option == "linear" or takes_a_step(model)  # it is fitted: tests/model/test_fitted_classifier.py


def test_pretrained_takes_a_step_and_records_its_source(tmp_path: Path) -> None:
    config = BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    BertModel(config).save_pretrained(tmp_path)
    model = a_model("pretrained", f"model.network.name={tmp_path}")
    assert model.facts().pretrained == str(tmp_path)
    assert takes_a_step(model)


def test_every_option_is_tested() -> None:
    assert {path.stem for path in (CONF / "model").glob("[!_]*.yaml")} == {*MILLIONS, "pretrained", "embedding"}


def test_initial_weights_depend_on_the_seed_alone() -> None:
    first = a_model("micro")
    torch.rand(10)
    again, other = a_model("micro"), a_model("micro", seed=2)
    key = "network.classifier.weight"
    assert torch.equal(first.state_dict()[key], again.state_dict()[key])
    assert not torch.equal(first.state_dict()[key], other.state_dict()[key])


def test_config_selects_focal_loss_and_class_weights() -> None:
    overrides = ["model.loss._target_=mhc.model.losses.Focal", "~model.loss.label_smoothing", "model.loss.weights=sqrt"]
    assert takes_a_step(a_model("micro", *overrides))


@pytest.mark.parametrize(("architecture", "pad_id"), [("bert", 0), ("roberta", 1)])
def test_texts_longer_than_the_encoder_are_refused(architecture: str, pad_id: int) -> None:
    changes = (f"+model.network.architecture={architecture}", "model.network.max_tokens=32")
    model = parts("micro", *changes, "model.tokenizer.max_tokens=33")
    values = {"labels": LABELS, "class_counts": [30, 70], "vocab_size": 50, "pad_id": pad_id, "seed": 1}
    with pytest.raises(BadConfig, match="max_tokens is 33, but the encoder reads at most 32 tokens"):
        build.classifier(model, **values)
    build.classifier(parts("micro", *changes, "model.tokenizer.max_tokens=32"), **values)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("+model.network.foo=1", r"model\.network cannot be built: .*unexpected keyword argument 'foo'"),
        ("+model.loss.foo=1", r"model\.loss cannot be built: .*unexpected keyword argument 'foo'"),
        ("+model.optimizer.foo=1", r"model\.optimizer cannot be built: .*unexpected keyword argument 'foo'"),
        ("~model.optimizer.lr", r"model\.optimizer cannot be built: .*missing 1 required .*'lr'"),
        ("model.network.layers=many", r"model\.network\.layers is 'many'; expected `int`, got `str`\. Correct model"),
        ("model.network.layers={a:1}", r"model\.network\.layers is {'a': 1}; expected `int`, got `object`"),
        ("model.network.dropout=-", r"model\.network\.dropout is '-'; expected `float`"),
        ("model.optimizer.lr=fast", r"model\.optimizer\.lr is 'fast'; expected"),
        ("model.loss.label_smoothing=[1]", r"model\.loss\.label_smoothing is \[1\]; expected `float`"),
        ("model.loss.label_smoothing=true", r"model\.loss\.label_smoothing is True; expected `float`"),
        ("model.loss.label_smoothing=--help", r"model\.loss\.label_smoothing is '--help'; expected `float`"),
        ("model.loss.label_smoothing=null", r"model\.loss\.label_smoothing is None; expected `float`"),
        ("model.schedule.warmup=", r"model\.schedule\.warmup is ''; expected `float`"),
    ],
)
def test_keys_and_values_that_a_part_does_not_take_are_refused(override: str, sentence: str) -> None:
    with pytest.raises(BadConfig, match=sentence):
        takes_a_step(a_model("micro", override))


def test_an_error_within_a_part_is_not_taken_for_a_wrong_key() -> None:
    def inner(value: int) -> int:
        return value

    def outer(value: int) -> int:
        return inner(value, unknown=2)  # type: ignore[call-arg]

    def network(value: int) -> int:
        return outer(value)

    with pytest.raises(TypeError, match="unexpected keyword"):
        build.call("model.network", lambda value: network(value), 1)
