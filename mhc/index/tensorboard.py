"""A folder of links to the TensorBoard logs of selected runs, with names that are readable in the legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from mhc.errors import NotFound, Unreadable
from mhc.files import is_inside
from mhc.record import RunRecord
from mhc.runs import folders, store

LOGS = "tensorboard"


class Board(NamedTuple):
    """The logs of one run, and their name in the legend."""

    name: str
    logs: Path


def boards_of(runs: Sequence[Path]) -> tuple[list[Board], list[Path]]:
    """Return the boards of the runs that have logs, and the runs that have none.

    Raises:
        NotFound: if none of the runs has logs.
    """
    with_logs = [folder for folder in runs if _has_logs(folder)]
    if not with_logs:
        raise NotFound(
            f"None of the {len(runs)} run(s) has TensorBoard logs. Train with logger=tensorboard to have them"
        )
    boards = [Board(_name(folder), (folder / LOGS).resolve()) for folder in with_logs]
    return boards, [folder for folder in runs if folder not in with_logs]


def _has_logs(folder: Path) -> bool:
    logs = folder / LOGS
    return is_inside(logs, folder) and logs.is_dir() and any(logs.rglob("events.out.tfevents.*"))


def _name(folder: Path) -> str:
    """Return `attention baseline seed 3 f1 0.583 (a1b2)`: name, model, seed, score, and the unique end of the id."""
    try:
        record = store.read(folder)
    except Unreadable:
        return folder.name
    end = folder.name[len(folder.name.rsplit("_", 3)[0]) + 1 :]
    return f"{' '.join(_parts(record))} ({end})"


def _parts(record: RunRecord) -> Iterator[str]:
    yield folders.slug(record.name)
    if record.model and record.model.name != record.name:
        yield folders.slug(record.model.name)
    if record.seed is not None:
        yield f"seed {record.seed}"
    if record.metrics.test and record.metrics.test.f1_macro is not None:
        yield f"f1 {record.metrics.test.f1_macro:.3f}"


@contextmanager
def linked(boards: Sequence[Board]) -> Iterator[Path]:
    """Yield a temporary folder with one link per board; it is removed at the end, the logs are not."""
    with TemporaryDirectory(prefix="mhc-tensorboard-") as folder:
        for board in boards:
            Path(folder, board.name).symlink_to(board.logs, target_is_directory=True)
        yield Path(folder)
