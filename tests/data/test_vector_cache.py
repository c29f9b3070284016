"""Cached vectors: shared by hash of the ids, private, whole or not there."""

from __future__ import annotations

import os
import stat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from mhc.data.embedding import vector_cache
from mhc.data.embedding.vector_cache import VectorCache

LENGTHS = np.array([2, 3, 2, 0])
IDS = np.array([5, 6, 7, 8, 9, 5, 6])
"""The first and the third text are equal, the last one is empty."""


class Counting:
    """Computes two numbers of each text, and counts the texts."""

    def __init__(self) -> None:
        self.texts = 0

    def __call__(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        self.texts += len(lengths)
        parts = np.split(ids, np.cumsum(lengths)[:-1])
        return np.array([[part.sum(), len(part)] for part in parts], np.float32)


EXPECTED = [[11, 2], [24, 3], [11, 2], [0, 0]]


def test_equal_texts_are_computed_once_and_read_later(tmp_path: Path) -> None:
    compute, cache = Counting(), VectorCache(tmp_path / "vectors", 2)
    assert cache.vectors(IDS, LENGTHS, compute).tolist() == EXPECTED
    assert (compute.texts, cache.computed, cache.texts) == (3, 3, 3)
    cache.write()
    later = VectorCache(tmp_path / "vectors", 2)
    assert later.vectors(IDS, LENGTHS, compute).tolist() == EXPECTED
    assert (compute.texts, later.computed, later.texts) == (3, 0, 3)


def test_new_texts_are_added_in_a_file_of_their_own(tmp_path: Path) -> None:
    for row in range(2):
        cache = VectorCache(tmp_path, 2)
        cache.vectors(np.array([row, 2]), np.array([1, 1]), Counting())
        assert cache.computed == 2 - row
        cache.write()
        cache.write()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"x" * 80, None], ids=["empty", "other", "cut"])
def test_damaged_file_is_removed_and_computed_again(tmp_path: Path, damage: bytes | None) -> None:
    cache = VectorCache(tmp_path, 2)
    cache.vectors(IDS, LENGTHS, Counting())
    cache.write()
    [path] = tmp_path.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-4] if damage is None else damage)
    again = VectorCache(tmp_path, 2)
    assert again.vectors(IDS, LENGTHS, Counting()).tolist() == EXPECTED
    assert again.computed == 3
    assert not path.exists()


def test_file_of_another_width_is_not_read(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, 2)
    cache.vectors(IDS, LENGTHS, Counting())
    cache.write()
    assert vector_cache.read_all(tmp_path, 3) == {}


def test_folder_and_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        cache = VectorCache(tmp_path / "a" / "b", 2)
        cache.vectors(IDS, LENGTHS, Counting())
        cache.write()
    finally:
        os.umask(before)
    [path] = (tmp_path / "a" / "b").iterdir()
    modes = [stat.S_IMODE(place.stat().st_mode) for place in (tmp_path / "a", tmp_path / "a" / "b", path)]
    assert modes == [0o700, 0o700, 0o600]


def test_many_vectors_are_written_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_cache, "CHUNK", 2)
    cache = VectorCache(tmp_path, 2)
    cache.vectors(np.arange(5), np.ones(5, np.int64), Counting())
    assert len(vector_cache.read_all(tmp_path, 2)) == 4


def test_folder_that_cannot_be_written_costs_only_the_cache(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    cache = VectorCache(tmp_path / "file" / "vectors", 2)
    assert cache.vectors(IDS, LENGTHS, Counting()).tolist() == EXPECTED
    cache.write()
    assert "The vectors of 3 texts are not cached: Not a directory" in caplog.text


def fill(folder: Path, first: int) -> None:
    cache = VectorCache(folder, 2)
    cache.vectors(np.arange(first, first + 50), np.ones(50, np.int64), Counting())
    cache.write()


def test_processes_add_to_one_folder_at_once(tmp_path: Path) -> None:
    processes = [get_context("fork").Process(target=fill, args=(tmp_path, first)) for first in (0, 25, 50)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(vector_cache.read_all(tmp_path, 2)) == 100
