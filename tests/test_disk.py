"""A full or read-only disk is recognised in the errors of every library, and explained with what is free."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from pathlib import Path

import pytest

from mhc import disk
from mhc.errors import BadInput, sentence_of


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), r"is full, \d.* of \d.* are free\. Free some space"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "Your quota on the disk of .* is used up"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), "is read-only. Choose another folder"),
        (Exception("No space left on device (os error 28)"), "is full"),
        (RuntimeError("cannot write: Read-only file system (os error 30)"), "is read-only"),
        (sqlite3.OperationalError("database or disk is full"), "is full"),
    ],
    ids=["full", "quota", "read-only", "tokenizers", "rust", "sqlite"],
)
def test_error_of_a_disk_becomes_one_sentence(tmp_path: Path, error: Exception, words: str) -> None:
    sentence = disk.explain(error, tmp_path) or ""
    assert re.search(words, sentence)
    assert str(tmp_path) in sentence
    assert re.search(words, sentence_of(error) or ""), "the general boundary says it, too"


def test_disk_is_found_behind_other_errors(tmp_path: Path) -> None:
    error = ValueError("Unable to configure handler 'file'")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "missing" / "file"))
    assert (disk.explain(error) or "").startswith(f"The disk of {tmp_path} is full")
    assert disk.is_full(error)


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(errno.ENOENT, "x"), ValueError("a post: No space left on device"), BadInput("no column 'text'")],
    ids=["another error of the system", "a text of the data", "a sentence"],
)
def test_other_errors_are_not_those_of_a_disk(error: Exception) -> None:
    assert disk.explain(error) is None
    assert not disk.is_full(error)
