"""Read the files of the tracker mhc_v1: log, registry, consolidation log, experiment folders. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mhc.migrate.source import Content, Description, Problem, SourceItem, json_lines, json_object

TRACKER = "mhc_v1"

_ID_KEYS = ("experiment_id", "original_experiment")
_REGISTRY_SECTIONS = ("production_models", "archived_models", "debug_models", "active_experiments")
_FROM_KEYS = ("from", "source", "original_path", "original_location", "experiment", "experiment_name", "name")
_TO_KEYS = ("to", "destination", "new_path")


def read_log(data: bytes, source: str) -> Iterator[SourceItem]:
    """Read `experiments_log.jsonl`: one experiment per line, in any of its three key layouts."""
    for entry in json_lines(data, source):
        if isinstance(entry, Problem):
            yield entry
            continue
        line, content = entry
        yield _description(content, content.get("experiment_id"), source=source, place="log", line=line)


def read_registry(data: bytes, source: str) -> Iterator[SourceItem]:
    """Read `models_registry_consolidated.json`: one description per entry of the sections with experiments."""
    registry, problems = json_object(data, source)
    yield from problems
    for section in _REGISTRY_SECTIONS:
        yield from _section(registry.get(section), source, section, data)
    archived = registry.get("archived_experiments")
    for place, entries in archived.items() if isinstance(archived, dict) else ():
        yield from _section(entries, source, f"archived_experiments.{place}", data)
    for place in (
        "archive_debug",
        "archive_baseline",
        "archived",
    ):  # sections of a truncated registry, without their parent
        yield from _section(registry.get(place), source, f"archived_experiments.{place}", data)


def read_consolidation(data: bytes, source: str) -> Iterator[SourceItem]:
    """Read `experiment_consolidation_log.json`: the moves, pending ones included; each names one experiment."""
    log, problems = json_object(data, source)
    yield from problems
    yield from _moves(log, source, "")


def read_metadata(data: bytes, source: str) -> Iterator[SourceItem]:
    """Read the `metadata.json` of an experiment folder."""
    content, problems = json_object(data, source)
    yield from problems
    if not content and problems:
        return
    key = content.get("experiment_id")
    if key is None and not problems:
        yield Problem(source=source, why="it names no experiment_id: not a file of the old tracker; not imported")
        return
    key = key if key is not None else PurePosixPath(source).parent.name
    yield _description(content, key, source=source, place="folder")


READERS: dict[str, Callable[[bytes, str], Iterator[SourceItem]]] = {
    "experiments_log.jsonl": read_log,
    "models_registry_consolidated.json": read_registry,
    "experiment_consolidation_log.json": read_consolidation,
    "metadata.json": read_metadata,
}
"""Readers by file name."""


def _section(entries: Any, source: str, place: str, data: bytes) -> Iterator[SourceItem]:
    if entries is None:
        return
    if not isinstance(entries, dict):
        yield Problem(source=source, line=_line_of(place, data), why=f"{place} is no JSON object; not imported")
        return
    for name, content in entries.items():
        line = _line_of(name, data)
        if not isinstance(content, dict):
            why = f"{place}.{name} is no JSON object; not imported"
            yield Problem(source=source, line=line, why=why)
            continue
        key = next((content[k] for k in _ID_KEYS if k in content), name)
        description = {"entry": name, **content} if key != name else content
        yield _description(description, key, source=source, place=place, line=line)


def _moves(node: Any, source: str, place: str) -> Iterator[SourceItem]:
    """Yield every move below `node`: a name in a list `to_<archive>`, or an object with source and destination."""
    if isinstance(node, dict) and (key := _moved_experiment(node)) is not None:
        yield _description(node, key, source=source, place=place)
    elif isinstance(node, dict):
        for name, child in node.items():
            yield from _moves(child, source, f"{place}.{name}" if place else name)
    elif isinstance(node, list) and place.rpartition(".")[2] != "archive_errors":
        for item in node:
            if isinstance(item, str) and place.rpartition(".")[2].startswith("to_"):
                yield _description({"experiment_id": item}, item, source=source, place=place)
            elif isinstance(item, dict):
                yield from _moves(item, source, place)


def _moved_experiment(node: Content) -> str | None:
    """Return the experiment of a move: its id, or the last part of its source path."""
    for key in _ID_KEYS:
        if isinstance(node.get(key), str):
            return str(node[key])
    if not any(isinstance(node.get(key), str) for key in _TO_KEYS):
        return None
    origin = next((node[key] for key in _FROM_KEYS if isinstance(node.get(key), str)), None)
    return PurePosixPath(origin).name if origin else None


def _description(content: Content, key: Any, *, source: str, place: str, line: int | None = None) -> SourceItem:
    if not isinstance(key, str) or not key.strip():
        return Problem(source=source, line=line, why="it names no experiment_id; not imported")
    return Description(key=key, tracker=TRACKER, source=source, place=place, content=content, line=line)


def _line_of(name: str, data: bytes) -> int | None:
    """Return the line on which an entry of a registry begins; None if its name is written with escapes."""
    position = data.find(b'"' + name.rpartition(".")[2].encode() + b'"')
    return data.count(b"\n", 0, position) + 1 if position >= 0 else None


def reader_for(path: Path) -> Callable[[bytes, str], Iterator[SourceItem]] | None:
    """Return the reader for a file by its name, or None; the name of a log or registry may have a prefix."""
    if path.name in READERS:
        return READERS[path.name]
    return next((read for name, read in READERS.items() if name != "metadata.json" and path.name.endswith(name)), None)
