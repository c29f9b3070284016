"""Label a table as it passes by: rows in, the same rows out with their labels, in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

import numpy as np

from mhc.errors import BadInput
from mhc.inference import table_writer
from mhc.inference.predictor import Prediction, Predictor
from mhc.inference.progress import Progress
from mhc.inference.table_reader import Row, Table, texts_of

CHUNK_ROWS, CHUNK_CHARACTERS = 8192, 16_000_000
"""Rows that are held at once: so many, or so many characters of text."""
DIGITS = 6
"""Of a probability in a file."""


@dataclass(kw_only=True)
class Tally:
    """What was done."""

    labels: Counter[str] = field(default_factory=Counter)
    texts: int = 0
    truncated: int = 0
    empty: int = 0
    abstained: int = 0


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names of the columns that are added; the table has none of them."""

    label: str
    confidence: str
    abstained: str | None
    """None where the model must not abstain."""
    probabilities: list[str]

    @classmethod
    def beside(cls, columns: Sequence[str], labels: Sequence[str], abstaining: bool) -> Columns:
        """Name them, with `predicted_` in front of what is taken."""

        def free(name: str) -> str:
            while name in columns:
                name = f"predicted_{name}"
            return name

        return cls(
            label=free("label"),
            confidence=free("confidence"),
            abstained=free("abstained") if abstaining else None,
            probabilities=[free(f"probability_{label}") for label in labels],
        )

    def types(self) -> dict[str, type]:
        """Return the columns in their order, with their types."""
        abstained: dict[str, type] = {self.abstained: bool} if self.abstained else {}
        return {self.label: str, self.confidence: float, **abstained, **dict.fromkeys(self.probabilities, float)}


def label_table(
    predictor: Predictor,
    table: Table,
    column: str,
    file: IO[bytes],
    format: str,
    abstain_below: float | None,
    bar: Progress,
) -> Tally:
    """Write the rows of `table` with their labels to `file`, and return what was done.

    Raises:
        BadInput: a row cannot be read, or does not fit into the format of the output.
    """
    added = Columns.beside(table.columns, predictor.label_names, abstain_below is not None)
    out = table_writer.writer(file, format, table.columns, added.types(), table.schema)
    tally = Tally()
    for rows in chunks(table.rows, column):
        texts = texts_of(rows, column, tally.texts + 1, table.name)
        refuse_taken(rows, set(added.types()), tally.texts + 1, table.name)
        bar.begin(len(rows), table.share_read())
        found = predictor.predict(texts, bar.scored)
        out.write([row | new for row, new in zip(rows, new_cells(found, added, abstain_below, tally), strict=True)])
        tally.texts += len(rows)
        tally.truncated += found.truncated
        tally.empty += found.empty
    out.close()
    return tally


def chunks(rows: Iterator[Row], column: str) -> Iterator[list[Row]]:
    """Yield rows in lists that fit into memory."""
    chunk: list[Row] = []
    characters = 0
    for row in rows:
        chunk.append(row)
        text = row.get(column)
        characters += len(text) if isinstance(text, str) else 0
        if len(chunk) >= CHUNK_ROWS or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def refuse_taken(rows: Sequence[Row], added: set[str], first: int, name: str) -> None:
    """Refuse a row (of JSON Lines) with a column that earlier rows did not have and that would be overwritten.

    Raises:
        BadInput: names row and column.
    """
    for number, row in enumerate(rows, start=first):
        taken = row.keys() & added
        if taken:
            raise BadInput(
                f"Row {number} of {name} has a column {min(taken)!r}, which the first row has not. Rename it"
            )


def new_cells(found: Prediction, added: Columns, abstain_below: float | None, tally: Tally) -> Iterator[Row]:
    """Yield what is added to each row, and count it."""
    for label, row in zip(found.labels, np.round(found.probabilities.astype(np.float64), DIGITS).tolist(), strict=True):
        if not label:
            yield dict.fromkeys(added.types())
            continue
        confidence = max(row)
        unsure = abstain_below is not None and confidence < abstain_below
        tally.abstained += unsure
        tally.labels[label] += not unsure
        cells: Row = {added.label: None if unsure else label, added.confidence: confidence}
        if added.abstained:
            cells[added.abstained] = unsure
        yield cells | dict(zip(added.probabilities, row, strict=True))


def summary(tally: Tally, seconds: float, longest: int, abstain_below: float | None) -> str:
    """Return what a person should know of what was done, in a few sentences."""
    parts = [f"{label} {count:,}" for label, count in tally.labels.most_common()]
    said = [f"{tally.texts:,} texts in {seconds:.1f} s: {', '.join(parts) or 'no label'}."]
    if abstain_below is not None:
        said.append(f"{tally.abstained:,} got no label, their confidence is below {abstain_below:g}.")
    if tally.truncated:
        said.append(f"{tally.truncated:,} are longer than the {longest} tokens that the model reads and were cut.")
    if tally.empty:
        said.append(f"{tally.empty:,} are empty and got no label.")
    return " ".join(said)
