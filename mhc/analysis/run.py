"""What one run has measured, read from its folder; and its own report, written into it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from mhc import reduction
from mhc.analysis import learning_curves, scores
from mhc.errors import MhcError
from mhc.model.calibration import fit_temperature
from mhc.record import RunRecord
from mhc.report import whole
from mhc.report.formats import page
from mhc.report.results import Overview, RunResult
from mhc.report.sections.curves import METRICS
from mhc.runs import atomic, evidence, own_folder
from mhc.runs.evidence import Evidence
from mhc.timestamps import format_time, parse_recorded

REPORT = "report.html"
"""A run's own report, in its folder."""
SPLITS = ("val", "test")


def measured(run: RunResult, folder: Path) -> RunResult:
    """Return the run with its learning curves, and with the interval of macro-F1 as far as there is evidence."""
    found = {split: scores.f1_interval(rows) for split, rows in _evidence(folder).items()}
    f1 = {split: interval for split, interval in found.items() if interval is not None}
    return replace(run, f1=f1, curves=learning_curves.read(folder, METRICS))


def in_detail(run: RunResult, folder: Path, *, last_split: bool = False) -> RunResult:
    """Return the run with the details of each split that has evidence, or of test alone, or of val without it."""
    read = {split: rows for split, rows in _evidence(folder).items() if len(rows)}
    temperature = None
    if "val" in read:
        temperature = fit_temperature(read["val"].probabilities, read["val"].labels)
    high_risk = run.record.data.high_risk if run.record.data else []
    shown = list(read)[-1:] if last_split else list(read)
    return replace(run, splits={split: scores.split_scores(read[split], temperature, high_risk) for split in shown})


def _evidence(folder: Path) -> dict[str, Evidence]:
    """Return the evidence by split; what is missing or cannot be read is left out."""
    read = {}
    for split in SPLITS:
        try:
            read[split] = evidence.read(folder / "evaluation" / f"{split}.npz")
        except (MhcError, OSError):
            continue
    return read


def made(now: datetime) -> str:
    """Return when a report was made, as a sentence."""
    return f"Made on {format_time(now, 'minutes')[:16].replace('T', ' at ')} UTC."


def write_report(folder: Path, record: RunRecord, now: datetime) -> Path:
    """Write the report of a run that has ended into its folder, and return the path.

    Raises:
        BadInput: if it cannot be written.
        NotFound: if the folder does not exist.
        FolderMoved: if this process trains the run, and its folder is not at its path any more.
    """
    start, end = parse_recorded(record.started_at or record.created_at), parse_recorded(record.ended_at)
    seconds = (end - start).total_seconds() if start and end else None
    run = RunResult(record=reduction.cleaned(record), location="active", seconds=seconds)
    run = in_detail(measured(run, folder), folder)
    overview = Overview(title=record.id, made=made(now), runs=[run], data_sets={_data(record): [run]}, detailed=[run])
    content = page.render(whole.of_run(overview)).encode()
    own_folder.check(folder)
    atomic.write(folder / REPORT, content, synced=False)
    return folder / REPORT


def _data(record: RunRecord) -> str:
    return record.data.name if record.data else "data that is not recorded"
