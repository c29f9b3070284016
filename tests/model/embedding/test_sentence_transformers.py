"""Encoders with settings of sentence-transformers: `model=embedding` gives the vectors that those settings ask for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from mhc.data import tokenizer
from mhc.data.options import Tokenizing
from mhc.data.tokenizer import Encoder
from mhc.errors import BadConfig, Unreadable
from mhc.model.embedding import encoder as encoders
from tests.support.encoder_families import WORDS, write_family
from tests.support.sentence_settings import write_settings

TEXTS = ["river stone cloud", "quiet", "lamp unknown walks", " ".join(WORDS * 3)]
LEGACY = {"pooling_mode_cls_token": False, "pooling_mode_max_tokens": False, "pooling_mode_mean_tokens": False}


def vectors(source: Path, folder: Path, texts: list[str] = TEXTS, max_tokens: int = 64) -> np.ndarray:
    """Return the vectors [texts, width] of texts by the tokenizer and the encoder of `model=embedding`."""
    options = Tokenizing(
        kind="embedding", name=str(source), max_tokens=max_tokens, features=("encoder",), pooling="auto"
    )
    folder.mkdir()
    tokenizer.build(options, [], folder)
    encoded = Encoder(folder, max_tokens)(texts)
    network = encoders.load(str(source), setting="auto", revision=None, offline=True, trust_remote_code=False)
    return network.vectors(encoded.ids - 1, encoded.lengths)


def expected(source: Path, pool: Callable[[Tensor], Tensor], max_tokens: int = 64) -> Tensor:
    """Return the vectors by the formula of a pooling, from the tokens [tokens, width] of one text at a time."""
    split, model = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source).eval()
    rows = []
    for text in TEXTS:
        inputs = split(text, truncation=True, max_length=max_tokens, return_tensors="pt")
        with torch.no_grad():
            rows.append(pool(model(**inputs).last_hidden_state[0]))
    return torch.stack(rows)


def unit(vector: Tensor) -> Tensor:
    return vector / vector.norm()


def by_position(tokens: Tensor) -> Tensor:
    weights = torch.arange(1.0, len(tokens) + 1)
    return (weights[:, None] * tokens).sum(0) / weights.sum()


FORMULAS: dict[str, tuple[dict[str, Any], bool, Callable[[Tensor], Tensor]]] = {
    "mean and Normalize": ({"pooling_mode_mean_tokens": True}, True, lambda tokens: unit(tokens.mean(0))),
    "mean": ({"pooling_mode_mean_tokens": True}, False, lambda tokens: tokens.mean(0)),
    "cls": ({"pooling_mode_cls_token": True}, False, lambda tokens: tokens[0]),
    "max": ({"pooling_mode_max_tokens": True}, False, lambda tokens: tokens.amax(0)),
    "mean_sqrt_len": (
        {"pooling_mode_mean_sqrt_len_tokens": True}, False, lambda tokens: tokens.sum(0) / len(tokens) ** 0.5,
    ),
    "weightedmean": ({"pooling_mode_weightedmean_tokens": True}, False, by_position),
    "lasttoken": ({"pooling_mode_lasttoken": True}, False, lambda tokens: tokens[-1]),
    "cls and mean": (
        {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, True,
        lambda tokens: unit(torch.cat([tokens[0], tokens.mean(0)])),
    ),
    "new format": ({"pooling_mode": "cls"}, True, lambda tokens: unit(tokens[0])),
}  # fmt: skip


@pytest.mark.parametrize(("pooling", "normalise", "formula"), FORMULAS.values(), ids=FORMULAS)
def test_vectors_are_those_of_the_settings_formula(
    pooling: dict[str, Any], *, normalise: bool, formula: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    source = write_settings(write_family(tmp_path / "source", "bert"), LEGACY | pooling, normalise=normalise)
    result = vectors(source, tmp_path / "tokenizer")
    assert np.abs(result - expected(source, formula).numpy()).max() < 1e-5


@pytest.mark.parametrize(
    ("texts", "longest"),
    [
        ({"max_seq_length": 7, "do_lower_case": False}, 7),
        ({"max_seq_length": None}, 64),
        ({"max_seq_length": 500}, 64),
        ({}, 64),
        (None, 64),
    ],
    ids=["shorter", "null", "longer than max_tokens", "empty", "no file"],
)
def test_text_is_cut_where_the_settings_cut_it(texts: dict[str, Any] | None, longest: int, tmp_path: Path) -> None:
    source = write_settings(write_family(tmp_path / "source", "mpnet"), texts=texts)
    result = vectors(source, tmp_path / "tokenizer")
    formula = expected(source, lambda tokens: unit(tokens.mean(0)), longest).numpy()
    assert np.abs(result - formula).max() < 1e-5
    encoder = Encoder(tmp_path / "tokenizer", 64)
    assert encoder.max_tokens == longest
    assert encoder(TEXTS).cut == (frozenset({3}) if longest < 38 else frozenset())


def test_length_of_a_newer_model_is_that_of_its_tokenizer(tmp_path: Path) -> None:
    source = write_settings(write_family(tmp_path / "source", "bert"), texts={})
    path = source / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": 9}))
    formula = expected(source, lambda tokens: unit(tokens.mean(0)), 9).numpy()
    assert np.abs(vectors(source, tmp_path / "tokenizer") - formula).max() < 1e-5


def test_texts_are_in_lower_case_if_the_settings_say_so(tmp_path: Path) -> None:
    source = write_settings(write_family(tmp_path / "source", "bert"), texts={"do_lower_case": True})
    result = vectors(source, tmp_path / "tokenizer", [text.upper() for text in TEXTS])
    formula = expected(source, lambda tokens: unit(tokens.mean(0))).numpy()
    assert np.abs(result - formula).max() < 1e-5


def test_given_pooling_reads_texts_as_long_as_max_tokens(tmp_path: Path) -> None:
    source = write_settings(write_family(tmp_path / "source", "bert"), texts={"max_seq_length": 7})
    options = Tokenizing(kind="embedding", name=str(source), max_tokens=64, features=("encoder",), pooling="mean")
    tokenizer.build(options, [], tmp_path / "tokenizer")
    assert Encoder(tmp_path / "tokenizer", 64)(TEXTS).cut == frozenset()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_vectors_are_those_of_the_library_itself(tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    cases = {
        "bert": ({"pooling_mode_mean_tokens": True}, True, {"max_seq_length": 12, "do_lower_case": False}),
        "mpnet": ({"pooling_mode_cls_token": True}, True, {"max_seq_length": 30, "do_lower_case": True}),
        "roberta": ({"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": True}, False, None),
    }
    for family, (pooling, normalise, texts) in cases.items():
        source = write_settings(
            write_family(tmp_path / family, family), LEGACY | pooling, normalise=normalise, texts=texts
        )
        mixed = [*TEXTS, "RIVER Stone"]
        own = library.SentenceTransformer(str(source), device="cpu").encode(mixed)
        assert np.abs(vectors(source, tmp_path / f"{family} tokenizer", mixed) - own).max() < 1e-5


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unknown part": ({"further": ["Dense"]}, BadConfig, r"have the parts Transformer, Pooling, Dense, Normalize; only "
                     r"Transformer, Pooling and Normalize can be computed here\. Set model\.network\.pooling=mean$"),
    "unknown mode": ({"pooling": {"pooling_mode": "median"}}, BadConfig, r"have the pooling median, which is none of"),
    "unknown switch": (
        {"pooling": {"pooling_mode_median_tokens": True}},
        BadConfig,
        r"have the pooling median_tokens, which is none of",
    ),
    "no config": ({"pooling": None}, BadConfig, r"has no 1_Pooling/config\.json\. Set model\.network\.pooling=mean$"),
    "damaged length": ({"texts": {"max_seq_length": "long"}}, Unreadable, r"sentence_bert_config\.json cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "error", "sentence"), REFUSED.values(), ids=REFUSED)
def test_settings_that_cannot_be_computed_are_one_sentence(
    settings: dict[str, Any], error: type[Exception], sentence: str, tmp_path: Path
) -> None:
    source = write_settings(write_family(tmp_path / "source", "bert"), **settings)
    with pytest.raises(error, match=sentence) as raised:
        vectors(source, tmp_path / "tokenizer")
    assert "\n" not in str(raised.value)
