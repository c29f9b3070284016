"""The sections of `mhc details`: each prints one group of facts, or nothing if none is recorded."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from mhc.cli.output import Column, echo, show_table, status_cell, title
from mhc.index.rows import Row
from mhc.record import Promotion, RunRecord
from mhc.report.advice import result_notes
from mhc.report.data_notes import data_notes
from mhc.report.folds import members_sentence, refit_sentence
from mhc.report.formatting import format_age, format_duration, format_number, format_size, format_time
from mhc.report.tables import (
    MISSING,
    Cell,
    class_table,
    metrics_table,
    score,
    tempered_error,
    verdict_cell,
    with_remedy,
)
from mhc.terminal import clean, quantity
from mhc.timestamps import parse_recorded

MAX_FILES = 30
"""Files that are listed; of the others only the number and the size are printed."""


def show_facts(pairs: list[tuple[str, str | Cell]]) -> None:
    """Print lines `name  value`, without those that have no value."""
    rows = [[Cell(name, "dim"), value] for name, value in pairs if value not in ("", MISSING)]
    if rows:
        show_table((Column(""), Column("", wrap=True)), rows, header=False)


def heading(record: RunRecord, row: Row, folder: Path, now: datetime) -> None:
    """Print the id of the run, its state, and the reason of its category."""
    title(record.id)
    start, end = parse_recorded(record.started_at or record.created_at), parse_recorded(record.ended_at)
    end = now if record.status == "running" else end
    seconds = (end - start).total_seconds() if start and end else None
    show_facts(
        [
            ("status", with_reason(status_cell(record.status.value), record.status_reason)),
            ("category", f"{record.category.value}: {record.category_reason}" if record.category else "not classified"),
            ("name", record.name),
            ("description", record.description),
            ("tags", ", ".join(record.tags)),
            ("note", record.note),
            ("pinned", "yes: it is never archived by rule" if record.pinned else ""),
            ("made", f"{format_time(record.created_at)} ({format_age(record.created_at, now)})"),
            ("took", format_duration(seconds)),
            ("place", f"{folder}" if row.location == "active" else f"{folder} ({row.location})"),
            ("sweep", f"{record.sweep.id}, job {record.sweep.job}" if record.sweep else ""),
            ("seed", MISSING if record.seed is None else str(record.seed)),
            ("seed group", record.group),
            ("process", process_of(record)),
        ]
    )


def process_of(record: RunRecord) -> str:
    """Return where the run is running; an empty text if it has ended."""
    if record.process is None or record.status != "running":
        return ""
    slurm = f", SLURM job {record.process.slurm_job_id}" if record.process.slurm_job_id else ""
    return f"{record.process.pid} on {record.process.host}, {quantity(record.process.world_size, 'rank')}{slurm}"


def failure(record: RunRecord, folder: Path) -> None:
    """Print why the run failed, and the file of the traceback."""
    if record.failure is None:
        return
    title("Failure")
    traceback = str(folder / record.failure.traceback) if record.failure.traceback else ""
    show_facts(
        [
            (record.failure.type, record.failure.sentence),
            ("where", record.failure.where),
            ("traceback", traceback),
        ]
    )


def promotion(record: RunRecord) -> None:
    """Print whether the run is a candidate, and the verdict of every gate."""
    decision = record.promotion
    title("Promotion")
    show_facts(
        [
            ("candidate", with_reason(candidate_cell(decision), decision.reason)),
            ("policy", decision.policy),
            ("bundles", ", ".join(decision.bundles)),
        ]
    )
    if decision.gates:
        columns = (Column("gate"), Column("verdict"), Column("measured", right=True), Column("reason", wrap=True))
        gates = decision.gates
        rows = [
            (gate.name, verdict_cell(gate.verdict), score(gate.measured), with_remedy(gate.reason, gate.remedy))
            for gate in gates
        ]
        show_table(columns, rows)


def with_reason(cell: Cell, reason: str) -> Cell:
    """Return a conclusion followed by its reason, in the colour of the conclusion."""
    return Cell(f"{cell.text}: {reason}", cell.style) if reason else cell


def candidate_cell(decision: Promotion) -> Cell:
    """Return yes, no, or not judged."""
    if decision.candidate is None:
        return Cell("not judged", "dim")
    return Cell("yes", "bold green") if decision.candidate else Cell("no", "red")


def metrics(record: RunRecord) -> None:
    """Print the metrics of both splits, and those of each class on test (or val if there is no test)."""
    splits = {
        name: split for name, split in (("val", record.metrics.val), ("test", record.metrics.test)) if split is not None
    }
    if record.refit:
        echo()
        echo(refit_sentence(record.refit))
    if record.ensemble:
        echo()
        echo(members_sentence(record.ensemble))
    if not splits:
        return
    title("Metrics of the best checkpoint")
    table = metrics_table(splits, tempered_error(record.promotion))
    show_table([Column(name, right=bool(number)) for number, name in enumerate(table.titles)], table.rows)
    show_facts([("note", note) for note in result_notes(record)])
    name, split = list(splits.items())[-1]
    if split.f1:
        facts = record.data.splits.get(name) if record.data else None
        table = class_table(name, split, facts.labels if facts else {})
        first, *others = table.titles
        echo()
        show_table((Column(first, min_width=12), *(Column(other, right=True) for other in others)), table.rows)


def model(record: RunRecord) -> None:
    """Print which model was trained."""
    facts = record.model
    if not facts:
        return
    title("Model")
    start = f", from {facts.pretrained}" if facts.pretrained else ""
    show_facts(
        [
            ("model", f"{facts.name}: {facts.architecture}{start}"),
            ("parameters", f"{format_number(facts.parameters)}, {format_number(facts.trainable_parameters)} trained"),
            ("longest text", f"{facts.max_tokens} tokens" if facts.max_tokens else ""),
        ]
    )


def data(record: RunRecord) -> None:
    """Print which data the model was trained on."""
    facts = record.data
    if not facts:
        return
    title("Data")
    kind = "synthetic" if facts.synthetic else facts.source
    share = f"; {facts.train_fraction:.0%} of train was used" if facts.train_fraction < 1 else ""
    show_facts([("data", f"{facts.name} ({kind}){share}" if kind else f"{facts.name}{share}")])
    show_table(
        (Column("split"), Column("rows", right=True), Column("cut"), Column("fingerprint", min_width=12)),
        [
            (name, format_number(split.rows), facts.cut.get(name, MISSING), split.fingerprint[:16])
            for name, split in facts.splits.items()
        ],
    )
    show_facts([("found" if not number else "", note) for number, note in enumerate(data_notes(facts))])


def timing(record: RunRecord) -> None:
    """Print how long the run took, and which checkpoint it reached."""
    times, best = record.timing, record.checkpoint
    facts: list[tuple[str, str | Cell]] = [
        ("set-up", format_duration(times.setup_s)),
        ("fit", format_duration(times.fit_s)),
        ("test", format_duration(times.test_s)),
        ("reached", ", ".join(_reached(record))),
        ("throughput", f"{times.tokens_per_s:,.0f} tokens/s" if times.tokens_per_s else ""),
        ("throughput", f"{times.ngrams_per_s:,.0f} n-grams/s" if times.ngrams_per_s else ""),
        ("checkpoint", f"{best.path}, {format_size(best.bytes)}, sha256 {best.sha256[:12]}" if best else ""),
    ]
    if any(value not in ("", MISSING) for _, value in facts):
        title("Timing")
        show_facts(facts)


def _reached(record: RunRecord) -> Iterator[str]:
    if record.timing.epochs is not None:
        yield f"{record.timing.epochs} epochs"
    if record.timing.steps is not None:
        yield f"{record.timing.steps:,} steps"
    if record.checkpoint and record.checkpoint.score is not None:
        yield f"best {record.checkpoint.monitor} {score(record.checkpoint.score)}"


def lineage(record: RunRecord) -> None:
    """Print the command, code, config, hardware and packages of the run."""
    facts = record.lineage
    title("Lineage")
    dirty = " with changes" if facts.git_dirty else ""
    diff = f" (see {facts.git_diff})" if facts.git_diff else ""
    commit = f"{facts.git_commit[:12]} on {facts.git_branch}{dirty}{diff}" if facts.git_commit else ""
    show_facts(
        [
            ("command", shlex.join(facts.command)),
            ("git", commit),
            ("config", facts.config_hash[:16]),
            ("imported from", facts.imported_from or ""),
            ("python", f"{facts.python} on {facts.platform}" if facts.python else ""),
            ("hardware", ", ".join(f"{name} {value}" for name, value in facts.hardware.items())),
            ("packages", ", ".join(f"{name} {version}" for name, version in facts.packages.items())),
        ]
    )


def history(record: RunRecord) -> None:
    """Print every event: time, what happened, by whom, why."""
    if record.history:
        title("History")
        columns = (
            Column("at (UTC)"),
            Column("what", min_width=10),
            Column("by", min_width=10),
            Column("why", wrap=True),
        )
        show_table(columns, [(format_time(event.at)[:19], event.what, event.by, event.why) for event in record.history])


def files(folder: Path) -> None:
    """List the files of the folder with their sizes, the largest first."""
    sizes = sorted(file_sizes(folder), key=lambda pair: -pair[1])
    title(f"Files: {format_size(sum(size for _, size in sizes))} in {len(sizes)}")
    rows = [(name, format_size(size)) for name, size in sizes[:MAX_FILES]]
    show_table((Column("file", min_width=20, cut_middle=True), Column("size", right=True)), rows)
    if len(sizes) > MAX_FILES:
        rest = sizes[MAX_FILES:]
        echo(f"and {len(rest)} more, {format_size(sum(size for _, size in rest))}", "dim")


def file_sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the files of a folder, relative to it, with their sizes in bytes."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            with suppress(FileNotFoundError):  # a running run replaces files
                yield clean(path.relative_to(folder)), path.lstat().st_size
