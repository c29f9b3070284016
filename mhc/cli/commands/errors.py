"""`mhc errors`: the mistakes of a run, the most confident first; by class, by length, by suspect label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.output import Column, on_terminal, remark, show_json, show_table, title
from mhc.cli.run_argument import RUN, find_folder
from mhc.cli.run_options import json_option
from mhc.report.tables import MISSING, score

if TYPE_CHECKING:
    from mhc.analysis.data_rows import TextsOfEvidence
    from mhc.report.results import Mistake, Mistakes
    from mhc.runs.evidence import Evidence

ID_LENGTH = 12
"""Digits of the id of a row that are shown."""
COLUMNS = (
    Column("id"),
    Column("label", min_width=8),
    Column("predicted", min_width=8),
    Column("prob.", right=True),
    Column("of label", right=True, drop_rank=1),
    Column("label itself", drop_rank=2),
)
MAX_PAIRS = 20


@click.command("errors")
@click.argument("run_id", type=RUN, metavar="RUN")
@click.option("--split", type=click.Choice(["val", "test"]), default="test", help="[test]")
@click.option("--limit", type=click.IntRange(min=0), default=20, help="Mistakes that are listed; 0: all. [20]")
@click.option("--rows", "with_rows", is_flag=True, help="Read the data again: rows of the files, and lengths.")
@click.option("--texts", "with_texts", is_flag=True, help="Show the texts, too; on a terminal only.")
@json_option
@click.pass_obj
def errors_command(
    context: Context, *, run_id: str, split: str, limit: int, with_rows: bool, with_texts: bool, as_json: bool
) -> None:
    """Show the most confident mistakes of a run by id, and the mistakes by class, length and suspect label.

    Example: mhc errors attention_20261120_1200
    """
    from mhc.analysis.mistakes import mistakes_of, temperature_of
    from mhc.errors import Refused
    from mhc.runs import evidence

    if with_texts and (as_json or not on_terminal()):
        raise Refused("Texts are shown on a terminal only, never in a file or a pipe. Use --rows to find them")
    folder = find_folder(context, run_id)
    rows = evidence.read(folder / "evaluation" / f"{split}.npz")
    mistakes = mistakes_of(rows, temperature_of(folder), limit)
    texts = texts_of(context, folder, split, rows) if with_rows or with_texts else None
    places = places_of(mistakes, texts) if texts else [""] * len(mistakes.listed)
    if as_json:
        show_json(record_of(split, mistakes, places))
        return
    show_mistakes(split, mistakes, places)
    if with_texts and texts:
        show_texts(mistakes, texts)
    show_pairs(mistakes)
    if texts:
        show_lengths(rows, texts)


def texts_of(context: Context, folder: Path, split: str, rows: Evidence) -> TextsOfEvidence:
    """Read the data of the run again.

    Raises:
        MhcError: if it cannot be read any more, or has changed.
    """
    from mhc.analysis.data_rows import TextsOfEvidence

    return TextsOfEvidence(folder, split, rows, context.models)


def places_of(mistakes: Mistakes, texts: TextsOfEvidence) -> list[str]:
    """Return where each listed mistake is in the user's own files."""
    from mhc.analysis.data_rows import place_of

    own = [texts.texts[one.place] for one in mistakes.listed]
    places = texts.rows_of(own)
    return [place_of(text, places) for text in own]


def show_mistakes(split: str, mistakes: Mistakes, places: Sequence[str]) -> None:
    """Print the listed mistakes."""
    if not mistakes.wrong:
        remark(f"No mistake in {mistakes.rows:,} rows of {split}.")
        return
    title(f"Most confident mistakes on {split}")
    columns = (*COLUMNS, Column("row", min_width=12)) if any(places) else COLUMNS
    lines = [[*cells(one), place] for one, place in zip(mistakes.listed, places, strict=True)]
    show_table(columns, [line[: len(columns)] for line in lines])
    remark(
        f"{len(mistakes.listed):,} of {mistakes.wrong:,} mistakes in {mistakes.rows:,} rows; the label of "
        f"{mistakes.suspects:,} rows is suspect: another one is as probable as it is on average where it is given"
    )


def cells(one: Mistake) -> list[str]:
    """Return the cells of COLUMNS."""
    suspect = "suspect" if one.suspect else MISSING
    return [one.id[:ID_LENGTH], one.label, one.predicted, score(one.confidence), score(one.of_label), suspect]


def show_texts(mistakes: Mistakes, texts: TextsOfEvidence) -> None:
    """Print the texts of the listed mistakes."""
    title("Texts")
    show_table(
        (Column("id"), Column("text", wrap=True)),
        [(one.id[:ID_LENGTH], texts.texts[one.place]) for one in mistakes.listed],
    )


def show_pairs(mistakes: Mistakes) -> None:
    """Print the mistakes by label and predicted label."""
    if mistakes.pairs:
        title("By class")
        columns = (Column("label", min_width=8), Column("predicted", min_width=8), Column("rows", right=True))
        show_table(columns, [(label, predicted, f"{rows:,}") for label, predicted, rows in mistakes.pairs[:MAX_PAIRS]])


def show_lengths(rows: Evidence, texts: TextsOfEvidence) -> None:
    """Print the mistakes by the length of the text."""
    from mhc.analysis.data_rows import by_length

    title("By length")
    groups = by_length(texts.texts, rows.probabilities.argmax(axis=1) != rows.labels)
    columns = (Column("words"), *(Column(name, right=True) for name in ("rows", "mistakes", "share")))
    show_table(
        columns,
        [
            (f"{group.shortest:,} to {group.longest:,}", f"{group.rows:,}", f"{group.wrong:,}",
             f"{group.wrong / group.rows:.1%}")
            for group in groups
        ],
    )  # fmt: skip


def record_of(split: str, mistakes: Mistakes, places: Sequence[str]) -> dict[str, object]:
    """Return the mistakes as `--json` prints them."""
    return {
        "split": split,
        "rows": mistakes.rows,
        "wrong": mistakes.wrong,
        "suspect_labels": mistakes.suspects,
        "by_class": [dict(zip(("label", "predicted", "rows"), pair, strict=True)) for pair in mistakes.pairs],
        "mistakes": [
            {
                "id": one.id, "label": one.label, "predicted": one.predicted, "probability": one.confidence,
                "probability_of_label": one.of_label, "suspect_label": one.suspect, "row": place or None,
            }
            for one, place in zip(mistakes.listed, places, strict=True)
        ],
    }  # fmt: skip
