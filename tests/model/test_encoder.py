from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, BertConfig, BertModel, PreTrainedModel

from mhc.errors import BadConfig, NotFound, Unreadable
from mhc.model.encoder import from_config, pretrained

LABELS = ["calm", "tired"]
ROOT = Path(__file__).resolve().parents[2]
IDS = torch.tensor([[2, 9, 8, 7, 3], [2, 5, 3, 0, 0]])
MASK = (IDS != 0).long()


def small(architecture: str = "bert", **changes: object) -> PreTrainedModel:
    values = {"layers": 2, "width": 32, "heads": 4, "max_tokens": 16, "dropout": 0.1} | changes
    torch.manual_seed(3)
    return from_config(2, 50, 0, LABELS, architecture=architecture, **values)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an encoder without a classification head, as sentence encoders are published."""
    config = BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    BertModel(config).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("architecture", ["bert", "electra", "roberta"])
def test_every_architecture_uses_fused_attention(architecture: str) -> None:
    network = small(architecture).eval()
    assert network.config._attn_implementation == "sdpa"
    assert network(input_ids=IDS, attention_mask=MASK).logits.shape == (2, 2)


@pytest.mark.parametrize("architecture", ["bert", "electra", "roberta"])
def test_text_of_max_tokens_fits(architecture: str) -> None:
    longest = torch.full((1, 16), 7)
    assert small(architecture).eval()(input_ids=longest, attention_mask=torch.ones_like(longest)).logits.shape == (1, 2)


def test_padding_does_not_change_the_logits() -> None:
    network = small().eval()
    alone = network(input_ids=IDS[1:, :3], attention_mask=MASK[1:, :3]).logits
    assert torch.allclose(network(input_ids=IDS, attention_mask=MASK).logits[1:], alone, atol=1e-6)


def test_only_hidden_layers_have_dropout() -> None:
    config = small(dropout=0.2).config
    assert (config.attention_probs_dropout_prob, config.hidden_dropout_prob) == (0.0, 0.2)


def test_saved_folder_can_be_read_by_transformers(tmp_path: Path) -> None:
    network = small().eval()
    network.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path, local_files_only=True).eval()
    assert again.config.id2label == {0: "calm", 1: "tired"}
    expected = network(input_ids=IDS, attention_mask=MASK).logits
    assert torch.equal(again(input_ids=IDS, attention_mask=MASK).logits, expected)


def test_pretrained_is_ready_to_train_with_dropout(folder: Path) -> None:
    network = pretrained(2, 50, 0, LABELS, name=str(folder), dropout=0.3)
    assert all(module.training for module in network.modules())


def test_pretrained_loads_the_weights_and_adds_a_new_head(folder: Path) -> None:
    network = pretrained(2, 50, 0, LABELS, name=str(folder), dropout=0.1)
    body = BertModel.from_pretrained(folder)
    assert torch.equal(network.bert.encoder.layer[0].output.dense.weight, body.encoder.layer[0].output.dense.weight)
    assert network.config.id2label == {0: "calm", 1: "tired"}
    assert network.config._attn_implementation == "sdpa"
    assert network.config.attention_probs_dropout_prob == 0.0
    assert network.classifier.weight.shape == (2, 32)


@pytest.mark.parametrize("name", ["/nowhere/at/all", "nobody/has-such-a-model"])
def test_missing_model_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        NotFound, match=r"no folder, nor one of the hub\. Give the hub name .* or the folder that contains it"
    ):
        pretrained(2, 50, 0, LABELS, name=name, dropout=0.1, offline=True)


def test_tilde_in_a_name_is_a_letter(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.chdir(tmp_path)
    name = f"~/{folder.name}"
    with pytest.raises(NotFound, match="no folder, nor one of the hub"):
        pretrained(2, 50, 0, LABELS, name=name, dropout=0.1, offline=True)
    (tmp_path / "~").symlink_to(folder.parent)
    assert pretrained(2, 50, 0, LABELS, name=name, dropout=0.1, offline=True).num_labels == 2


def test_folder_of_an_unknown_model_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no_such_type"}')
    with pytest.raises(Unreadable, match="cannot be read"):
        pretrained(2, 50, 0, LABELS, name=str(tmp_path), dropout=0.1)


def test_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(Unreadable, match=r"has no weights \(model\.safetensors\)\. Give the hub name"):
        pretrained(2, 50, 0, LABELS, name=str(folder), dropout=0.1)


def test_damaged_weights_are_refused(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(Unreadable, match="cannot be read"):
        pretrained(2, 50, 0, LABELS, name=str(folder), dropout=0.1)


def test_tokenizer_larger_than_the_model_is_refused(folder: Path) -> None:
    with pytest.raises(BadConfig, match=r"has 50 word pieces|with 50 word pieces, but its tokenizer has 60"):
        pretrained(2, 60, 0, LABELS, name=str(folder), dropout=0.1)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: small(width=30), "model.network.width is 30; it must be a multiple of model.network.heads, 4"),
        (lambda: from_config(3, 50, 0, LABELS, layers=1, width=4, heads=1, max_tokens=8, dropout=0), "3 classes"),
        (lambda: small("deberta-v2"), "model.network.architecture is 'deberta-v2'"),
    ],
)
def test_error_names_the_key_of_an_invalid_value(build: Callable[[], object], sentence: str) -> None:
    with pytest.raises(BadConfig, match=sentence):
        build()


def with_code(folder: Path) -> Path:
    """Make the folder one that brings code along, which writes a file when it runs."""
    config = json.loads((folder / "config.json").read_bytes())
    classes = {"AutoConfig": "code.Own", "AutoModelForSequenceClassification": "code.OwnModel"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": classes}))
    (folder / "code.py").write_text(
        "from pathlib import Path\n"
        "from transformers import BertConfig, BertForSequenceClassification\n"
        f"Path({str(folder / 'ran')!r}).write_text('')\n"
        "class Own(BertConfig):\n    model_type = 'own'\n"
        "class OwnModel(BertForSequenceClassification):\n    config_class = Own\n"
    )
    return folder


def loading_with_an_answer(folder: Path, answer: str, arguments: str) -> subprocess.CompletedProcess[str]:
    """Load the model in another process, whose standard input answers a question."""
    code = (
        "from mhc.errors import MhcError\nfrom mhc.model.encoder import pretrained\n"
        f"try: print(type(pretrained(2, 50, 0, ['calm', 'tired'], name={str(folder)!r}, dropout=0.0{arguments})))\n"
        "except MhcError as error: print(error)"
    )
    environment = os.environ | {"HF_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code], input=answer, capture_output=True, text=True, env=environment, timeout=120
    )


def test_code_of_a_model_is_neither_asked_for_nor_run(folder: Path) -> None:
    done = loading_with_an_answer(with_code(folder), "y\n", "")
    assert "needs code of its own (auto_map), which was not run" in done.stdout
    assert "y/N" not in done.stdout + done.stderr
    assert not (folder / "ran").exists()


def test_code_of_a_model_runs_if_it_is_trusted(folder: Path) -> None:
    done = loading_with_an_answer(with_code(folder), "", ", trust_remote_code=True")
    assert "OwnModel" in done.stdout, done.stderr
    assert (folder / "ran").exists()


def test_trust_is_a_truth_value() -> None:
    with pytest.raises(BadConfig, match="trust_remote_code is 'no'; it must be true or false"):
        pretrained(2, 50, 0, LABELS, name="x", dropout=0.0, trust_remote_code="no")  # type: ignore[arg-type]
