"""Tokenizers: trained, pretrained and n-grams."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from mhc.data import pretrained, tokenizer
from mhc.data.ngrams import NgramTokenizer
from mhc.data.options import Tokenizing
from mhc.data.tokenizer import Encoder
from mhc.errors import BadConfig, NotFound, Unreadable

TEXTS = [f"the {animal} sleeps and the {other} runs" for animal in ("cat", "dog", "cow") for other in ("hen", "fox")]


def options_of(kind: str, **changes: object) -> Tokenizing:
    values = {"vocab_size": 400, "max_tokens": 12, "min_frequency": 1, **changes}
    return Tokenizing(kind=kind, **values)  # type: ignore[arg-type]


def make_encoder(cache: Path, kind: str, **changes: object) -> Encoder:
    options = options_of(kind, **changes)
    return Encoder(tokenizer.ensure(options, TEXTS, "abc", cache), options.max_tokens)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_trained_tokenizer_gives_the_ids_of_transformers(tmp_path: Path, kind: str) -> None:
    encoder = make_encoder(tmp_path, kind)
    encoded = encoder(TEXTS)
    reference = tokenizer.load(encoder.folder)
    expected = reference(TEXTS, truncation=True, max_length=12)["input_ids"]  # type: ignore[operator]
    assert [ids.tolist() for ids in np.split(encoded.ids, np.cumsum(encoded.lengths)[:-1])] == expected
    assert (len(reference), reference.pad_token_id) == (encoder.vocab_size, encoder.pad_id)
    assert encoded.truncated == 0


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "ngrams"])
def test_training_a_tokenizer_twice_gives_the_same_ids(tmp_path: Path, kind: str) -> None:
    first, second = make_encoder(tmp_path / "a", kind)(TEXTS), make_encoder(tmp_path / "b", kind)(TEXTS)
    assert np.array_equal(first.ids, second.ids)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "ngrams"])
def test_only_texts_above_the_limit_are_cut_and_counted(tmp_path: Path, kind: str) -> None:
    encoder = make_encoder(tmp_path, kind, ngrams=1)
    borders = 0 if kind == "ngrams" else 2
    encoded = encoder([" ".join(["the"] * words) for words in (1, 12 - borders, 13 - borders, 5000)])
    assert encoded.lengths.tolist() == [1 + borders, 12, 12, 12]
    assert encoded.truncated == 2


def test_cut_text_has_its_border_tokens(tmp_path: Path) -> None:
    encoder = make_encoder(tmp_path, "wordpiece")
    ids = encoder(["cat " * 100]).ids
    pieces = Tokenizer.from_file(str(encoder.folder / "tokenizer.json"))
    assert (ids[0], ids[-1]) == (pieces.token_to_id("[CLS]"), pieces.token_to_id("[SEP]"))


def test_empty_list_of_texts_gives_no_ids(tmp_path: Path) -> None:
    for kind in ("wordpiece", "ngrams"):
        encoded = make_encoder(tmp_path, kind)([])
        assert (len(encoded.ids), len(encoded.lengths)) == (0, 0)


def test_words_that_train_never_had_are_not_lost(tmp_path: Path) -> None:
    encoder = make_encoder(tmp_path, "wordpiece")
    assert encoder(["Ω"]).lengths.tolist() == [3]
    assert make_encoder(tmp_path, "bpe")(["Ω"]).lengths.tolist()[0] > 3


def test_pretrained_tokenizer_is_loaded_from_its_folder(tmp_path: Path) -> None:
    trained = make_encoder(tmp_path, "wordpiece")
    loaded = make_encoder(tmp_path / "other", "pretrained", name=str(trained.folder))
    assert np.array_equal(loaded(TEXTS).ids, trained(TEXTS).ids)
    assert (loaded.pad_id, loaded.vocab_size) == (trained.pad_id, trained.vocab_size)


def test_key_depends_on_texts_and_options_of_training(tmp_path: Path) -> None:
    options = options_of("wordpiece")
    keys = {
        tokenizer.key(options, "abc"),
        tokenizer.key(options, "abc"),
        tokenizer.key(options, "other texts"),
        tokenizer.key(options_of("wordpiece", lowercase=False), "abc"),
    }
    assert len(keys) == 3
    assert tokenizer.key(options_of("ngrams"), "abc") == tokenizer.key(options_of("ngrams"), "other texts")


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "ngrams"])
def test_missing_vocabulary_size_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(BadConfig, match=r"model\.tokenizer\.vocab_size is None"):
        make_encoder(tmp_path, kind, vocab_size=None)


def test_pretrained_tokenizer_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"model\.tokenizer\.name is missing"):
        make_encoder(tmp_path, "pretrained")


def test_missing_pretrained_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Unreadable, match="cannot be read"):
        make_encoder(tmp_path, "pretrained", name=str(tmp_path / "empty"))
    with pytest.raises(NotFound, match="There is no pretrained tokenizer '/nowhere': no folder, nor one of the hub"):
        make_encoder(tmp_path, "pretrained", name="/nowhere")


@pytest.mark.parametrize("name", ["/nowhere/at/all", "nobody/has-such-a-model"])
def test_absent_pretrained_tokenizer_is_called_absent(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound, match=r"no folder, nor one of the hub\. .* model\.network\.name=/path/to/folder"):
        make_encoder(tmp_path, "pretrained", name=name, offline=True)


def test_offline_tokenizer_is_that_of_the_revision(tmp_path: Path) -> None:
    """The program has the cache of a hub, and no connection; telemetry has one of its own."""
    trained = make_encoder(tmp_path, "wordpiece").folder
    cached = tmp_path / "hub/models--ana--encoder"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs/v1").write_text("a" * 40)
    snapshot = Path(shutil.copytree(trained, cached / "snapshots" / ("a" * 40)))
    (snapshot / "config.json").write_text('{"model_type": "bert"}')
    program = """
import socket
from mhc.data import pretrained
from mhc.data.options import Tokenizing
def connect(*_): raise SystemExit("a connection was opened")
socket.getaddrinfo = socket.socket.connect = connect
options = Tokenizing(kind="pretrained", name="ana/encoder", revision="v1", offline=True, max_tokens=12)
print(len(pretrained.tokenizer(options)))
"""
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
        timeout=240,
    )
    assert (done.stdout.strip(), done.returncode) == (str(Encoder(trained, 12).vocab_size), 0), done.stderr


def test_key_depends_on_the_revision_if_one_is_given() -> None:
    names = {"name": "ana/encoder"}
    keys = [tokenizer.key(options_of("pretrained", **names, revision=each), "") for each in (None, "v1", "v2")]
    assert len(set(keys)) == 3
    assert tokenizer.key(options_of("pretrained", **names, offline=True), "") == keys[0]


def test_damaged_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(Unreadable, match=r"tokenizer\.json cannot be read"):
        Encoder(tmp_path, 12)
    (tmp_path / "ngrams.json").write_text('{"buckets": 5}', encoding="utf-8")
    with pytest.raises(Unreadable, match=r"ngrams\.json cannot be read"):
        NgramTokenizer.from_pretrained(tmp_path)


def test_code_of_a_tokenizer_is_neither_asked_for_nor_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer `y` waits on standard input."""
    (tmp_path / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "code.Own"}}')
    values = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["code.Own", "code.Own"]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(values))
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own:\n    pass\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(BadConfig, match=r"needs code of its own \(auto_map\), which was not run"):
        pretrained.tokenizer(Tokenizing(kind="pretrained", name=str(tmp_path), max_tokens=16))
    assert not (tmp_path / "ran").exists()
