"""Texts of more tokens than the model reads: their ids, their windows, and the batches of these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhc.data import batching, options
from mhc.data.batch_loader import BatchLoader, RankInfo
from mhc.data.ngrams import NgramTokenizer
from mhc.data.options import Batching, LongTexts, Tokenizing
from mhc.data.token_cache import TokenSplit
from mhc.data.tokenizer import Encoder
from mhc.errors import BadConfig
from tests.support.encoder_families import WORDS, write_family

LONGEST = 12
TEXTS = ["river stone", " ".join(WORDS), " ".join(WORDS * 3), "lamp " * 200, " ".join(WORDS[:10])]
HEAD_TAIL = LongTexts(long_texts="head_tail")
WINDOWS = LongTexts(long_texts="windows", window_stride=4, max_windows=5)


@pytest.fixture(scope="module", params=["bert", "qwen2"], ids=["special tokens", "no special tokens"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_family(tmp_path_factory.mktemp("source"), request.param)


def whole(folder: Path, text: str) -> list[int]:
    return Encoder(folder, 10_000)([text]).ids.tolist()


def test_head_and_tail_are_a_quarter_and_the_rest(folder: Path) -> None:
    encoded = Encoder(folder, LONGEST, HEAD_TAIL)(TEXTS)
    parts = np.split(encoded.ids, encoded.lengths.cumsum()[:-1])
    for row, (text, part) in enumerate(zip(TEXTS, parts, strict=True)):
        ids = whole(folder, text)
        assert part.tolist() == (ids if len(ids) <= LONGEST else ids[:3] + ids[-9:])
        assert (row in encoded.cut) == (len(ids) > LONGEST)


def test_tail_of_a_huge_text_is_its_last_words(folder: Path) -> None:
    text = "river " * 500 + "stone " * 500 + "cloud " * 9
    first, last = (whole(folder, word) for word in ("river", "cloud"))
    encoded = Encoder(folder, LONGEST, HEAD_TAIL)([text])
    content = [number for number in encoded.ids.tolist() if number > 4]
    assert set(content) == (set(first) | set(last)) - {2, 3}


def test_windows_overlap_and_cover_a_text(folder: Path) -> None:
    encoded = Encoder(folder, LONGEST, WINDOWS)(TEXTS)
    assert encoded.windows is not None
    special = 2 if whole(folder, "river")[0] == 2 else 0
    parts = iter(np.split(encoded.ids, encoded.lengths.cumsum()[:-1]))
    for row, (text, count) in enumerate(zip(TEXTS, encoded.windows.tolist(), strict=True)):
        own = [next(parts).tolist() for _ in range(count)]
        assert all(len(part) == LONGEST for part in own[:-1])
        content = [part[1:-1] if special else part for part in own]
        joined = content[0] + [number for part in content[1:] for number in part[4:]]
        ids = whole(folder, text)
        assert joined == (ids[1:-1] if special else ids)[: len(joined)]
        assert count <= 5
        assert (row in encoded.cut) == (len(joined) + special < len(ids))
    assert next(parts, None) is None
    assert 3 in encoded.cut


def test_short_texts_are_read_alike(folder: Path) -> None:
    plain = Encoder(folder, LONGEST)(TEXTS[:1])
    for reading in (HEAD_TAIL, WINDOWS):
        encoded = Encoder(folder, LONGEST, reading)(TEXTS[:1])
        assert np.array_equal(encoded.ids, plain.ids)
        assert encoded.cut == frozenset()


def test_stride_has_no_effect_on_texts_that_are_cut(folder: Path) -> None:
    encoded = Encoder(folder, LONGEST, LongTexts(window_stride=5, max_windows=2))(TEXTS)
    assert np.array_equal(encoded.ids, Encoder(folder, LONGEST)(TEXTS).ids)
    assert encoded.windows is None


def test_reading_that_cannot_be_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"model\.window_stride is 12, but a window has 1. tokens\. Give less"):
        Encoder(folder, LONGEST, LongTexts(long_texts="windows", window_stride=12))
    NgramTokenizer(buckets=64, ngrams=2, max_tokens=20, lowercase=True).save_pretrained(tmp_path)
    with pytest.raises(BadConfig, match=r"model\.long_texts is windows, but a bag of n-grams is read whole"):
        Encoder(tmp_path, LONGEST, WINDOWS)
    with pytest.raises(BadConfig, match=r"long_texts is 'middle'; it must be one of cut, head_tail, windows"):
        options.read({"kind": "pretrained", "max_tokens": 8, "long_texts": "middle"}, Tokenizing, "model.tokenizer")


ROWS = st.lists(st.tuples(st.integers(1, 64), st.integers(1, 9)), min_size=1, max_size=120)


@given(ROWS, st.integers(1, 9), st.booleans())
def test_windows_count_as_rows_of_tokens(rows: list[tuple[int, int]], epoch: int, bucketing: bool) -> None:
    lengths = batching.padded(np.array([64 if count > 1 else length for length, count in rows]), 8)
    windows = np.array([count for _, count in rows], np.int64)
    make = batching.by_length if bucketing else batching.mixed
    epochs = [make(lengths, 512, 32, batching.generator(1, number), windows) for number in (0, epoch)]
    for batches in epochs:
        assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(len(rows)))
        for batch in batches if bucketing else []:
            assert len(batch) == 1 or windows[batch].sum() * lengths[batch].max() <= 512
    shapes = [sorted((windows[rows].sum(), lengths[rows].max()) for rows in batches) for batches in epochs]
    assert shapes[0] == shapes[1] or not bucketing
    assert len(epochs[0]) == len(epochs[1])


def a_split(lengths: list[list[int]]) -> TokenSplit:
    flat = np.array([length for own in lengths for length in own], np.int64)
    ids: npt.NDArray[np.uint16] = np.arange(1, flat.sum() + 1, dtype=np.uint16)
    return TokenSplit(
        ids=ids,
        starts=flat.cumsum() - flat,
        lengths=flat,
        labels=np.arange(len(lengths)),
        pad_id=0,
        truncated=0,
        windows=np.array([len(own) for own in lengths], np.int64),
    )


def test_batch_has_all_windows_of_its_texts() -> None:
    split = a_split([[8, 8, 3], [2], [8, 5]])
    values = Batching(tokens=64, eval_tokens=64, max_rows=9, bucketing=True, pad_multiple=8, prefetch=0)
    loader = BatchLoader(split, values, seed=1, train=False, masked=True, rank_info=RankInfo(), pin=False)
    [batch] = list(loader)
    assert batch["rows"].tolist() == batch["labels"].tolist() == [0, 2, 1]
    assert batch["texts"].tolist() == [0, 0, 0, 1, 1, 2]
    assert batch["attention_mask"].sum(1).tolist() == [8, 8, 3, 8, 5, 2]
    assert batch["input_ids"][:, 0].tolist() == [1, 9, 17, 22, 30, 20]
    assert split.windowed == 2
