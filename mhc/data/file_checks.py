"""Check a file before a library reads it, so that an error message is one sentence that gives the place."""

from __future__ import annotations

import codecs
import csv
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from mhc.errors import BadInput, NotFound

SUFFIXES = {".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
"""Kind of file by suffix."""

CHUNK = 1 << 24
"""Bytes that are decoded at once."""

NEWLINE = b"\n"


def kind_of(path: Path) -> str:
    """Return csv, json or parquet.

    Raises:
        NotFound: if there is no such file.
        BadInput: if it is a folder or a device, empty, or of an unsupported kind.
    """
    if not path.exists():
        raise NotFound(f"There is no file {path}. Give its path from the working directory {Path.cwd()}")
    if path.is_dir():
        raise BadInput(f"{path} is a folder. Name a file, or use data=huggingface for a folder of a data set")
    if not path.is_file():
        raise BadInput(f"{path} is a pipe or a device, which can be read only once. Save its content to a file")
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{path} ends in {path.suffix or 'nothing'}; files of texts end in {', '.join(SUFFIXES)}")
    if path.stat().st_size == 0:
        raise BadInput(f"{path} is empty. A file of texts has a line of column names and one row per text")
    return SUFFIXES[path.suffix.lower()]


def check_utf8(path: Path) -> None:
    """Refuse NUL bytes and bytes that are not UTF-8.

    Raises:
        BadInput: if there are such bytes; the message gives the byte and the line.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    start, line = 0, 1
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK)
            nul = chunk.find(b"\0")
            if nul >= 0:
                raise BadInput(
                    f"{path} has a NUL byte at byte {start + nul} (line {line + chunk.count(NEWLINE, 0, nul)}). Save "
                    "it as UTF-8 text: UTF-16 files and binary files have such bytes"
                )
            position = invalid_byte(decoder, chunk)
            if position is not None:
                raise BadInput(
                    f"{path} is not UTF-8 at byte {start + position} (line "
                    f"{line + chunk.count(NEWLINE, 0, max(0, position))}). Save it as UTF-8, for example with: iconv "
                    f"-f WINDOWS-1252 -t UTF-8 {path.name}"
                )
            if not chunk:
                return
            start += len(chunk)
            line += chunk.count(NEWLINE)


def invalid_byte(decoder: codecs.IncrementalDecoder, chunk: bytes) -> int | None:
    """Decode the next bytes of a file, none at its end; return the position of the first invalid byte within them.

    It is negative if a character begins in the chunk before.
    """
    pending = len(decoder.getstate()[0])
    try:
        decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        return error.start - pending
    return None


def rows_of_csv(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, fields) of a CSV file, the column names first; blank lines are skipped.

    Raises:
        BadInput: if the number of fields of a row is not the number of columns, or a quote is not closed.
    """
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(chain(file, ["\n"]), delimiter=separator)  # an open quote swallows the blank line added
        header: list[str] | None = None
        fields: list[str] = []
        start = begin = 1
        for fields in reader:
            if fields and header is None:
                header = fields
            if fields and header is not None and len(fields) != len(header):
                raise BadInput(
                    f"The row at line {start} of {path} has {len(fields)} fields, but there are {len(header)} columns. "
                    "Put fields that hold a separator, a quote or a line break into double quotes"
                )
            if fields:
                yield start, fields
            begin, start = start, reader.line_num + 1
        if fields:
            raise BadInput(f"{path} has a quote in the row at line {begin} that nothing closes. Close every quote")


def separator_of(path: Path, separator: str | None) -> str:
    """Return the separator: the given one, else a tab in TSV files and a comma in others."""
    if separator is not None:
        return separator
    return "\t" if path.suffix.lower() == ".tsv" else ","


def check_columns(path: Path, present: list[str], required: list[str]) -> None:
    """Refuse a file that lacks a column or has it more than once.

    Raises:
        BadInput: if a column is missing or repeated; the message names it and the columns of the file.
    """
    repeated = sorted({name for name in present if present.count(name) > 1})
    if repeated:
        raise BadInput(f"{path} has several columns named {', '.join(repeated)}. Rename all but one")
    for name in required:
        if name not in present:
            raise BadInput(
                f"{path} has no column {name!r}. It has: {', '.join(present)}. Choose with data.text=, data.label=, "
                "data.group=, data.split= or data.separator="
            )
