"""Frozen, re-initialised and recomputed layers, rates by layer, adapters: in families of different construction."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from mhc.data import tokenizer
from mhc.data.options import Tokenizing
from mhc.errors import BadConfig
from mhc.model import encoder
from mhc.model.adaptation import layers, lora
from mhc.model.fast_bert import encoder as fast
from mhc.model.optimizers import adamw, warmup_then
from mhc.model.scoring import Scorer
from mhc.model.weights import Loaded
from mhc.production import export
from tests.support.encoder_families import FAMILIES, WORDS, write_family
from tests.support.learning import LABELS, Data, a_classifier, a_trainer

KEY = "an option"
THREE = ("bert", "distilbert", "qwen2")
BATCH = next(iter(Data().val_dataloader()))
INPUTS = {name: BATCH[name] for name in ("input_ids", "attention_mask")}


def an_encoder(folder: Path, family: str, dropout: float = 0.0, **options: Any) -> Any:
    source = folder / family
    if not source.exists():
        write_family(source, family)
    torch.manual_seed(0)
    return encoder.pretrained(3, 60, 0, LABELS, name=str(source), dropout=dropout, **options)


def weights_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: weights.detach().clone() for name, weights in network.named_parameters()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, weights in before.items() if not weights.equal(after[name])}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_weight_is_in_the_embeddings_a_layer_or_the_head(family: str, tmp_path: Path) -> None:
    network = an_encoder(tmp_path, family)
    if family == "albert":  # its layers share their weights
        with pytest.raises(BadConfig, match="an option, but AlbertModel has no list of layers with weights of its own"):
            layers.depths(network, KEY)
        return
    depths = layers.depths(network, KEY)
    top = network.config.num_hidden_layers + 1
    assert set(depths.values()) == set(range(top + 1))
    for name, parameter in network.named_parameters():
        numbers = [int(part) for part in name.split(".") if part.isdigit()]
        expected = numbers[0] + 1 if numbers else 0 if "embed" in name or "wte" in name or "wpe" in name else top
        shared = ("relative_attention_bias", "encoder.LayerNorm")  # of mpnet and deberta-v2: every layer reads them
        assert depths[id(parameter)] == (0 if any(part in name for part in shared) else expected), name


@pytest.mark.parametrize("family", THREE)
def test_frozen_layers_keep_their_weights(family: str, tmp_path: Path) -> None:
    source = write_family(tmp_path / family, family)
    network = partial(encoder.pretrained, name=str(source), dropout=0.1, freeze_layers=1)
    model = a_classifier(network=network)
    depths, before = layers.depths(model.network, KEY), weights_of(model.network)
    frozen = {name for name, parameter in model.network.named_parameters() if depths[id(parameter)] <= 1}
    trainer = a_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, datamodule=Data())
    assert changed(before, weights_of(model.network)) == set(before) - frozen
    optimized = sum(len(group["params"]) for group in trainer.optimizers[0].param_groups)
    assert optimized == len(before) - len(frozen)
    facts = model.facts()
    assert 0 < facts.trainable_parameters < facts.parameters


@pytest.mark.parametrize("family", THREE)
def test_top_layers_are_drawn_again(family: str, tmp_path: Path) -> None:
    own, drawn = an_encoder(tmp_path, family), an_encoder(tmp_path, family, reinit_layers=1)
    depths, names = layers.depths(own, KEY), dict(own.named_parameters())
    head = {name for name, parameter in names.items() if depths[id(parameter)] == 3}
    top = {name for name, parameter in names.items() if depths[id(parameter)] == 2}
    different = changed(weights_of(own), weights_of(drawn)) - head
    assert different <= top
    assert any("weight" in name for name in different)
    fresh = [weights for name, weights in drawn.named_parameters() if name in different]
    assert all(0.01 < float(weights.detach().std()) < 0.03 for weights in fresh if weights.dim() == 2)


@pytest.mark.parametrize("family", ["bert", "deberta-v2", "qwen2"])
def test_gradients_are_those_of_stored_outputs(family: str, tmp_path: Path) -> None:
    stored, computed = an_encoder(tmp_path, family), an_encoder(tmp_path, family, gradient_checkpointing=True)
    assert computed.is_activation_checkpointing
    for network in (stored, computed):
        network(**INPUTS).logits.square().sum().backward()
    gradients = {name: weights.grad for name, weights in computed.named_parameters() if weights.grad is not None}
    assert gradients
    for name, weights in stored.named_parameters():
        assert weights.grad is None or torch.allclose(gradients[name], weights.grad, atol=1e-6), name


@pytest.mark.parametrize("family", THREE)
def test_rate_falls_from_the_head_to_the_embeddings(family: str, tmp_path: Path) -> None:
    network = an_encoder(tmp_path, family, freeze_layers=0)
    groups = adamw(network, lr=0.8, weight_decay=0.1, layer_decay=0.5).param_groups
    depths = layers.depths(network, KEY)
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert rates == {id(parameter): 0.8 * 0.5 ** (3 - depths[id(parameter)]) for parameter in network.parameters()}
    plain = adamw(network, lr=0.8, weight_decay=0.1).param_groups
    decayed = {id(parameter): group["weight_decay"] for group in plain for parameter in group["params"]}
    assert decayed == {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}


@pytest.mark.parametrize(
    ("family", "pooling"), [("bert", "own"), ("deberta-v2", "own"), ("qwen2", "own"), ("bert", "mean")]
)
def test_merged_bundle_has_the_probabilities_of_the_adapter(family: str, pooling: str, tmp_path: Path) -> None:
    source = write_family(tmp_path / family, family)
    options = {"rank": 4, "alpha": 32, "dropout": 0.1}
    network = partial(encoder.pretrained, name=str(source), dropout=0.1, pooling=pooling, lora=options)
    model = a_classifier(network=network, optimizer=partial(adamw, lr=5e-2, weight_decay=0.0))
    before = weights_of(model.network)
    a_trainer(tmp_path, max_epochs=2).fit(model, datamodule=Data())
    moved = changed(before, weights_of(model.network))
    assert all("lora_" in name or "base_layer" not in name for name in moved)
    assert {name.rpartition("lora_")[2][0] for name in moved if "lora_" in name} == {"A", "B"}
    assert model.facts().trainable_parameters < model.facts().parameters / 2

    tokenizer.build(Tokenizing(kind="pretrained", name=str(source), max_tokens=16), [], tmp_path / "tokenizer")
    texts = tokenizer.Encoder(tmp_path / "tokenizer", 16)([" ".join(WORDS[start:]) for start in range(12)])
    masked = {"pad_id": 0, "masked": True, "precision": "fp32", "device": "cpu"}
    by_adapter = Scorer(model.network, **masked).probabilities(texts, 3)  # type: ignore[arg-type]
    merged = lora.merged(model.network)
    trained = Loaded(network=merged, tokenizer_folder=tmp_path / "tokenizer", labels=LABELS, max_tokens=16)
    (tmp_path / "bundle").mkdir()
    export.write(trained, tmp_path / "bundle", 1.0)
    score, _ = export.scorer_of(trained)
    by_bundle = score(tmp_path / "bundle", [" ".join(WORDS[start:]) for start in range(12)], 16)
    assert np.abs(by_bundle - by_adapter).max() < 1e-5
    start = encoder.pretrained(3, 60, 0, LABELS, name=str(source), dropout=0.0, pooling=pooling).state_dict()
    assert set(merged.state_dict()) == set(start), "no weight of the library is left"


def test_resumed_adapters_equal_the_uninterrupted_ones(tmp_path: Path) -> None:
    source = write_family(tmp_path / "bert", "bert")
    network = partial(encoder.pretrained, name=str(source), dropout=0.1, lora={"rank": 2, "dropout": 0.1})
    schedule = partial(warmup_then, warmup=0.0, decay="constant")
    optimizer = partial(adamw, lr=5e-3, weight_decay=0.01, layer_decay=0.8)
    whole, first, second = (a_classifier(network=network, schedule=schedule, optimizer=optimizer) for _ in range(3))
    a_trainer(tmp_path, max_epochs=2).fit(whole, datamodule=Data())
    half = a_trainer(tmp_path, max_epochs=1)
    half.fit(first, datamodule=Data())
    half.save_checkpoint(tmp_path / "last.ckpt")
    a_trainer(tmp_path, max_epochs=2).fit(second, datamodule=Data(), ckpt_path=tmp_path / "last.ckpt")
    assert changed(weights_of(whole.network), weights_of(second.network)) == set()
    assert changed(weights_of(first.network), weights_of(second.network)) != set()


def test_targets_choose_the_adapted_matrices(tmp_path: Path) -> None:
    network = an_encoder(tmp_path, "bert", lora={"targets": ["query", "value"]}, freeze_layers=1)
    adapted = {name.partition(".lora_")[0] for name, _ in network.named_parameters() if ".lora_" in name}
    assert adapted == {f"bert.encoder.layer.1.attention.self.{name}" for name in ("query", "value")}
    trained = {name for name, weights in network.named_parameters() if weights.requires_grad}
    assert {name.partition(".lora_")[0] for name in trained if ".lora_" in name} == adapted
    assert {name.rpartition(".")[0] for name in trained if ".lora_" not in name} == {"bert.pooler.dense", "classifier"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"lora": {}}, "it has adapters"),
        ({"gradient_checkpointing": True}, "its backward computes the layers again"),
        ({"freeze_layers": 1}, None),
        ({"pooling": "mean"}, None),
    ],
    ids=str,
)
def test_record_says_why_the_fast_forward_does_not_apply(options: Any, reason: str | None, tmp_path: Path) -> None:
    network = partial(encoder.pretrained, name=str(write_family(tmp_path / "bert", "bert")), dropout=0.0, **options)
    model = a_classifier(network=network)
    assert fast.is_supported(model.network) is (reason is None)
    shown = model.facts().own_forward
    assert shown is None if reason is None else reason in str(shown)
    theirs = model.network(**INPUTS)
    theirs = theirs if isinstance(theirs, torch.Tensor) else theirs.logits
    assert torch.allclose(model(BATCH), theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "options", "sentence"),
    [
        ("bert", {"freeze_layers": 3}, "freeze_layers is 3, but the encoder has 2 layers. Give at most 2"),
        ("bert", {"reinit_layers": 9}, "reinit_layers is 9, but the encoder has 2 layers. Give at most 2"),
        ("bert", {"freeze_layers": -1}, "freeze_layers is -1; it must be 0 or a number of layers"),
        ("bert", {"freeze_layers": True}, "freeze_layers is True; it must be 0 or a number of layers"),
        ("bert", {"freeze_layers": 2, "reinit_layers": 1}, "frozen ones would stay random. Give at most 2 together"),
        ("bert", {"reinit_layers": 1, "lora": {}}, "with model.network.lora those layers would stay random"),
        (
            "bert",
            {"lora": {"targets": ["q_proj"]}},
            "has 'q_proj', but the matrices of BertModel are: dense, key",
        ),
        ("bert", {"lora": {"rank": 0}}, "model.network.lora.rank is 0; expected `int` >= 1"),
        ("bert", {"lora": {"size": 4}}, "Its keys are: rank, alpha, dropout, targets"),
        ("bert", {"lora": True}, "model.network.lora is True; it must be null or options"),
        ("albert", {"freeze_layers": 1}, "but AlbertModel has no list of layers with weights of its own"),
        ("mpnet", {"gradient_checkpointing": True}, "gradient_checkpointing is true, but MPNetModel does not support"),
    ],
)
def test_value_that_does_not_apply_is_refused(family: str, options: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=sentence.replace(".", r"\.")):
        an_encoder(tmp_path, family, **options)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (
            lambda network: adamw(network, lr=1, weight_decay=0, layer_decay=1.1),
            "layer_decay is 1.1; it must be above",
        ),
        (lambda network: adamw(network, lr=1, weight_decay=0, layer_decay=0), "layer_decay is 0; it must be above 0"),
        (lambda network: adamw(torch.nn.Linear(1, 1), lr=1, weight_decay=0, layer_decay=0.9), "Linear has no list of"),
    ],
)
def test_rate_by_layer_needs_layers_and_a_share(
    build: Callable[[PreTrainedModel], object], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(BadConfig, match=sentence):
        build(an_encoder(tmp_path, "bert"))


def test_adapters_are_no_part_of_a_folder_of_transformers(tmp_path: Path) -> None:
    network = an_encoder(tmp_path, "bert", lora={"rank": 2}).eval()
    expected = network(**INPUTS).logits
    lora.merged(network).save_pretrained(tmp_path / "saved")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").eval()
    assert torch.allclose(again(**INPUTS).logits, expected, atol=1e-6)
