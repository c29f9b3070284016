"""Full-text search in the names, descriptions, tags, notes and configs of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mhc.files import open_binary
from mhc.index.index import Index
from mhc.index.rows import Row

CONFIG = ".hydra/config.yaml"
MAX_CONFIG_BYTES = 200_000
"""How much of a config is searched."""


class Hit(NamedTuple):
    """A run that contains all the words."""

    row: Row
    lines: list[str]
    """A line for each word, in lower case; the id only if no other line contains the word."""


def search(index: Index, words: Sequence[str], limit: int = 0) -> list[Hit]:
    """Return runs that contain every word (case-insensitive), newest first; at most `limit` of them (0: all)."""
    words = [word.lower() for word in words]
    texts = _texts(index)
    hits: list[Hit] = []
    for row in index.readable():
        text = texts.get(row.path, "")
        if all(word in text for word in words):
            hits.append(Hit(row, list(dict.fromkeys(_line_with(word, text) for word in words))))
            if len(hits) == limit:
                break
    return hits


def _texts(index: Index) -> dict[str, str]:
    """Return the searched text of each run, by path. Configs never change, so each is read once and then stored."""
    records = index.record_texts()
    configs = index.config_texts()
    unread = {path: _config_text(index.folder(path)) for path in records.keys() - configs.keys()}
    new = {path: text for path, text in unread.items() if text is not None}
    if new:
        index.store_config_texts(new.items())
    configs |= new
    return {path: f"{text}\n{configs.get(path, '')}" for path, text in records.items()}


def _config_text(folder: Path) -> str | None:
    """Return the config of a run in lower case; None if it has none."""
    try:
        with open_binary(folder / CONFIG) as file:
            return file.read(MAX_CONFIG_BYTES).decode("utf-8", "replace").lower()
    except OSError:
        return None


def _line_with(word: str, text: str) -> str:
    run_id, *lines = text.split("\n")
    return next((line.strip() for line in [*lines, run_id] if word in line), "")
