"""Label a table as a stream: the same rows in the same order, with their labels added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

import numpy as np

from mhc.errors import BadInput
from mhc.inference import table_writer
from mhc.inference.predictor import Prediction, Predictor
from mhc.inference.progress import ProgressBar
from mhc.inference.table import Row, Table
from mhc.inference.table_reader import texts_of

CHUNK_ROWS, CHUNK_CHARACTERS = 8192, 16_000_000
"""Limits of the rows in memory: a number of rows, and a number of characters of their texts."""
DIGITS = 6
"""Decimals of a probability in a file."""


@dataclass(kw_only=True)
class Tally:
    """Counts of the labelled texts."""

    labels: Counter[str] = field(default_factory=Counter)
    texts: int = 0
    truncated: int = 0
    empty: int = 0
    abstained: int = 0


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns that are added; the table has none of them."""

    label: str
    confidence: str
    abstained: str | None
    """None if the model must not abstain."""
    probabilities: list[str]

    @classmethod
    def beside(cls, columns: Sequence[str], labels: Sequence[str], *, abstaining: bool) -> Columns:
        """Return the names, with the prefix `predicted_` if the table has a column of the name."""

        def unused(name: str) -> str:
            while name in columns:
                name = f"predicted_{name}"
            return name

        return cls(
            label=unused("label"),
            confidence=unused("confidence"),
            abstained=unused("abstained") if abstaining else None,
            probabilities=[unused(f"probability_{label}") for label in labels],
        )

    def types(self) -> dict[str, type]:
        """Return the types of the columns, in their order."""
        abstained: dict[str, type] = {self.abstained: bool} if self.abstained else {}
        return {self.label: str, self.confidence: float, **abstained, **dict.fromkeys(self.probabilities, float)}


def label_table(
    predictor: Predictor,
    table: Table,
    file: IO[bytes],
    *,
    format: str,
    abstain_below: float | None,
    bar: ProgressBar,
) -> Tally:
    """Write the rows of `table` with their labels to `file`, and return the counts.

    Args:
        predictor: the model.
        table: the rows.
        file: the output.
        format: csv, tsv, jsonl or parquet.
        abstain_below: confidence below which a text gets no label; None: every text gets one.
        bar: shows the progress.

    Raises:
        BadInput: if a row cannot be read, or does not fit the format of the output.
    """
    added = Columns.beside(table.columns, predictor.label_names, abstaining=abstain_below is not None)
    out = table_writer.writer(file, format, table.columns, added.types(), table.schema)
    tally = Tally()
    for rows in chunks(table.rows, table.text):
        texts = texts_of(rows, table.text, tally.texts + 1, table.name)
        check_added_columns(rows, set(added.types()), tally.texts + 1, table.name)
        bar.start_chunk(len(rows), table.share_read())
        prediction = predictor.predict(texts, bar.advance)
        cells = new_cells(prediction, added, abstain_below, tally)
        out.write([row | new for row, new in zip(rows, cells, strict=True)])
        tally.texts += len(rows)
        tally.truncated += prediction.truncated
        tally.empty += prediction.empty
    out.close()
    return tally


def chunks(rows: Iterator[Row], columns: Sequence[str]) -> Iterator[list[Row]]:
    """Yield the rows in lists that fit into memory."""
    chunk: list[Row] = []
    characters = 0
    for row in rows:
        chunk.append(row)
        texts = map(row.get, columns)
        characters += sum(len(text) for text in texts if isinstance(text, str))
        if len(chunk) >= CHUNK_ROWS or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def check_added_columns(rows: Sequence[Row], added: set[str], first: int, name: str) -> None:
    """Check that no row of JSON Lines has a later column that a label would overwrite.

    Raises:
        BadInput: if a row has such a column; gives row and column.
    """
    for number, row in enumerate(rows, start=first):
        clash = row.keys() & added
        if clash:
            raise BadInput(
                f"Row {number} of {name} has the column {min(clash)!r}, which the first row does not have. Rename it"
            )


def new_cells(prediction: Prediction, added: Columns, abstain_below: float | None, tally: Tally) -> Iterator[Row]:
    """Yield the added cells of each row, and count the labels in `tally`."""
    probabilities = np.round(prediction.probabilities.astype(np.float64), DIGITS).tolist()
    for label, row in zip(prediction.labels, probabilities, strict=True):
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
    """Return the counts of labels, abstentions, truncated and empty texts, in a few sentences."""
    parts = [f"{label} {count:,}" for label, count in tally.labels.most_common()]
    sentences = [f"{tally.texts:,} texts in {seconds:.1f} s: {', '.join(parts) or 'no label'}."]
    if abstain_below is not None:
        sentences.append(f"{tally.abstained:,} got no label, their confidence is below {abstain_below:g}.")
    if tally.truncated:
        sentences.append(f"{tally.truncated:,} are longer than the {longest} tokens that the model reads and were cut.")
    if tally.empty:
        sentences.append(f"{tally.empty:,} are empty and got no label.")
    return " ".join(sentences)
