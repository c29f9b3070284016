"""Damaged files: the right rows, or one sentence; no row ever gets the text or the label of another one."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhc.data.sources import Files
from mhc.data.tables.options import Reading
from mhc.errors import MhcError
from mhc.inference.table_reader import open_table, texts_of

Row = tuple[str, str]

LABELS = ("calm", "low", "tense")
ROWS: list[Row] = [
    (
        f"<{row}> {row * 2659 % 9973:04d} "  # so many digits that no damage turns a text into another one
        + ("plain words of a row" if row % 3 else 'some "quoted", words; and | more')
        + ("\nof two lines" if row % 7 == 3 else ""),
        LABELS[row % 3],
    )
    for row in range(40)
]
PLAIN: list[Row] = [(re.sub(r'[",\n;|]', "", text), label) for text, label in ROWS]
MARK = re.compile(r"<\d+>")


def as_csv(rows: Sequence[Row], separator: str = ",", order: Sequence[int] = (0, 1, 2)) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    table = [("id", "text", "label"), *((str(place), *row) for place, row in enumerate(rows))]
    writer.writerows([row[place] for place in order] for row in table)
    return out.getvalue().encode()


def as_json(rows: Sequence[Row], order: Sequence[int] = (0, 1, 2)) -> bytes:
    keys = [("id", "text", "label")[place] for place in order]
    records = ({"id": place, "text": text, "label": label} for place, (text, label) in enumerate(rows))
    return "".join(json.dumps({key: record[key] for key in keys}) + "\n" for record in records).encode()


FILES = {
    "quoted.csv": (ROWS, as_csv(ROWS)),
    "plain.csv": (PLAIN, as_csv(PLAIN)),
    "plain.tsv": (PLAIN, as_csv(PLAIN, "\t")),
    "two_columns.csv": (PLAIN, as_csv(PLAIN, order=(1, 2))),
    "label_first.tsv": (PLAIN, as_csv(PLAIN, "\t", order=(2, 1))),
    "lines.jsonl": (ROWS, as_json(ROWS)),
}


@st.composite
def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """Return the content with bytes changed, lines cut, or quotes added."""
    result = bytearray(content)
    kind = draw(st.sampled_from(["flip", "cut", "quote", "quotes at fields", "truncate"]))
    if kind == "truncate":
        return bytes(result[: draw(st.integers(1, len(result)))])
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(result) - 1))
        if kind == "flip":
            result[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            end = result.find(
                b"\n", place
            )  # a cut over the end of a line may leave a row that nothing tells from others
            del result[place : min(place + draw(st.integers(1, 60)), end if end >= 0 else len(result))]
        elif kind == "quote":
            result.insert(place, ord('"'))
        else:
            starts = [match.end() for match in re.finditer(rb"[\n,\t]", bytes(result))]
            result.insert(draw(st.sampled_from(starts)), ord('"'))
    return bytes(result) or b" "


def rows_of(path: Path) -> list[Row]:
    """Return the rows that would be trained on."""
    rows = Files(train=str(path)).read(path.parent).splits["train"]
    return list(zip(rows.texts, rows.labels, strict=True))


def texts_to_label(path: Path) -> list[str]:
    with open_table(str(path), "csv", Reading(prefix=""), ["text"], output="jsonl") as table:
        return texts_of(list(table.rows), table.text, 1, "posts")


def check(rows: Sequence[Row], right: Sequence[Row]) -> None:
    """Check that each row is one row of the file, changed by at most the damage in it."""
    labels = dict(right)
    for text, label in rows:
        assert len(MARK.findall(text + label)) <= 1, "two rows became one"
        assert "\tcalm" not in text, "a row was swallowed"
        if text in labels and label in LABELS:
            assert label == labels[text], "a row has the label of another one"
    assert len(rows) <= len(right) + 3


def outcome(path: Path) -> tuple[list[Row], str]:
    try:
        return rows_of(path), ""
    except MhcError as error:
        return [], str(error)


@pytest.mark.parametrize("name", FILES)
def test_damaged_file_never_mixes_its_rows(name: str) -> None:
    right, content = FILES[name]

    @settings(max_examples=200, deadline=None)
    @given(mutated(content))
    def mutations(damaged: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(damaged)
            rows, error = outcome(path)
            check(rows, right)
            assert bool(rows) != bool(error)
            assert "\n" not in error
            assert not MARK.search(error), "the sentence shows a text"
            if rows:
                assert texts_to_label(path) == [text for text, _ in rows]

    mutations()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("name", ["posts.csv", "posts.tsv", "posts.jsonl"])
def test_order_of_the_columns_changes_nothing(tmp_path: Path, name: str, order: tuple[int, ...]) -> None:
    separator = "\t" if name.endswith(".tsv") else ","
    content = as_json(ROWS, order) if name.endswith(".jsonl") else as_csv(ROWS, separator, order)
    (tmp_path / name).write_bytes(content)
    assert rows_of(tmp_path / name) == ROWS
