"""Fingerprints: equal for equal content, independent of order, file name and machine. Pure, but reads files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from mhc.data.cleaning import Rows

SHORT = 20
"""Number of hexadecimal digits of a key that names a folder: 80 bits."""


def of_rows(rows: Rows) -> str:
    """Return the sha256 over the sorted (normalised text, label) pairs, each part preceded by its length."""
    digest = hashlib.sha256()
    for text, label in sorted(zip(rows.texts, rows.labels, strict=True)):
        for part in (text.encode(), label.encode()):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
    return digest.hexdigest()


def of_files(paths: Iterable[Path]) -> str:
    """Return the sha256 over the contents of the files, in this order."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def of_values(values: object) -> str:
    """Return a short key of plain (JSON) values."""
    plain = json.dumps(values, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()[:SHORT]
