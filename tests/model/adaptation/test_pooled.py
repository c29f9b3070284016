"""Encoders with a head of ours on the pooled last layer: in every family, in a bundle, by the fast forward."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import pipeline

from mhc.data import tokenizer
from mhc.data.options import Tokenizing
from mhc.errors import BadConfig
from mhc.model import encoder
from mhc.model.adaptation.pooled import PooledEncoder, from_values, save_config
from mhc.model.calibration import apply_temperature
from mhc.model.fast_bert import encoder as fast
from mhc.model.weights import Loaded
from mhc.production import bundle, export
from mhc.production.encoders import encoder_bundle
from mhc.production.loading import from_bundle
from mhc.runs.checkpoints import sha256
from tests.support.encoder_families import DECODERS, FAMILIES, WORDS, write_family
from tests.support.learning import LABELS, Data, a_classifier, a_trainer

TEXTS = [" ".join(WORDS[start:]) for start in range(8)] + ["river\u200b  stone", " ".join(WORDS * 3)]
ALONE = """
import json, sys
for module in ("mhc", "pytorch_lightning", "peft"):
    sys.modules[module] = None
sys.path.insert(0, sys.argv[1])
from load import Model
model = Model(sys.argv[1])
print(json.dumps([model.labels, model.probabilities(json.load(sys.stdin)).tolist()]))
"""


def a_pooled(folder: Path, family: str, pooling: str, dropout: float = 0.0) -> PooledEncoder:
    torch.manual_seed(0)
    source = folder if folder.exists() else write_family(folder, family)
    network = encoder.pretrained(3, 60, 0, LABELS, name=str(source), dropout=dropout, pooling=pooling)
    assert isinstance(network, PooledEncoder)
    return network


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_pooled_over_its_real_tokens(family: str, tmp_path: Path) -> None:
    batch = next(iter(Data().val_dataloader()))
    for pooling in ("mean", "max", *(["cls"] if family not in DECODERS else [])):
        network = a_pooled(tmp_path / family, family, pooling).train()
        logits = network(batch["input_ids"], batch["attention_mask"])
        logits.sum().backward()
        assert logits.shape == (8, 3)
        assert [name for name, weights in network.named_parameters() if weights.grad is None] == []
        length = int(batch["attention_mask"][0].sum())
        alone = network.eval()(batch["input_ids"][:1, :length])
        assert torch.allclose(network(batch["input_ids"], batch["attention_mask"])[:1], alone, atol=1e-5) or (
            family == "fnet"  # its Fourier transform reads the padding
        )


@pytest.mark.parametrize("family", DECODERS)
def test_first_token_of_a_decoder_is_refused(family: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"pooling is cls, but the first token of .* reads no other token"):
        a_pooled(tmp_path / family, family, "cls")


def test_unknown_pooling_is_refused() -> None:
    with pytest.raises(BadConfig, match="pooling is 'median'; it must be one of own, mean, cls, max"):
        encoder.pretrained(3, 60, 0, LABELS, name="x", dropout=0.0, pooling="median")


def a_trained_bundle(tmp_path: Path, family: str, pooling: str) -> tuple[Loaded, Path]:
    """Train a pooled encoder for an epoch; return it and its sealed bundle, at temperature 2.5."""
    source = write_family(tmp_path / "source", family)
    model = a_classifier(network=partial(encoder.pretrained, name=str(source), dropout=0.1, pooling=pooling))
    a_trainer(tmp_path, max_epochs=1).fit(model, datamodule=Data())
    network = model.network.eval()
    for parameter in network.parameters():  # so that no class is as probable as another
        parameter.data.mul_(2)
    tokenizer.build(Tokenizing(kind="pretrained", name=str(source), max_tokens=16), [], tmp_path / "tokenizer")
    trained = Loaded(network=network, tokenizer_folder=tmp_path / "tokenizer", labels=LABELS, max_tokens=16)
    folder = tmp_path / "bundle"
    folder.mkdir()
    export.write(trained, folder, 2.5)
    bundle.seal(folder)
    return trained, folder


@pytest.mark.parametrize(("family", "pooling"), [("bert", "mean"), ("deberta-v2", "cls"), ("qwen2", "max")])
def test_pooled_bundle_is_the_same_model_by_its_script(family: str, pooling: str, tmp_path: Path) -> None:
    trained, folder = a_trained_bundle(tmp_path, family, pooling)
    assert bundle.hazards(folder) == []
    clean = [" ".join(text.replace("\u200b", "").split()) for text in TEXTS]
    raw = export.score_network(trained, clean)
    expected = apply_temperature(raw, 2.5)
    assert np.abs(raw - expected).max() > 1e-3, "the temperature matters"
    score, by = export.scorer_of(trained)
    assert by == "its load.py alone"
    assert np.abs(score(folder, TEXTS, 16) - expected).max() < 1e-5
    loaded = from_bundle(folder)
    assert np.abs(export.score_network(loaded, clean) - expected).max() < 1e-5
    assert (loaded.labels, loaded.max_tokens, loaded.temperature) == (LABELS, 16, 1.0)
    with pytest.raises(ValueError, match="mhc_pooled"):
        pipeline("text-classification", model=str(folder))


def test_script_of_a_pooled_bundle_needs_no_mhc(tmp_path: Path) -> None:
    trained, folder = a_trained_bundle(tmp_path, "bert", "mean")
    command = [sys.executable, "-I", "-c", ALONE, str(folder)]
    done = subprocess.run(command, input=json.dumps(TEXTS), capture_output=True, text=True, check=True, cwd=tmp_path)
    labels, probabilities = json.loads(done.stdout)
    assert labels == LABELS
    assert np.abs(np.array(probabilities) - export.scorer_of(trained)[0](folder, TEXTS, 16)).max() < 1e-6


def test_script_of_encoders_is_known_to_this_version() -> None:
    digest = sha256(encoder_bundle.SCRIPT)
    assert digest in bundle.LOAD_SCRIPTS, f"add {digest} to LOAD_SCRIPTS, and leave those of earlier versions"


@pytest.mark.parametrize("family", FAMILIES)
def test_pooled_encoder_is_built_from_its_config(family: str, tmp_path: Path) -> None:
    network = a_pooled(tmp_path / "source", family, "mean").eval()
    save_config(network, tmp_path / "network")
    again = from_values(json.loads((tmp_path / "network" / "config.json").read_bytes())).eval()
    again.load_state_dict(network.state_dict())
    ids = torch.randint(5, 50, (2, 9))
    assert torch.allclose(again(ids), network(ids), atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_fast_forward_is_that_of_transformers(pooling: str, tmp_path: Path) -> None:
    theirs = a_pooled(tmp_path / "bert", "bert", pooling).train()
    ours = copy.deepcopy(theirs)
    assert fast.is_supported(ours)
    mask = (torch.arange(24) < torch.tensor([24, 3, 1, 17])[:, None]).long()
    ids, labels = torch.randint(5, 50, (4, 24)) * mask, torch.tensor([0, 1, 2, 1])
    expected, logits = theirs(ids, mask), fast.logits(ours, ids, mask)
    assert torch.allclose(logits, expected, atol=1e-5)
    functional.cross_entropy(expected, labels).backward()
    functional.cross_entropy(logits, labels).backward()
    gradients = dict(ours.named_parameters())
    for name, weights in theirs.named_parameters():
        assert torch.allclose(gradients[name].grad, weights.grad, atol=1e-5), name
