"""Full-text search in the names, descriptions, tags, notes and configs of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mhc.index.index import Index
from mhc.index.labels import shown
from mhc.index.records import section_ids, sections_by_id
from mhc.index.rows import Row
from mhc.record import flatten


class Hit(NamedTuple):
    """A run that contains all the words."""

    row: Row
    lines: list[str]
    """A line for each word, in lower case; the id only if no other line contains the word."""


def search(index: Index, words: Sequence[str], limit: int = 0) -> list[Hit]:
    """Return runs that contain every word (case-insensitive), newest first; at most `limit` of them (0: all)."""
    words = [word.lower() for word in words]
    rows, texts = index.readable(), index.record_texts()
    ids = section_ids(index, [row.path for row in rows])
    sections = _section_texts(index, {section for config in ids.values() for section in config.values()})
    hits: list[Hit] = []
    for row in rows:
        parts = [texts.get(row.path, ""), *(sections.get(section, "") for section in ids.get(row.path, {}).values())]
        if all(any(word in part for part in parts) for word in words):
            hits.append(Hit(row, list(dict.fromkeys(_line_with(word, "\n".join(parts)) for word in words))))
            if len(hits) == limit:
                break
    return hits


def _section_texts(index: Index, ids: set[int]) -> dict[int, str]:
    """Return sections of configs in lower case, one value per line: `model.optimizer.lr: 0.003`."""
    sections = sections_by_id(index, ids)
    return {section: "\n".join(_lines(name, value)).lower() for section, name, value in sections}


def _lines(name: str, value: object) -> Iterator[str]:
    values = flatten({name: value}) if isinstance(value, Mapping) else {name: value}
    yield from (f"{key}: {shown(inner)}" for key, inner in values.items())


def _line_with(word: str, text: str) -> str:
    run_id, *lines = text.split("\n")
    return next((line.strip() for line in [*lines, run_id] if word in line), "")
