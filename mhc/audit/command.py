"""The command line that trains on audited files, quoted for bash and zsh. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from mhc.audit.findings import Roles
from mhc.audit.tables import Table
from mhc.data.tables.columns import position

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*|[./][A-Za-z0-9_./-]+")
WORDS_OF_HYDRA = frozenset({"null", "true", "false", "nan", "inf", "none", "yes", "no", "on", "off"})
DEFAULTS = {"text": "text", "label": "label"}


def words(tables: Sequence[Table], amendments: Mapping[str, object]) -> list[str]:
    """Return the words of the command that trains: files, columns, options of reading, and `amendments`."""
    result = ["data=files", *(f"data.{table.split}={value_of(str(table.path))}" for table in tables)]
    result += columns_of(tables)
    result += [f"data.{key}={value_of(value)}" for key, value in options_of_reading(tables).items()]
    return [*result, *(f"data.{key}={value_of(value)}" for key, value in amendments.items())]


def line(tables: Sequence[Table], amendments: Mapping[str, object]) -> str:
    """Return the command as it is typed."""
    return " ".join(["python -m mhc.train", *map(quoted, words(tables, amendments))])


def quoted(word: str) -> str:
    """Return a word for bash and zsh; zsh takes a word with `=` first for a path, so `=` at the start is quoted too."""
    return word if re.fullmatch(r"[A-Za-z0-9_./=:,@%+-]+", word) else shlex.quote(word)


def value_of(value: object) -> str:
    """Return a value in Hydra's grammar."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{value_of(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(value_of, value)) + "]"
    text = str(value)
    if PLAIN.fullmatch(text) and text.casefold() not in WORDS_OF_HYDRA:
        return text
    escaped = re.sub(r"(\\*)(\"|\$\{|$)", lambda match: match[1] * 2 + ("\\" + match[2] if match[2] else ""), text)
    return f'"{escaped}"'


def columns_of(tables: Sequence[Table]) -> Iterator[str]:
    """Yield the words that name the columns: of the first file, and of others if they differ."""
    first = tables[0].roles
    yield from named("data", first, DEFAULTS)
    if first.split is not None:
        yield f"data.split={value_of(first.split)}"
    for table in tables[1:]:
        known = {
            role: name
            for role, name in (("text", first.text), ("label", first.label), ("group", first.author))
            if name is not None and all(position(table.opened.columns, each) is not None for each in listed(name))
        }
        yield from named(f"data.columns.{table.split}", table.roles, known, only_if_asked=first)


def named(prefix: str, roles: Roles, known: Mapping[str, object], only_if_asked: Roles | None = None) -> Iterator[str]:
    """Yield the words for the columns that are not `known`; of a column of authors only if the first file has one."""
    text: object = roles.text[0] if len(roles.text) == 1 else roles.text
    pairs = [("text", text), ("label", roles.label)]
    if roles.author is not None and (only_if_asked is None or only_if_asked.author is not None):
        pairs.append(("group", roles.author))
    for role, name in pairs:
        if listed(known.get(role)) != listed(name) and not (only_if_asked is not None and role in known):
            yield f"{prefix}.{role}={value_of(name)}"


def listed(name: object) -> list[str]:
    """Return one name or several as a list."""
    return [] if name is None else [name] if isinstance(name, str) else list(name)  # type: ignore[call-overload]


def options_of_reading(tables: Sequence[Table]) -> dict[str, object]:
    """Return the options of reading that a file needs; those that are found in the file need none."""
    result: dict[str, object] = {}
    for table in tables:
        reading = table.reading
        given = {
            "separator": reading.separator,
            "quoting": reading.quoting,
            "encoding": reading.encoding,
            "encoding_errors": None if reading.encoding_errors == "strict" else reading.encoding_errors,
            "header": list(reading.header) or None,
        }
        result |= {key: value for key, value in given.items() if value is not None}
    return result
