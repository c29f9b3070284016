"""An audit as the values of a report: sections of paragraphs and tables, for a terminal or a page. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mhc.audit.findings import Audit, FileFacts
from mhc.report.document import Block, Column, Document, Grid, Paragraph, Section
from mhc.terminal import quantity

MOST_CLASSES = 60
MOST_SUSPECTS = 20
METHOD = (
    "By confident learning (Northcutt et al. 2021): for a linear model trained on the other rows, another label is as "
    "probable as for the rows that have it. Read such rows before you change anything: if people do not agree on the "
    "labels, the model is often the one that is wrong."
)


def document(audit: Audit, made: str) -> Document:
    """Return the report on data files."""
    rows = sum(split.rows for split in audit.splits.values())
    sections = [files(audit), classes(audit), lengths(audit), defects(audit), suspects(audit), training(audit)]
    return Document(
        title=" and ".join(file.path for file in audit.files),
        summary=f"{quantity(rows, 'row')} of {quantity(len(audit.files), 'file')}.",
        made=made,
        sections=sections,
    )


def files(audit: Audit) -> Section:
    """Return what the files are, and what their columns look like."""
    blocks: list[Block] = []
    for file in audit.files:
        blocks.append(Paragraph(text=sentence_of(file)))
        blocks += [Paragraph(text=note) for note in file.notes]
        rows = [
            (one.name, one.role, f"{one.filled:.0%}", f"{one.distinct:,}", f"{one.characters:.0f}")
            for one in file.columns
        ]
        columns = (
            Column("column"),
            Column("taken for"),
            Column("filled", number=True),
            Column("different values", number=True),
            Column("mean characters", number=True),
        )
        looked = file.columns[0].rows if file.columns else 0
        blocks.append(Grid(caption=f"Columns of {file.path} (the first {looked:,} rows)", columns=columns, rows=rows))
    return Section(title="Files", blocks=blocks)


def sentence_of(file: FileFacts) -> str:
    """Return split, rows, separator and encoding of a file."""
    separator = f", separated by {file.separator}" if file.separator else ""
    encoding = f", {file.encoding}" if file.encoding else ""
    return f"{file.path} ({file.split}): {quantity(file.rows, 'row')}{separator}{encoding}"


def classes(audit: Audit) -> Section:
    """Return the rows of each class in each split."""
    if not all(split.labels for split in audit.splits.values()):
        counts = ", ".join(
            f"{split.classes:,} in {split.rows:,} rows of {name}" for name, split in audit.splits.items()
        )
        text = f"The values of the column of labels are texts or ids, not classes: {counts}. Name another with --label"
        return Section(title="Classes", blocks=[Paragraph(text=text, important=True)])
    names = list(dict.fromkeys(label for split in audit.splits.values() for label in split.labels))
    columns = [Column("class"), *(Column(name, number=True) for name in audit.splits)]
    rows = [[shown(label), *(f"{split.labels.get(label, 0):,}" for split in audit.splits.values())] for label in names]
    blocks: list[Block] = [Grid(caption="Rows by class and split", columns=columns, rows=rows[:MOST_CLASSES])]
    if len(rows) > MOST_CLASSES:
        blocks.append(Paragraph(text=f"and {quantity(len(rows) - MOST_CLASSES, 'other class')}"))
    authors = {name: split.authors for name, split in audit.splits.items() if split.authors is not None}
    if authors:
        counted = ", ".join(f"{name} {count:,}" for name, count in authors.items())
        blocks.append(Paragraph(text=f"Authors ({audit.roles.author}): {counted}"))
    return Section(title="Classes", blocks=blocks)


def shown(label: str) -> str:
    """Return a label that cannot be a text, as messages do."""
    from mhc.data.label_forms import visible

    return visible(label) if label.strip() else "(none)"


def lengths(audit: Audit) -> Section:
    """Return the lengths of texts, and the rows that each model cuts."""
    columns = (Column("texts"), *(Column(name, number=True) for name in ("median", "95 % up to", "longest")))
    measured = [(f"{name}, words", split.words) for name, split in audit.splits.items()]
    if audit.tokens:
        measured.append(("all, tokens (about)", audit.tokens))
    rows = [(name, f"{one.median:,}", f"{one.p95:,}", f"{one.longest:,}") for name, one in measured]
    blocks: list[Block] = [Grid(caption="Lengths of texts", columns=columns, rows=rows)]
    if audit.cuts:
        limits = (Column("model"), Column("max_tokens", number=True), Column("texts that are cut", number=True))
        cuts = [(f"model={cut.model}", f"{cut.max_tokens:,}", f"{cut.share:.1%}") for cut in audit.cuts]
        blocks.append(Grid(caption="Texts that models cut", columns=limits, rows=cuts))
    return Section(title="Lengths", blocks=blocks)


def defects(audit: Audit) -> Section:
    """Return what is wrong, with the keys that help."""
    blocks: list[Block] = [
        Paragraph(text=finding.sentence + (f": {finding.remedy}" if finding.remedy else ""), important=True)
        for finding in audit.findings
    ]
    return Section(title="What is wrong", blocks=blocks or [Paragraph(text="Nothing was found.")])


def suspects(audit: Audit) -> Section:
    """Return the rows whose label may be wrong."""
    check = audit.labelling
    if check is None:
        return Section(title="Labels", blocks=[Paragraph(text=f"The labels were not checked: {audit.unchecked}")])
    text = (
        f"{check.suspects:,} of {check.rows:,} labels are suspect ({check.suspects / max(1, check.rows):.1%}); a "
        f"linear model agrees with {check.accuracy:.0%} of all."
    )
    blocks: list[Block] = [Paragraph(text=text)]
    if check.worst:
        blocks.append(Paragraph(text=METHOD))
        columns = (
            Column("file"),
            Column("row", number=True),
            Column("label"),
            Column("suspected"),
            Column("probability", number=True),
        )
        rows = [
            (one.file, str(one.row), shown(one.given), shown(one.suspected), f"{one.probability:.2f}")
            for one in check.worst[:MOST_SUSPECTS]
        ]
        blocks.append(Grid(caption="The most suspect rows", columns=columns, rows=rows))
    return Section(title="Labels", blocks=blocks)


def training(audit: Audit) -> Section:
    """Return what cleaning leaves, and the command that trains."""
    return Section(title="Training", blocks=list(training_blocks(audit)))


def training_blocks(audit: Audit) -> Iterator[Block]:
    """Yield rows that are left out, rows of each split, and the command."""
    if audit.refusal:
        yield Paragraph(text=f"A training refuses this data: {audit.refusal}", important=True)
    left_out = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in audit.cleaning.items())
    if audit.trained_on:
        sizes = ", ".join(f"{name} {total(labels):,}" for name, labels in audit.trained_on.items())
        yield Paragraph(text=f"Cleaning leaves out {left_out or 'nothing'}. Rows of a training: {sizes}.")
    if "label_names" in audit.command:
        yield Paragraph(text="The labels are numbers: replace the names of the classes in the command.")
    yield Paragraph(text=audit.command)


def total(labels: dict[str, int]) -> int:
    """Return the rows of a split."""
    return sum(labels.values())
