"""Bring labels that are written in several ways to one form: numbers, truth values, missing labels, variants. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mhc.data.cleaning import INVISIBLE, Rows
from mhc.data.labels import LONGEST_NAME, MOST_NUMBERS
from mhc.data.options import Cleaning
from mhc.errors import BadConfig, BadInput

MISSING = frozenset({"", "nan", "NaN", "NAN", "n/a", "N/A", "#N/A", "NA", "null", "NULL", "<NA>", "NaT"})
"""Values that programs write for a missing label."""

WHOLE = re.compile(r"([+-]?\d+)[.,]0*")
FRACTION = re.compile(r"[+-]?\d+,\d*[1-9]\d*")
TRUTH = frozenset({"true", "false"})

SHOWN_GROUPS = 5
"""Groups of variants that a message shows."""


def unified(
    splits: Mapping[str, Rows], options: Cleaning, names: Mapping[str, str], origin: str
) -> tuple[dict[str, Rows], Counter[str], list[str]]:
    """Return the splits with labels in one form, the number of rows without a label, and notes on what was merged.

    Raises:
        BadInput: if a row has no label and `missing_labels` is refuse, or labels differ only in how they are written
            and `merge_labels` does not merge them.
    """
    counts: Counter[str] = Counter()
    for rows in splits.values():
        counts.update(rows.labels)
    forms = forms_of(counts, names)
    dropped: Counter[str] = Counter()
    result = {}
    for name, rows in splits.items():
        labelled = with_label(rows, forms, options, f"{origin} ({name})")
        dropped["missing_labels"] += len(rows) - len(labelled)
        result[name] = labelled
    merged = merged_forms(forms, counts, options, names)
    notes = notes_of(forms, merged, counts)
    labels = {label: merged.get(form, form) for label, form in forms.items()}
    return {name: relabelled(rows, labels) for name, rows in result.items()}, dropped, notes


def named(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names of labels, for each value also by its form.

    Raises:
        BadConfig: if one value has two names because it is written in two ways.
    """
    result: dict[str, str] = {}
    for value, name in names.items():
        form = form_of(value)
        if result.setdefault(form, name) != name:
            raise BadConfig(f"data.label_names names {form} twice: {result[form]} and {name}. Leave one out")
    return {**result, **names}


def forms_of(labels: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """Return the form of each label; empty for a missing one."""
    stripped = {label: label.strip() for label in labels}
    present = {value for value in stripped.values() if value not in MISSING or value in names}
    commas = not any(FRACTION.fullmatch(value) for value in present)
    truth = bool(present) and all(value.casefold() in TRUTH for value in present)
    return {
        label: (form_of(value, commas=commas, truth=truth) if value in present else "")
        for label, value in stripped.items()
    }


def form_of(label: str, *, commas: bool = True, truth: bool = True) -> str:
    """Return `1` for `1.0` (and for `1,0` if `commas`), `true` for `TRUE` if `truth`, and any other label unchanged."""
    whole = WHOLE.fullmatch(label)
    if whole and (commas or "," not in label):
        return whole[1]
    return label.casefold() if truth and label.casefold() in TRUTH else label


def with_label(rows: Rows, forms: Mapping[str, str], options: Cleaning, where: str) -> Rows:
    """Return the rows that have a label.

    Raises:
        BadInput: if one has none, and `missing_labels` is refuse.
    """
    missing = {label for label, form in forms.items() if not form}
    if not missing:
        return rows
    positions = [row for row, label in enumerate(rows.labels) if label in missing]
    if positions and options.missing_labels == "refuse":
        value = rows.labels[positions[0]].strip()
        written = f" (it is {value!r})" if value else ""
        more = f", like {len(positions) - 1:,} more" if len(positions) > 1 else ""
        raise BadInput(
            f"Row {positions[0] + 1} of {where} has no label{written}{more}. Fill it in, or leave such rows out with "
            "data.cleaning.missing_labels=drop"
        )
    return rows.filter(lambda row: rows.labels[row] not in missing)


def merged_forms(
    forms: Mapping[str, str], counts: Mapping[str, int], options: Cleaning, names: Mapping[str, str]
) -> dict[str, str]:
    """Return the label that each form becomes, if it is another.

    Raises:
        BadInput: if forms differ only in case, blanks, Unicode form or invisible characters, and are not merged.
    """
    merge = options.merge_labels
    result: dict[str, str] = {}
    if isinstance(merge, Mapping):
        result = {form: merge[form] for form in set(forms.values()) if form in merge}
    rows: Counter[str] = Counter()
    for label, form in forms.items():
        if form:
            rows[result.get(form, form)] += counts[label]
    named = {*names, *result, *result.values(), *(merge if isinstance(merge, Mapping) else ())}
    groups = [group for group in variants(rows) if not named.issuperset(group)]  # named: different on purpose
    if not groups or looks_like_texts(rows):
        return result
    if merge != "case":
        raise BadInput(explanation(groups, rows))
    for group in groups:
        chosen = next((form for form in group if form in names), max(sorted(group), key=lambda form: rows[form]))
        result |= {form: chosen for form in group if form != chosen}
    return result


def variants(labels: Iterable[str]) -> list[list[str]]:
    """Return the groups of labels that differ only in case, blanks, Unicode form or invisible characters."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        groups[folded(label)].append(label)
    return [group for group in groups.values() if len(group) > 1]


def folded(label: str) -> str:
    """Return a label without what its variants may differ in."""
    visible = INVISIBLE.sub("", unicodedata.normalize("NFKC", label))
    return "".join(visible.replace("\u200c", "").replace("\u200d", "").casefold().split())


def looks_like_texts(rows: Mapping[str, int]) -> bool:
    """Return whether the labels are texts or ids, which are refused as such later."""
    return len(rows) > MOST_NUMBERS and len(rows) > sum(rows.values()) / 2


def explanation(groups: Sequence[Sequence[str]], rows: Mapping[str, int]) -> str:
    """Return the sentence for variants of labels, with the number of rows of each."""
    shown = "; ".join(
        ", ".join(f"{visible(label)} ({rows[label]:,})" for label in group) for group in groups[:SHOWN_GROUPS]
    )
    more = f" and {len(groups) - SHOWN_GROUPS} more" if len(groups) > SHOWN_GROUPS else ""
    return (
        f"Labels differ only in case, blanks, Unicode form or invisible characters: {shown}{more}. Merge them with "
        "data.cleaning.merge_labels=case, or correct them in the file"
    )


def visible(label: str) -> str:
    """Return a label for a message; characters that cannot be seen are escaped, and a long one is not shown."""
    if len(label) > LONGEST_NAME:
        return f"(a value of {len(label)} characters)"
    plain = label.isprintable() and label == unicodedata.normalize("NFC", label) and not INVISIBLE.search(label)
    return label if plain and "  " not in label else ascii(label)


def notes_of(forms: Mapping[str, str], merged: Mapping[str, str], counts: Mapping[str, int]) -> list[str]:
    """Return a note on labels that were merged."""
    changed = sum(counts[label] for label, form in forms.items() if form in merged)
    if not changed:
        return []
    pairs = ", ".join(f"{visible(form)} = {visible(label)}" for form, label in sorted(merged.items())[:SHOWN_GROUPS])
    return [f"labels were merged in {changed:,} row(s): {pairs}"]


def relabelled(rows: Rows, labels: Mapping[str, str]) -> Rows:
    """Return the rows with the labels that theirs become."""
    if all(label == other for label, other in labels.items()):
        return rows
    return Rows(texts=rows.texts, labels=[labels[label] for label in rows.labels], groups=rows.groups)
