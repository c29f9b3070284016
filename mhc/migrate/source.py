"""Descriptions of runs in the files of other trackers, and a JSON reader for damaged files. Changes nothing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

LARGEST_FILE = 64 * 1024 * 1024
"""Bytes; larger files are not files of a tracker."""

Content = dict[str, Any]


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """Description of one experiment at one place of one file."""

    key: str
    """Name of the experiment in its tracker; equal keys are one experiment."""
    tracker: str
    """mhc_v1 or hydra."""
    source: str
    """The file, relative to the path of the import."""
    place: str
    """Place in the file: `log`, `folder`, or the section of the registry."""
    content: Content
    """The whole description, unchanged."""
    line: int | None = None
    stamp: str | None = None
    """Local time in the name of the folder, ISO 8601 without a zone."""
    modified: float = 0.0
    """Modification time of the file in Unix seconds, used if nothing else gives a date."""
    files: dict[str, bytes] = {}
    """Small files to store beside the record, by their name in the folder of the run."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A file, or a part of one, that could not be imported."""

    source: str
    why: str
    line: int | None = None

    def __str__(self) -> str:
        """Return `experiments_log.jsonl:7: the line is no JSON object`."""
        return f"{self.source}{f':{self.line}' if self.line else ''}: {self.why}"


SourceItem = Description | Problem


def read_bytes(path: Path, root: Path, source: str) -> bytes | Problem:
    """Return the bytes of a file inside `root`; a link to a file outside, or a too large file, is a problem."""
    try:
        if not path.resolve().is_relative_to(root.resolve()):
            return Problem(source=source, why="it is a link to a file outside the source; not followed")
        if not path.is_file():
            return Problem(source=source, why="it is not a regular file")
        if path.stat().st_size > LARGEST_FILE:
            return Problem(
                source=source, why=f"it is larger than {LARGEST_FILE >> 20} MiB, too large for a file of a tracker"
            )
        return path.read_bytes()
    except (OSError, RuntimeError) as error:
        return Problem(source=source, why=f"it cannot be read ({_reason(error)})")


def parse(text: str) -> Any:
    """Return parsed JSON that can be written again: a number that JSON cannot represent (NaN, 1e999) is its text.

    An integer of more than 64 bits (10**30) is its text, too.

    Raises:
        ValueError: if it is not JSON (`json.JSONDecodeError`), or has a lone surrogate (`UnicodeEncodeError`).
        RecursionError: if it is nested too deeply.
    """
    value = json.loads(text, parse_constant=str, parse_float=_float, parse_int=_int)
    json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate cannot be written
    return value


def json_lines(data: bytes, source: str) -> Iterator[tuple[int, Content] | Problem]:
    """Yield the objects of a JSON Lines file with their line numbers, and a problem for each other non-empty line."""
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            value = parse(raw.decode())
        except (ValueError, RecursionError) as error:
            yield Problem(source=source, line=number, why=f"the line is not valid JSON ({_reason(error)})")
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            yield Problem(source=source, line=number, why=f"the line is a JSON {type(value).__name__}, no object")


def json_object(data: bytes, source: str) -> tuple[Content, list[Problem]]:
    """Return the object of a JSON file; for a damaged file, its complete members and the position of the damage."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(source=source, line=line, why="it is not UTF-8 from here; complete parts were imported")
        return _salvage(data.decode(errors="replace")), [problem]
    try:
        value = parse(text)
    except json.JSONDecodeError as error:
        why = f"it is not valid JSON ({error.msg}); complete parts were imported"
        return _salvage(text), [Problem(source=source, line=error.lineno, why=why)]
    except (ValueError, RecursionError) as error:
        return {}, [Problem(source=source, why=f"it cannot be read as JSON ({_reason(error)})")]
    if isinstance(value, dict):
        return value, []
    return {}, [Problem(source=source, why=f"it is a JSON {type(value).__name__}, no object")]


_MEMBER = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:\s*(?=\{)')


def _salvage(text: str) -> Content:
    """Return every member of damaged JSON text that is a complete object, under its section."""
    decoder = json.JSONDecoder(parse_constant=str, parse_float=_float, parse_int=_int)
    sections: Content = {}
    section, position = "", 0
    while member := _MEMBER.search(text, position):
        try:
            value, position = decoder.raw_decode(text, member.end())
        except (ValueError, RecursionError):
            section, position = member[1], member.end()  # damaged inside: its members may be complete
            continue
        if "\ufffd" not in text[member.start() : position]:
            target = sections.setdefault(section, {}) if section else sections
            target[member[1]] = value
    return sections


def _float(text: str) -> float | str:
    return value if math.isfinite(value := float(text)) else text


def _int(text: str) -> int | str:
    return value if len(text) < 20 and -(2**63) <= (value := int(text)) < 2**63 else text


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, column {error.colno}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return "text that is not UTF-8" if isinstance(error, UnicodeError) else type(error).__name__
