"""Find words in the names, descriptions, tags, notes and configs of runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mhc.index.index import Index
from mhc.index.rows import Row

CONFIG = ".hydra/config.yaml"
LONGEST_CONFIG = 200_000
"""Bytes of a config that are looked through."""


class Hit(NamedTuple):
    """A run that has all the words."""

    row: Row
    lines: list[str]
    """A line for each word, in lower case; the id only where nothing else has the word."""


def search(index: Index, words: Sequence[str], limit: int) -> list[Hit]:
    """Runs that have every word somewhere (upper and lower case are the same), newest first."""
    wanted = [word.lower() for word in words]
    texts = _texts(index)
    hits = []
    for row in index.rows("error = ''"):
        text = texts.get(row.path, "")
        if all(word in text for word in wanted):
            hits.append(Hit(row, list(dict.fromkeys(_line_with(word, text) for word in wanted))))
            if len(hits) == limit:
                break
    return hits


def _texts(index: Index) -> dict[str, str]:
    """What is looked through of each run. Configs never change, so each is read once and kept in the index."""
    known = {str(path): str(words) for path, words in index.query("SELECT path, words FROM configs")}
    records = {str(path): str(words) for path, words in index.query("SELECT path, words FROM records")}
    read = {path: words for path in records if path not in known for words in _config_words(index.folder(path))}
    if read:
        index.keep_config_words(read.items())
    configs = known | read
    return {path: f"{words}\n{configs.get(path, '')}" for path, words in records.items()}


def _config_words(folder: Path) -> Iterator[str]:
    """The config's text; nothing where there is none."""
    try:
        with (folder / CONFIG).open("rb") as file:
            yield file.read(LONGEST_CONFIG).decode("utf-8", "replace").lower()
    except OSError:
        return


def _line_with(word: str, text: str) -> str:
    first, *rest = text.split("\n")
    return next((line.strip() for line in [*rest, first] if word in line), "")
