"""Open data files, find what each column is, and read the rows as a training does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mhc.audit import columns, sample
from mhc.audit.columns import Profile
from mhc.audit.findings import ColumnFacts, FileFacts, Roles
from mhc.data import readers
from mhc.data.cleaning import Rows
from mhc.data.sources import SPLITS, split_by_column
from mhc.data.tables import encoding, source
from mhc.data.tables.columns import position, preview
from mhc.data.tables.csv_table import CsvTable
from mhc.data.tables.options import SEPARATORS, Reading
from mhc.data.tables.table import Opened, open_table
from mhc.errors import BadInput

SPLIT_IN_NAME = re.compile(r"(?:^|[^a-z])(" + "|".join(SPLITS) + r")(?:[^a-z]|$)")
KEYS = "--text, --label, --author, --split or --separator"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the user says about the files; None or empty: to be found."""

    text: Sequence[str] = ()
    label: str | None = None
    author: str | None = None
    split: str | None = None
    reading: Reading = field(default_factory=lambda: Reading(prefix="--"))


@dataclass(frozen=True, kw_only=True)
class Table:
    """A file whose columns are known."""

    path: Path
    split: str
    opened: Opened
    reading: Reading
    profiles: list[Profile]
    roles: Roles


@dataclass(frozen=True, kw_only=True)
class Part:
    """The rows of one split."""

    path: Path
    rows: Rows
    numbers: Sequence[int]
    """Number of each row in its file, from 1."""


def splits_of(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the file of each split, by the names of the files; one of several that tells no split is that of train.

    Raises:
        BadInput: if two files are of one split, or there are more than three.
    """
    if len(paths) == 1:
        return {"train": paths[0]}
    named = [(split_in_name(path), path) for path in paths]
    if "train" not in [split for split, _ in named]:
        first = next((path for split, path in named if split is None), None) or next(
            (path for split, path in named if split == "val"), paths[0]
        )
        named = [("train" if path is first else split, path) for split, path in named]
    free = [split for split in ("test", "val") if split not in [one for one, _ in named]]
    result: dict[str, Path] = {}
    for split, path in named:
        name = split or (free.pop(0) if free else "test")
        if name in result:
            raise BadInput(
                f"{path} and {result[name]} are both taken for {name}, by their names. Give one file for train, and at "
                "most one each for val and test"
            )
        result[name] = path
    return {name: result[name] for name in ("train", "val", "test") if name in result}


def split_in_name(path: Path) -> str | None:
    """Return the split that the name of a file has as a word."""
    match = SPLIT_IN_NAME.search(path.name.lower())
    return SPLITS[match[1]] if match else None


def open_tables(files: Mapping[str, Path], wishes: Wishes) -> list[Table]:
    """Open the files; the columns of the first one are looked for in the others first.

    Raises:
        BadInput: if a file cannot be read, or no column looks like texts or labels.
    """
    tables: list[Table] = []
    for split, path in files.items():
        opened, reading = opened_as_it_fits(path, wishes)
        profiles = columns.named_columns(opened.columns, sample.first_columns(opened))
        known = with_known(wishes, tables[0].roles, opened) if tables else wishes
        roles = roles_of(profiles, known, path, by_column=len(files) == 1)
        tables.append(Table(path=path, split=split, opened=opened, reading=reading, profiles=profiles, roles=roles))
    return tables


def with_known(wishes: Wishes, roles: Roles, opened: Opened) -> Wishes:
    """Return the wishes for another file: the columns of the first file, if this one has them too."""

    def present(name: str | None) -> str | None:
        return name if name is not None and position(opened.columns, name) is not None else None

    texts = roles.text if all(map(present, roles.text)) else ()
    return replace(wishes, text=texts, label=present(roles.label), author=present(roles.author))


def opened_as_it_fits(path: Path, wishes: Wishes) -> tuple[Opened, Reading]:
    """Return an open table, and how it is read: bytes that are not UTF-8 and missing names of columns are provided for.

    Raises:
        BadInput: if it cannot be read.
    """
    file, reading = source.of_path(path), wishes.reading
    names = [*wishes.text, *filter(None, (wishes.label, wishes.author, wishes.split))]
    if file.kind in ("csv", "json") and not reading.encoding and reading.encoding_errors == "strict":
        reading = with_encoding(file, reading)
    opened = open_table(file, reading, names).settled()[0]
    if isinstance(opened.table, CsvTable) and opened.table.seems_without_header():
        reading = replace(reading, header=header_of(file, reading, len(opened.columns)))
        opened = open_table(file, reading, names).settled()[0]
    return opened, reading


def with_encoding(file: source.Source, reading: Reading) -> Reading:
    """Return how to read a file whose bytes do not fit its encoding; else `reading`."""
    with file.bytes() as content:
        name = encoding.marked(content.read(encoding.SAMPLE))
    with file.bytes() as content:
        misfits = encoding.misfits_of(content, name, file.name)
    likely = encoding.guess(bytes(misfits.sample)) if misfits.count else None
    if likely is None:
        return reading
    return replace(reading, encoding_errors="cp1252") if likely == "cp1252" else replace(reading, encoding=likely)


def header_of(file: source.Source, reading: Reading, width: int) -> tuple[str, ...]:
    """Return names for the columns of a file that has none: text, label, column3, ..."""
    names = [f"column{place}" for place in range(1, width + 1)]
    opened = open_table(file, replace(reading, header=tuple(names)))
    profiles = columns.named_columns(opened.columns, sample.first_columns(opened))
    texts = columns.text_columns(profiles)[-1:]
    label = columns.label_column(profiles, texts)
    return tuple("text" if name in texts else "label" if name == label else name for name in names)


def roles_of(profiles: Sequence[Profile], wishes: Wishes, path: Path, *, by_column: bool) -> Roles:
    """Return which columns are what.

    Raises:
        BadInput: if no column looks like texts, or like labels.
    """
    if not any(one.rows for one in profiles):
        raise BadInput(f"{path} has column names but no rows. Add rows, or name another file")
    shown = preview([one.name for one in profiles])
    texts = list(wishes.text) or columns.text_columns(profiles)
    if not texts:
        raise BadInput(f"No column of {path} looks like texts. It has: {shown}. Name one with --text")
    label = wishes.label or columns.label_column(profiles, texts)
    if label is None:
        raise BadInput(f"No column of {path} looks like labels. It has: {shown}. Name one with --label")
    taken = [*texts, label]
    split = wishes.split or (columns.split_column(profiles, taken) if by_column else None)
    author = wishes.author or columns.author_column(profiles, [*taken, *([split] if split else [])])
    return Roles(text=texts, label=label, author=author, split=split)


def read(table: Table) -> tuple[dict[str, Part], list[str]]:
    """Return the rows by split, and what is not as usual in the file.

    Raises:
        BadInput: if a row cannot be read.
    """
    roles = table.roles
    wanted = readers.Columns(text=roles.text, label=roles.label, group=roles.author, split=roles.split)
    file = readers.file_rows(table.path, wanted, table.reading, KEYS)
    if roles.split is None:
        return {table.split: Part(path=table.path, rows=file.rows, numbers=range(1, len(file.rows) + 1))}, file.notes
    splits = split_by_column(file.rows, file.splits, str(table.path))
    numbers: dict[str, list[int]] = {name: [] for name in splits}
    for number, value in enumerate(file.splits, 1):
        numbers[SPLITS[value.strip().lower()]].append(number)
    return {name: Part(path=table.path, rows=rows, numbers=numbers[name]) for name, rows in splits.items()}, file.notes


def facts_of(table: Table, rows: int, notes: Sequence[str]) -> FileFacts:
    """Return the file as a part of the audit."""
    opened, roles = table.opened.table, table.roles
    names = {**dict.fromkeys(roles.text, "text"), roles.label: "label"}
    names |= {name: role for name, role in ((roles.author, "author"), (roles.split, "split")) if name}
    separator = opened.separator if isinstance(opened, CsvTable) else ""
    return FileFacts(
        path=str(table.path),
        split="by column" if roles.split else table.split,
        rows=rows,
        separator=SEPARATORS.get(separator, separator),
        encoding=getattr(getattr(opened, "encoding", None), "name", ""),
        columns=[
            ColumnFacts(
                name=preview([one.name]),
                role=names.get(one.name, ""),
                filled=round(one.filled, 4),
                distinct=one.distinct,
                rows=one.rows,
                characters=round(one.characters, 1),
            )
            for one in table.profiles
        ],
        notes=list(notes),
    )
