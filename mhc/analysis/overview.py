"""Read what a report shows about runs of the index. Nothing is changed, and no text of the data is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mhc.analysis import learning_curves, scores
from mhc.errors import MhcError
from mhc.index.data_sets import by_data_set, key_of_data
from mhc.index.index import Index
from mhc.index.labels import labels_of
from mhc.index.records import duration_of, with_json
from mhc.index.rows import Row
from mhc.model.calibration import fit_temperature
from mhc.production import ledger, state
from mhc.production.api import Registry
from mhc.record import Location, RunRecord, Status
from mhc.report.results import Overview, RunResult, SplitScores, SweepResult
from mhc.report.sections.curves import METRICS
from mhc.report.sections.production import MAX_CANDIDATES
from mhc.runs import evidence, move_log
from mhc.runs.evidence import Evidence
from mhc.statistics.estimates import Interval
from mhc.timestamps import format_time

SPLITS = ("val", "test")
MAX_MEASURED = 1000
"""Runs of a data set whose evidence and curves are read, the best ones; and runs whose differences are named."""
MAX_DETAILED = 12
"""Runs whose details are shown."""
BEST_OF_EACH = 3
"""Runs of each data set whose details are shown, if more than `MAX_DETAILED` are selected; of several runs, those of
test alone, or of val without it."""

_decoder = msgspec.json.Decoder(RunRecord)


def overview(
    index: Index, rows: Sequence[Row], registry: Registry, *, title: str, now: datetime, whole_history: bool
) -> Overview:
    """Return what the report on these runs shows.

    Args:
        index: has the runs.
        rows: the runs, newest first; those whose record cannot be read become a remark.
        registry: the bundles, for the history of production and the objections to candidates.
        title: of the report.
        now: the time of the report.
        whole_history: show all that was done in production; else what concerns these runs.
    """
    readable = [row for row in rows if not row.error]
    remarks = [row.error for row in rows if row.error]
    ranked = _ranked(readable)
    results = {run.path: result for run, result in _results(index, ranked, now)}
    results = _with_archiving(index, readable, results)
    detailed = _detailed(ranked)
    for row in detailed:
        splits = split_details(index.folder(row.path), results[row.path])
        if len(detailed) > 1:
            splits = dict(list(splits.items())[-1:])
        results[row.path] = replace(results[row.path], splits=splits)
    history, champions, objections = _production(index, ranked, results, registry, remarks)
    results |= {path: replace(results[path], objection=why) for path, why in objections.items()}
    ids = {row.id for row in readable}
    entries = [entry for entry in history if whole_history or entry.run in ids]
    return Overview(
        title=title,
        made=f"Made on {format_time(now, 'minutes')[:16].replace('T', ' at ')} UTC.",
        runs=[results[row.path] for row in readable],
        data_sets={data: [results[row.path] for row in group] for data, group in ranked.items()},
        sweeps=list(_sweeps(index, readable, results)),
        detailed=[results[row.path] for row in detailed],
        history=[f"{entry.at[:19]}Z {state.sentence(ledger.masked(entry))}" for entry in entries],
        champions=champions,
        remarks=remarks,
    )


def _ranked(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows by data set, best macro-F1 on validation first; those that know no data come last."""
    groups = by_data_set(row for row in rows if key_of_data(row))
    rest = [row for row in rows if not key_of_data(row)]
    ranked = {data: sorted(group, key=lambda row: -(row.val_f1_macro or -1)) for data, group in groups.items()}
    return ranked | ({"data that is not recorded": rest} if rest else {})


def _results(index: Index, ranked: Mapping[str, list[Row]], now: datetime) -> Iterator[tuple[Row, RunResult]]:
    for group in ranked.values():
        texts = _labels(index, group)
        for place, (row, content) in enumerate(with_json(index, group)):
            record = replace(_decoder.decode(content), status=Status(row.shown), status_reason=row.reason)
            folder = index.folder(row.path)
            measured = place < MAX_MEASURED
            yield (
                row,
                RunResult(
                    record=record,
                    location=row.location,
                    label=texts.get(row.path, ""),
                    f1=intervals(folder) if measured else {},
                    curves=learning_curves.read(folder, METRICS) if measured else {},
                    seconds=duration_of(row, now),
                ),
            )


def _labels(index: Index, rows: list[Row]) -> dict[str, str]:
    if not 1 < len(rows) <= MAX_MEASURED:
        return {}
    return dict(zip((row.path for row in rows), labels_of(index, rows).texts, strict=True))


def intervals(folder: Path) -> dict[str, Interval]:
    """Return macro-F1 with its interval by split, as far as there is evidence."""
    found = {split: scores.f1_interval(read) for split, read in _evidence(folder).items()}
    return {split: interval for split, interval in found.items() if interval is not None}


def _evidence(folder: Path) -> dict[str, Evidence]:
    """Return the evidence by split; what is missing or cannot be read is left out."""
    read = {}
    for split in SPLITS:
        try:
            read[split] = evidence.read(folder / "evaluation" / f"{split}.npz")
        except (MhcError, OSError):
            continue
    return read


def split_details(folder: Path, run: RunResult) -> dict[str, SplitScores]:
    """Return the details of each split that has evidence with rows."""
    read = {split: rows for split, rows in _evidence(folder).items() if len(rows)}
    temperature = None
    if "val" in read:
        temperature = fit_temperature(read["val"].probabilities, read["val"].labels)
    high_risk = run.record.data.high_risk if run.record.data else []
    return {split: scores.split_scores(rows, temperature, high_risk) for split, rows in read.items()}


def _detailed(ranked: Mapping[str, list[Row]]) -> list[Row]:
    if sum(map(len, ranked.values())) <= MAX_DETAILED:
        return [row for group in ranked.values() for row in group]
    best = [row for group in ranked.values() for row in group[:BEST_OF_EACH] if row.val_f1_macro is not None]
    return best[:MAX_DETAILED]


def _with_archiving(index: Index, rows: Sequence[Row], results: dict[str, RunResult]) -> dict[str, RunResult]:
    """Add when and why runs were moved to an archive."""
    moves = {move.run: move for move in move_log.read(index.outputs) if move.what == "archived"}
    for row in rows:
        if row.id in moves and row.location not in (Location.ACTIVE, Location.PRODUCTION):
            move = moves[row.id]
            results[row.path] = replace(results[row.path], archived=f"{move.at[:10]}, {move.by}: {move.why}")
    return results


def _sweeps(index: Index, rows: Sequence[Row], results: Mapping[str, RunResult]) -> Iterator[SweepResult]:
    for sweep in dict.fromkeys(row.sweep for row in rows if row.sweep):
        members = [row for row in rows if row.sweep == sweep][:MAX_MEASURED]
        if len(members) > 1:
            labels = labels_of(index, members)
            yield SweepResult(
                id=sweep, runs=[results[row.path] for row in members], names=labels.names, values=labels.values
            )


def _production(
    index: Index,
    ranked: Mapping[str, list[Row]],
    results: Mapping[str, RunResult],
    registry: Registry,
    remarks: list[str],
) -> tuple[list[ledger.Entry], list[str], dict[str, str]]:
    """Return the ledger, the names of the champions, and the objections by path; a damaged ledger is a remark."""
    flagged = [row for group in ranked.values() for row in group if row.candidate][:MAX_CANDIDATES]
    try:
        history = registry.history()
        champions = [bundle.name for bundle in registry.champions()]
        reasons = list(registry.objections([(index.folder(row.path), results[row.path].record) for row in flagged]))
    except MhcError as problem:
        remarks.append(str(problem))
        return [], [], {}
    return history, champions, {row.path: why for row, why in zip(flagged, reasons, strict=True) if why}
