"""Read JSON: one object per line, or one array of objects. Fields that are not asked for are skipped."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from mhc.data.tables import cell
from mhc.data.tables.encoding import Encoding, encoding_of, text_of
from mhc.data.tables.options import Reading
from mhc.data.tables.source import Source
from mhc.errors import BadInput

SAMPLE_ROWS = 100
"""Rows whose keys are the columns."""

EXAMPLE = 'Write one object per line, such as {"text": ..., "label": ...}'

Row = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class JsonTable:
    """A file of JSON lines, or of one JSON array."""

    source: Source
    encoding: Encoding
    is_array: bool
    columns: list[str]
    """Keys of the first rows, in the order of their appearance."""

    def cells(self, names: Sequence[str]) -> list[list[str]]:
        """Return the fields with exactly these names, as texts.

        Raises:
            BadInput: if a row is no object, has a field twice, or has a list or an object in it.
        """
        decode, astuple = msgspec.json.Decoder(typed(names)).decode, msgspec.structs.astuple
        keys = [json.dumps(name, ensure_ascii=False).encode() for name in names]
        values: list[list[str]] = [[] for _ in names]
        for number, content in self.contents():
            for key in keys:
                if content.count(key) > 1:  # perhaps twice
                    fields = self.fields(number, content, names)
                    break
            else:
                try:
                    fields = astuple(decode(content))
                except (msgspec.MsgspecError, ValueError, RecursionError):
                    fields = self.fields(number, content, names)
            for column, value in zip(values, fields, strict=True):
                column.append(value if type(value) is str else self.plain(value, fields, names, number))
        return values

    def fields(self, number: int, content: bytes, names: Sequence[str]) -> tuple[object, ...]:
        """Return the fields of a row that has one of them twice, or of which other fields are not JSON.

        Raises:
            BadInput: if it is no JSON object, or has one of them twice.
        """
        row = self.object_of(number, content, frozenset(names))
        return tuple(row.get(name) for name in names)

    def plain(self, value: object, fields: Sequence[object], names: Sequence[str], number: int) -> str:
        """Return one of the fields of a row as text, empty for one that it does not have.

        Raises:
            BadInput: if it is a list or an object.
        """
        text = cell.text_of(None if value is msgspec.UNSET else value)
        if text is None:
            name = next(name for name, field in zip(names, fields, strict=True) if field is value)
            raise BadInput(f"{self.place(number)} has no plain value in {name!r}. Use a string or a number")
        return text

    def objects(self) -> Iterator[Row]:
        """Yield the rows with all of their fields.

        Raises:
            BadInput: if a row is no object, or has a key twice.
        """
        decoder = msgspec.json.Decoder(dict[str, object])
        for number, content in self.contents():
            try:
                row = decoder.decode(content)
                unique = content.count(b":") <= len(row)  # a cheap proof that no key is given twice
            except (msgspec.MsgspecError, ValueError, RecursionError):
                unique = False
            yield row if unique else self.object_of(number, content, None)

    def object_of(self, number: int, content: bytes, names: frozenset[str] | None) -> Row:
        """Return a row as an object; NaN, Infinity and control characters in strings are accepted.

        Raises:
            BadInput: if it is no JSON object, or has one of the keys `names` twice; None: any key.
        """
        try:
            row = json.loads(content, strict=False, object_pairs_hook=Object)
        except (ValueError, RecursionError):
            raise BadInput(f"{self.place(number)} is not valid JSON. {EXAMPLE}") from None
        if not isinstance(row, Object):
            raise BadInput(f"{self.place(number)} is not a JSON object. {EXAMPLE}")
        twice = row.twice if names is None else row.twice & names
        if twice:
            raise BadInput(f"{self.place(number)} has the key {min(twice)[:60]!r} twice. Rename one")
        return row

    def place(self, number: int) -> str:
        """Return the name of a row in messages."""
        return f"{'Row' if self.is_array else 'Line'} {number} of {self.source.name}"

    def contents(self) -> Iterator[tuple[int, bytes]]:
        """Yield the rows as JSON in UTF-8, with the numbers of their lines, or of the rows of an array."""
        if self.is_array:
            yield from enumerate(self.array(), 1)
        elif self.encoding.is_utf8:
            with self.source.bytes() as file:
                for number, line in enumerate(file, 1):
                    content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                    if not content.isspace():
                        yield number, content
        else:
            with text_of(self.source, self.encoding, newline="\n") as text:
                yield from (
                    (number, line.encode("utf-8", "replace")) for number, line in enumerate(text, 1) if line.strip()
                )

    def array(self) -> Iterator[bytes]:
        """Yield the rows of the array.

        Raises:
            BadInput: if the file is not a JSON array.
        """
        with text_of(self.source, self.encoding) as text:
            content = text.read().encode("utf-8", "replace")
        try:
            rows = msgspec.json.Decoder(list[msgspec.Raw]).decode(content)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            yield from lenient_array(content, self.source.name)
        else:
            yield from map(bytes, rows)


class Object(dict[str, object]):
    """An object, which remembers the keys that it has twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        nested = (value.twice for value in self.values() if isinstance(value, Object))
        self.twice: frozenset[str] = frozenset().union(*nested) if len(self) == len(pairs) else repeated(pairs)


def repeated(pairs: list[tuple[str, object]]) -> frozenset[str]:
    """Return the keys that occur twice."""
    counts = Counter(key for key, _ in pairs)
    return frozenset(key for key, count in counts.items() if count > 1)


def lenient_array(content: bytes, where: str) -> Iterator[bytes]:
    """Yield the rows of an array that has NaN, Infinity or control characters in it.

    Raises:
        BadInput: if it is not a JSON array.
    """
    try:
        rows = json.loads(content, strict=False)
    except (ValueError, RecursionError) as error:
        line = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadInput(f"{where} is not valid JSON{line}. Write one array of objects, or one object per line") from None
    yield from (json.dumps(row).encode() for row in rows)


def open_json(source: Source, reading: Reading) -> JsonTable:
    """Open a file of JSON lines or of an array.

    Raises:
        BadInput: if the file does not fit its encoding, has no rows, or its first rows are no objects.
    """
    encoding = encoding_of(source, reading)
    with text_of(source, encoding) as text:
        first = next((line.strip() for line in text if line.strip()), "")
    # a line that is a whole array is no object, and is refused as such
    is_array = first.startswith("[") and first[1:].lstrip()[:1] in ("", "{", "]")
    table = JsonTable(source=source, encoding=encoding, is_array=is_array, columns=[])
    for number, content in islice(table.contents(), SAMPLE_ROWS):
        table.columns.extend(key for key in table.object_of(number, content, frozenset()) if key not in table.columns)
    return table


def typed(names: Sequence[str]) -> type[Any]:
    """Return a type of rows with these fields; all others are skipped without reading their values."""
    fields = [(f"f{place}", Any, msgspec.UNSET) for place, _ in enumerate(names)]
    keys = {f"f{place}": name for place, name in enumerate(names)}
    return msgspec.defstruct("Row", fields, rename=keys, gc=False)
