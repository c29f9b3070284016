"""Read what a report shows about runs of the index. Nothing is changed, and no text of the data is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from mhc import redaction, reduction
from mhc.analysis.run import in_detail, made, measured
from mhc.errors import MhcError
from mhc.index.data_sets import by_data_set, key_of_data
from mhc.index.index import Index
from mhc.index.labels import labels_of
from mhc.index.records import duration_of, with_json
from mhc.index.rows import Row
from mhc.production import ledger, state
from mhc.production.api import Registry
from mhc.record import Category, Location, RunRecord, Status
from mhc.report.results import Overview, RunResult, SweepResult
from mhc.report.sections.production import MAX_CANDIDATES
from mhc.runs import move_log

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
    remarks = [private(row.error) for row in rows if row.error]
    ranked = _ranked(readable)
    results = {run.path: result for run, result in _results(index, ranked, now)}
    results = _with_archiving(index, readable, results)
    detailed = _detailed(ranked)
    for row in detailed:
        results[row.path] = in_detail(results[row.path], index.folder(row.path), last_split=len(detailed) > 1)
    history, champions, objections = _production(index, ranked, results, registry, remarks)
    results |= {path: replace(results[path], objection=why) for path, why in objections.items()}
    ids = {row.id for row in readable}
    entries = [entry for entry in history if whole_history or entry.run in ids]
    return Overview(
        title=title,
        made=made(now),
        runs=[results[row.path] for row in readable],
        data_sets={data: [results[row.path] for row in group] for data, group in ranked.items()},
        sweeps=list(_sweeps(index, readable, results)),
        detailed=[results[row.path] for row in detailed],
        history=[f"{entry.at[:19]}Z {private(state.sentence(ledger.masked(entry)))}" for entry in entries],
        champions=champions,
        remarks=remarks,
    )


def private(text: str) -> str:
    """Return a text without credentials and the folders of absolute paths: a report is made to be shown to others."""
    return str(redaction.without_local_paths(redaction.text(text)))


def _ranked(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows by data set, best macro-F1 on validation first, debug runs last; those without data come last."""
    groups = by_data_set(row for row in rows if key_of_data(row))
    rest = [row for row in rows if not key_of_data(row)]
    ranked = {data: sorted(group, key=_place) for data, group in groups.items()}
    return ranked | ({"data that is not recorded": rest} if rest else {})


def _place(row: Row) -> tuple[bool, float]:
    return row.category == Category.DEBUG, -(row.val_f1_macro or -1)


def _results(index: Index, ranked: Mapping[str, list[Row]], now: datetime) -> Iterator[tuple[Row, RunResult]]:
    for group in ranked.values():
        texts = _labels(index, group)
        for place, (row, content) in enumerate(with_json(index, group)):
            recorded = replace(_decoder.decode(content), status=Status(row.shown), status_reason=row.reason)
            record = reduction.cleaned(recorded)
            label = texts.get(row.path, "")
            result = RunResult(record=record, location=row.location, label=label, seconds=duration_of(row, now))
            yield row, measured(result, index.folder(row.path)) if place < MAX_MEASURED else result


def _labels(index: Index, rows: list[Row]) -> dict[str, str]:
    if not 1 < len(rows) <= MAX_MEASURED:
        return {}
    return {row.path: private(text) for row, text in zip(rows, labels_of(index, rows).texts, strict=True)}


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
            results[row.path] = replace(results[row.path], archived=private(f"{move.at[:10]}, {move.by}: {move.why}"))
    return results


def _sweeps(index: Index, rows: Sequence[Row], results: Mapping[str, RunResult]) -> Iterator[SweepResult]:
    for sweep in dict.fromkeys(row.sweep for row in rows if row.sweep):
        members = [row for row in rows if row.sweep == sweep][:MAX_MEASURED]
        if len(members) > 1:
            labels = labels_of(index, members)
            values = [[private(value) if isinstance(value, str) else value for value in line] for line in labels.values]
            runs = [results[row.path] for row in members]
            yield SweepResult(id=sweep, runs=runs, names=labels.names, values=values)


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
        remarks.append(private(str(problem)))
        return [], [], {}
    return history, champions, {row.path: private(why) for row, why in zip(flagged, reasons, strict=True) if why}
