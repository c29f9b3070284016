"""What a reader of another tracker's files hands over, and reading JSON that may be torn. Changes nothing on disk."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

LARGEST_FILE = 64 * 1024 * 1024
"""Bytes; a tracking file beyond this is none."""

Content = dict[str, Any]


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What one place of one file says about one experiment."""

    key: str
    """The experiment's name in its tracker; equal keys are one experiment."""
    tracker: str
    """mhc_v1 or hydra."""
    source: str
    """The file, relative to the path given."""
    place: str
    """Where in the file: `log`, `folder`, or the registry's section."""
    content: Content
    """All that stands there, unchanged."""
    line: int | None = None
    stamp: str | None = None
    """The local time in the folder's name, ISO 8601 without a zone."""
    modified: float = 0.0
    """Modification time of the file in Unix seconds: the last resort where nothing else gives a date."""
    files: dict[str, bytes] = {}
    """Small files to keep beside the record, by their name in the run's folder."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A file, or a part of one, that could not be taken."""

    source: str
    why: str
    line: int | None = None

    def __str__(self) -> str:
        """`experiments_log.jsonl:7: the line is no JSON object`."""
        return f"{self.source}{f':{self.line}' if self.line else ''}: {self.why}"


Found = Description | Problem


def read_bytes(path: Path, root: Path, source: str) -> bytes | Problem:
    """The bytes of a file inside `root`; a link that leads out of it, or a giant, is a problem."""
    try:
        if not path.resolve().is_relative_to(root.resolve()):
            return Problem(source=source, why="it is a link that leads out of the folder given; not followed")
        if not path.is_file():
            return Problem(source=source, why="it is no plain file")
        if path.stat().st_size > LARGEST_FILE:
            return Problem(source=source, why=f"it is larger than {LARGEST_FILE >> 20} MiB, no tracking file is")
        return path.read_bytes()
    except (OSError, RuntimeError) as error:
        return Problem(source=source, why=f"it cannot be read ({_reason(error)})")


def parse(text: str) -> Any:
    """JSON whose every value can be written again: what JSON cannot hold (NaN, 1e999, 10**30) stays as its text.

    Raises ValueError (json.JSONDecodeError, UnicodeEncodeError) and RecursionError.
    """
    value = json.loads(text, parse_constant=str, parse_float=_float, parse_int=_int)
    json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate cannot be written
    return value


def json_lines(data: bytes, source: str) -> Iterator[tuple[int, Content] | Problem]:
    """The objects of a JSON Lines file with their line numbers; a problem for any other line that is not empty."""
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            value = parse(raw.decode())
        except (ValueError, RecursionError) as error:
            yield Problem(source=source, line=number, why=f"the line is not whole JSON ({_reason(error)})")
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            yield Problem(source=source, line=number, why=f"the line is a JSON {type(value).__name__}, no object")


def json_object(data: bytes, source: str) -> tuple[Content, list[Problem]]:
    """The object of a JSON file; of a torn one the members that are whole, and where it is torn."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(source=source, line=line, why="it is not UTF-8 from here; whole parts were taken")
        return _salvage(data.decode(errors="replace")), [problem]
    try:
        value = parse(text)
    except json.JSONDecodeError as error:
        why = f"it is not whole JSON ({error.msg}); whole parts were taken"
        return _salvage(text), [Problem(source=source, line=error.lineno, why=why)]
    except (ValueError, RecursionError) as error:
        return {}, [Problem(source=source, why=f"it cannot be read as JSON ({_reason(error)})")]
    if isinstance(value, dict):
        return value, []
    return {}, [Problem(source=source, why=f"it is a JSON {type(value).__name__}, no object")]


_MEMBER = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:\s*(?=\{)')


def _salvage(text: str) -> Content:
    """Of torn JSON text, every member that is a whole object, under the section that holds it."""
    decoder = json.JSONDecoder(parse_constant=str, parse_float=_float, parse_int=_int)
    sections: Content = {}
    section, at = "", 0
    while member := _MEMBER.search(text, at):
        try:
            value, at = decoder.raw_decode(text, member.end())
        except (ValueError, RecursionError):
            section, at = member[1], member.end()  # torn inside: its own members may be whole
            continue
        if "\ufffd" not in text[member.start() : at]:
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
