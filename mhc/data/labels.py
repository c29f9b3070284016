"""Validate labels within and across splits. Pure. Messages show a value only if it cannot be a text of a row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from mhc.data.cleaning import Rows
from mhc.data.options import Cleaning
from mhc.errors import BadInput
from mhc.terminal import quantity

MOST_NUMBERS = 50
"""More distinct numbers than this are values of a scale (a regression target), not classes."""

LONGEST_NAME = 40
"""Longer values are not shown: if the wrong column was chosen for the labels, they would be texts."""

INTEGER = re.compile(r"[+-]?\d+")
FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?")


def with_names(rows: Rows, names: Mapping[str, str], where: str) -> Rows:
    """Return the rows with their labels renamed; without names the labels stay.

    Raises:
        BadInput: if a row has a label that `names` does not have.
    """
    if not names:
        return rows
    return Rows(texts=rows.texts, labels=renamed(rows.labels, names, where), groups=rows.groups)


def renamed(labels: list[str], names: Mapping[str, str], where: str) -> list[str]:
    """Return the names of the labels.

    Raises:
        BadInput: if a label has no name.
    """
    unknown = sorted({label for label in labels if label not in names})
    if unknown:
        raise BadInput(
            f"data.label_names has no name for {preview(unknown)} of {where}. It names: {', '.join(names)}. Add "
            "the rest"
        )
    return [names[label] for label in labels]


def refuse_numbers(labels: Iterable[str], where: str) -> None:
    """Refuse labels that look like numbers and have no names.

    Raises:
        BadInput: if they look like values of a scale, or like numbered classes without names.
    """
    distinct = set(labels)
    if not distinct or not all(FLOAT.fullmatch(label) for label in distinct):
        return
    if len(distinct) > MOST_NUMBERS or not all(INTEGER.fullmatch(label) for label in distinct):
        raise BadInput(
            f"The labels of {where} are {len(distinct)} different numbers, such as {min(distinct)}: a scale, not "
            "classes. Choose another column with data.label="
        )
    mapping = ",".join(f"{number}:NAME" for number in sorted(distinct, key=int))
    raise BadInput(
        f"The labels of {where} are numbers ({preview(sorted(distinct, key=int))}). Name the classes: "
        f"data.label_names='{{{mapping}}}'"
    )


def refuse_texts(labels: list[str], where: str) -> None:
    """Refuse a label column in which most rows have a unique value: it contains texts or ids.

    Raises:
        BadInput: if it is such a column.
    """
    distinct = len(set(labels))
    if distinct > MOST_NUMBERS and distinct > len(labels) / 2:
        raise BadInput(
            f"The label column of {where} has {distinct} different values in {len(labels)} rows: these are not "
            "classes. Choose another column with data.label="
        )


def drop_or_refuse_rare(train: Rows, options: Cleaning, dropped: Counter[str]) -> Rows:
    """Return train without the rows of labels that are too rare.

    Raises:
        BadInput: if a label is too rare and `rare_labels` is refuse, or if fewer than two labels remain.
    """
    counts = Counter(train.labels)
    rare = sorted(label for label, rows in counts.items() if rows < options.min_rows_per_label)
    if rare and options.rare_labels == "refuse":
        raise BadInput(
            f"{rare_labels(rare, counts)} in the rows to train on, at least {options.min_rows_per_label} are needed. "
            "Add rows, or leave such labels out with data.cleaning.rare_labels=drop"
        )
    result = train.filter(lambda row: train.labels[row] not in rare)
    dropped["rare_labels"] += len(train) - len(result)
    remaining = sorted(set(result.labels))
    if len(remaining) < 2:
        raise BadInput(
            f"The rows to train on have {len(remaining)} label ({preview(remaining)}); a classifier needs two. "
            "Check data.label= and the file"
        )
    return result


def rare_labels(rare: list[str], counts: Counter[str]) -> str:
    """Return the rare labels with their number of rows, as the beginning of a sentence."""
    first = f"Label {preview(rare[:1])} has {quantity(counts[rare[0]], 'row')}"
    return first if len(rare) == 1 else f"{first} ({quantity(len(rare) - 1, 'other label')} as well)"


def drop_or_refuse_unknown(splits: dict[str, Rows], options: Cleaning, dropped: Counter[str]) -> dict[str, Rows]:
    """Return the splits without rows whose label train does not have.

    Raises:
        BadInput: if there are such rows and `unknown_labels` is refuse.
    """
    train_labels = set(splits["train"].labels)
    result = dict(splits)
    for name in splits.keys() - {"train"}:
        rows = splits[name]
        unknown = sorted(set(rows.labels) - train_labels)
        if unknown and options.unknown_labels == "refuse":
            raise BadInput(
                f"Label {preview(unknown)} occurs in {name} but not in train, which has "
                f"{preview(sorted(train_labels))}. Correct it, or leave such rows out with "
                "data.cleaning.unknown_labels=drop"
            )
        result[name] = rows.filter(lambda row, rows=rows: rows.labels[row] in train_labels)  # type: ignore[misc]
        dropped[f"unknown_labels_in_{name}"] += len(rows) - len(result[name])
    return result


def preview(labels: list[str]) -> str:
    """Return up to five labels for a message; a long label could be a text, so only its length is given."""
    names = [label if len(label) <= LONGEST_NAME else f"(a value of {len(label)} characters)" for label in labels[:5]]
    more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    return ", ".join(names) + more


def order(train: Rows, names: Mapping[str, str]) -> list[str]:
    """Return the labels in the order of the model's outputs: the order of the names, else alphabetical."""
    present = set(train.labels)
    if names:
        return [name for name in dict.fromkeys(names.values()) if name in present]
    return sorted(present)
