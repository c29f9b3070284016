"""What the record of a run has beside its scores, as sections: state, timing, origin, history. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from mhc.analysis.overview import private
from mhc.cli.details_sections import MAX_FILES
from mhc.record import RunRecord
from mhc.report.data_notes import data_notes
from mhc.report.document import Block, Column, Grid, Section
from mhc.report.formatting import format_duration, format_size, format_time
from mhc.report.tables import MISSING, score
from mhc.terminal import quantity

FACT_COLUMNS = (Column("fact"), Column("value"))


def sections(record: RunRecord, files: Sequence[tuple[str, int]]) -> list[Section]:
    """Return the sections that have something to show."""
    made = [
        Section(title="Notes", blocks=list(_grid("Notes and groups", _annotations(record)))),
        Section(title="Timing", blocks=list(_grid("Timing and checkpoint", _timing(record)))),
        Section(title="Origin", blocks=list(_grid("Code, configuration and machine", _lineage(record)))),
        Section(title="History", blocks=[_history(record)] if record.history else []),
        Section(title="Files", blocks=[_files(files)] if files else []),
    ]
    return [section for section in made if section.blocks]


def _grid(caption: str, facts: dict[str, str]) -> Iterator[Block]:
    rows = [(name, private(value)) for name, value in facts.items() if value not in ("", MISSING)]
    if rows:
        yield Grid(caption=caption, columns=FACT_COLUMNS, rows=rows)


def _annotations(record: RunRecord) -> dict[str, str]:
    return {
        "name": record.name,
        "note": record.note,
        "pinned": "yes: it is never archived by rule" if record.pinned else "",
        "sweep": f"{record.sweep.id}, job {record.sweep.job}" if record.sweep else "",
        "seed group": record.group,
        "bundles": ", ".join(record.promotion.bundles),
        "found in the data": "; ".join(data_notes(record.data)),
        "process": f"{record.process.pid} on {record.process.host}"
        if record.process and record.status == "running"
        else "",
    }


def _timing(record: RunRecord) -> dict[str, str]:
    times, best = record.timing, record.checkpoint
    return {
        "set-up": format_duration(times.setup_s),
        "fit": format_duration(times.fit_s),
        "test": format_duration(times.test_s),
        "epochs": "" if times.epochs is None else str(times.epochs),
        "steps": "" if times.steps is None else f"{times.steps:,}",
        "throughput": f"{times.tokens_per_s:,.0f} tokens/s" if times.tokens_per_s else "",
        "n-grams": f"{times.ngrams_per_s:,.0f} n-grams/s" if times.ngrams_per_s else "",
        "best": f"{best.monitor} {score(best.score)}" if best and best.score is not None else "",
        "checkpoint": f"{best.path}, {format_size(best.bytes)}, sha256 {best.sha256[:12]}" if best else "",
    }


def _lineage(record: RunRecord) -> dict[str, str]:
    facts = record.lineage
    changes = " with uncommitted changes" if facts.git_dirty else ""
    return {
        "command": shlex.join(facts.command),
        "git": f"{facts.git_commit[:12]} on {facts.git_branch}{changes}" if facts.git_commit else "",
        "config": facts.config_hash[:16],
        "imported from": facts.imported_from or "",
        "python": f"{facts.python} on {facts.platform}" if facts.python else "",
        "hardware": ", ".join(f"{name} {value}" for name, value in facts.hardware.items()),
        "packages": ", ".join(f"{name} {version}" for name, version in facts.packages.items()),
    }


def _history(record: RunRecord) -> Grid:
    rows = [(format_time(event.at)[:19], event.what, event.by, private(event.why)) for event in record.history]
    columns = (Column("at (UTC)"), Column("what"), Column("by"), Column("why"))
    return Grid(caption="What happened to the run, oldest first", columns=columns, rows=rows)


def _files(files: Sequence[tuple[str, int]]) -> Grid:
    ordered = sorted(files, key=lambda pair: -pair[1])
    caption = f"{quantity(len(files), 'file')}, {format_size(sum(size for _, size in files))}; the largest first"
    rows = [(name, format_size(size)) for name, size in ordered[:MAX_FILES]]
    return Grid(caption=caption, columns=(Column("file"), Column("size", number=True)), rows=rows)
