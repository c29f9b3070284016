"""Examine data files: what they are, what is wrong with them, and the command line that trains on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mhc.audit import command, suspects, tables, texts, tokens, trial
from mhc.audit.findings import Audit, Finding, Labelling
from mhc.audit.tables import Part, Wishes
from mhc.audit.texts import Cleaned
from mhc.audit.trial import Trial
from mhc.data.cleaning import Rows


@dataclass(frozen=True, kw_only=True)
class Examined:
    """An audit, and the rows that it is about."""

    audit: Audit
    parts: Mapping[str, Part]

    def text(self, file: str, number: int) -> str:
        """Return the text of a row; only for a person who asked to see it."""
        for part in self.parts.values():
            if str(part.path) == file and number in part.numbers:
                return part.rows.texts[part.numbers.index(number)]
        return ""


def examine(paths: Sequence[Path], wishes: Wishes, *, check_labels: bool) -> Examined:
    """Return the audit of one file, or of one per split.

    Raises:
        BadInput: if a file cannot be read, or no column looks like texts or labels.
        NotFound: if there is no such file.
    """
    opened = tables.open_tables(tables.splits_of(paths), wishes)
    parts: dict[str, Part] = {}
    files = []
    for table in opened:
        read, notes = tables.read(table)
        parts |= read
        files.append(tables.facts_of(table, sum(len(part.rows) for part in read.values()), notes))
    repairs: Counter[str] = Counter()
    splits = {name: texts.cleaned(part, name, repairs) for name, part in parts.items()}
    facts = {name: texts.facts_of(split) for name, split in splits.items()}
    if all(split.labels for split in facts.values()):
        outcome = trial.of_splits({name: split.rows for name, split in splits.items()}, ", ".join(map(str, paths)))
    else:
        outcome = trial.refused(f"the values of {opened[0].roles.label} are texts or ids. Name another with --label")
    labelling = labels_checked(splits) if check_labels else "it was not asked for (--no-suspects)"
    lengths, cuts = tokens.of_texts([text for split in splits.values() for text in split.rows.texts])
    info = outcome.info
    audit = Audit(
        files=files,
        roles=opened[0].roles,
        splits=facts,
        tokens=lengths,
        cuts=cuts,
        findings=[*texts.findings_of(splits, repairs), *findings_of_trial(outcome)],
        labelling=labelling if isinstance(labelling, Labelling) else None,
        unchecked=labelling if isinstance(labelling, str) else "",
        cleaning=info.cleaning if info else {},
        trained_on={name: facts.labels for name, facts in info.splits.items()} if info else {},
        command=command.line(opened, outcome.amendments),
        refusal=outcome.refusal,
    )
    return Examined(audit=audit, parts=parts)


def labels_checked(splits: Mapping[str, Cleaned]) -> Labelling | str:
    """Return the check of the labels of all splits together."""
    all_rows = [split.rows for split in splits.values()]
    with_authors = all(rows.groups is not None for rows in all_rows)
    rows = Rows(
        texts=[text for each in all_rows for text in each.texts],
        labels=[label.strip() for each in all_rows for label in each.labels],
        groups=[group for each in all_rows for group in each.groups or ()] if with_authors else None,
    )
    places = [(str(split.part.path), number) for split in splits.values() for number in split.part.numbers]
    return suspects.of_rows(rows, places)


def findings_of_trial(outcome: Trial) -> Iterator[Finding]:
    """Yield what shows only when the data is split: near copies, and classes that are too small."""
    info = outcome.info
    if info is None:
        return
    for name, facts in info.splits.items():
        if facts.near_duplicates:
            share = facts.near_duplicates / max(1, facts.rows)
            cut = "" if info.cut.get(name) == "given" else ", after a training has cut the splits"
            yield Finding(
                what="near_copies",
                split=name,
                count=facts.near_duplicates,
                sentence=f"{name}: {facts.near_duplicates:,} of {facts.rows:,} texts ({share:.0%}) are near copies of "
                f"texts of train{cut}",
            )
    if not outcome.near_copies_counted:
        sentence = f"near copies were not counted: there are more than {trial.MOST_ROWS_FOR_NEAR_COPIES:,} rows"
        yield Finding(what="near_copies_not_counted", count=0, sentence=sentence)
    small = [note for note in info.notes if note.startswith("too few rows of")]
    for note in small:
        yield Finding(what="small_classes", count=1, sentence=note)
