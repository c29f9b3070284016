"""Details of single runs: confusion matrices, recall per class, reliability, threshold curves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from mhc.report.advice import result_notes
from mhc.report.document import Cells, Column, Figure, Grid, Matrix, Paragraph, Part, Section, file_name
from mhc.report.figures.calibration import recalls, reliability, threshold_curves
from mhc.report.figures.matrix import confusion_matrix
from mhc.report.results import Mistakes, Overview, Reliability, RunResult, SplitScores, Threshold
from mhc.report.sections.leaderboard import with_interval
from mhc.report.sections.state import facts_of
from mhc.report.tables import MISSING, Cell, score

AT = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Thresholds in the tables."""
ID_LENGTH = 12
"""Digits of the id of a row that are shown."""
PartBlock = Paragraph | Grid | Matrix | Figure


def details(overview: Overview) -> Section | None:
    """Return one part per detailed run; None without one."""
    if not overview.detailed:
        return None
    parts = [
        Part(title=f"Run {run.record.id}", blocks=[facts_of(run), *_metrics(run), *_splits(run)])
        for run in overview.detailed
    ]
    return Section(title="The run" if len(parts) == 1 else "Single runs", blocks=parts)


def _metrics(run: RunResult) -> Iterator[PartBlock]:
    rows: list[Cells] = []
    for split in ("val", "test"):
        metrics = getattr(run.record.metrics, split)
        if metrics is not None:
            others = map(score, (metrics.accuracy, metrics.loss, metrics.ece))
            rows.append((split, with_interval(run, split), *others))
    titles = ("macro-F1 (95 % interval)", "accuracy", "loss", "calibration error")
    columns = (Column("split"), *(Column(title, number=True) for title in titles))
    if rows:
        yield Grid(caption="Metrics of the best checkpoint", columns=columns, rows=rows, main=True)
    else:
        yield Paragraph(text="No split was scored.")
    yield from (Paragraph(text=f"{note[:1].upper()}{note[1:]}.") for note in result_notes(run.record))


def _splits(run: RunResult) -> Iterator[PartBlock]:
    for split, scores in run.splits.items():
        key = f"{file_name(run.record.id)}-{split}"
        yield _matrix(key, split, scores)
        yield _recall(key, split, scores, run)
        yield _reliability(key, split, scores)
        yield from (_threshold(key, split, curve) for curve in scores.thresholds)
        if scores.mistakes.listed:
            yield mistakes(split, scores.mistakes)


def mistakes(split: str, found: Mistakes) -> Grid:
    """Return the most confident mistakes by id."""
    rows: list[Cells] = [
        (one.id[:ID_LENGTH], one.label, one.predicted, score(one.confidence), score(one.of_label),
         "suspect" if one.suspect else MISSING)
        for one in found.listed
    ]  # fmt: skip
    columns = (
        Column("id"), Column("label"), Column("predicted"), Column("probability", number=True),
        Column("of the label", number=True), Column("label itself"),
    )  # fmt: skip
    caption = f"Most confident of {found.wrong:,} mistakes on {split}; {found.suspects:,} labels are suspect"
    return Grid(caption=caption, columns=columns, rows=rows)


def _matrix(key: str, split: str, scores: SplitScores) -> Matrix:
    counts = scores.counts.tolist()
    return Matrix(
        caption=f"Confusion matrix on {split}: rows are true classes, columns predicted ones",
        names=scores.labels,
        counts=counts,
        draw=partial(confusion_matrix, counts=counts, names=list(scores.labels)),
        name=f"confusion-{key}",
    )


def _recall(key: str, split: str, scores: SplitScores, run: RunResult) -> Figure:
    high_risk = run.record.data.high_risk if run.record.data else []
    order = sorted(range(len(scores.labels)), key=lambda place: scores.labels[place] not in high_risk)
    names = [scores.labels[place] for place in order]
    intervals = [scores.recall[place] for place in order]
    metrics = getattr(run.record.metrics, split)
    rows: list[Cells] = []
    for name, interval in zip(names, intervals, strict=True):
        precision = metrics.precision.get(name) if metrics else None
        bounds = f"{interval.low:.3f} to {interval.high:.3f}" if interval else MISSING
        marked = Cell(f"{name} (high-risk)", "bold") if name in high_risk else Cell(name)
        number = f"{interval.examples:,}" if interval else "0"
        rows.append((marked, score(interval.point if interval else None), bounds, score(precision), number))
    titles = ("recall", "interval", "precision", "rows")
    measured = [(interval.point, name) for name, interval in zip(names, intervals, strict=True) if interval]
    lowest = f"The lowest is {min(measured)[0]:.3f} of {min(measured)[1]}. " if measured else ""
    first = "High-risk classes come first. " if high_risk else ""
    return Figure(
        name=f"recall-{key}",
        caption=f"Recall per class on {split}, with 95 % intervals",
        text=f"Recall of {len(names)} classes. {first}{lowest}The numbers are in the table below",
        draw=partial(recalls, names=names, intervals=intervals),
        numbers=Grid(
            caption=f"Numbers: recall per class on {split}",
            columns=(Column("class"), *(Column(title, number=True) for title in titles)),
            rows=rows,
        ),
    )


def _reliability(key: str, split: str, scores: SplitScores) -> Figure:
    curves = {"before": scores.before}
    after = ""
    if scores.after is not None:
        curves["after"] = scores.after
        after = f", {scores.after.error:.3f} after (temperature {scores.temperature:.2f}, fitted on validation)"
    return Figure(
        name=f"reliability-{key}",
        caption=f"Reliability on {split}: calibration error {scores.before.error:.3f} before calibration{after}",
        text=f"Accuracy by confidence. The calibration error is {scores.before.error:.3f} before{after}",
        draw=partial(reliability, curves=curves),
        numbers=Grid(
            caption=f"Numbers: reliability on {split}",
            columns=(
                Column("calibration"),
                *(Column(name, number=True) for name in ("confidence", "accuracy", "rows")),
            ),
            rows=[row for name, curve in curves.items() for row in _bins(name, curve)],
        ),
    )


def _bins(name: str, curve: Reliability) -> Iterator[Cells]:
    for place in np.flatnonzero(curve.rows):
        yield (
            name,
            score(float(curve.confidence[place])),
            score(float(curve.accuracy[place])),
            f"{int(curve.rows[place]):,}",
        )


def _threshold(key: str, split: str, curve: Threshold) -> Figure:
    places = [int(np.argmin(np.abs(curve.thresholds - at))) for at in AT]
    rows = [
        (f"{curve.thresholds[place]:.2f}", score(float(curve.recall[place])), _or_missing(curve.precision[place]))
        for place in places
    ]
    return Figure(
        name=f"threshold-{key}-{file_name(curve.label)}",
        caption=f"{curve.label} on {split}: recall and precision by threshold",
        text=f"Recall and precision of {curve.label} by the threshold on its probability. The numbers are in the "
        "table below",
        draw=partial(threshold_curves, curve=curve),
        numbers=Grid(
            caption=f"Numbers: {curve.label} on {split}",
            columns=(Column("threshold"), Column("recall", number=True), Column("precision", number=True)),
            rows=rows,
        ),
    )


def _or_missing(value: float) -> str:
    return MISSING if np.isnan(value) else score(float(value))
