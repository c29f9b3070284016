"""A folder of links to the TensorBoard logs of selected runs, with names that are readable in the legend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from mhc.errors import NotFound
from mhc.files import is_inside
from mhc.index.index import Index
from mhc.index.labels import labels_of
from mhc.index.rows import Row
from mhc.runs import folders
from mhc.terminal import quantity

LOGS = "tensorboard"
MAX_LABEL = 100
"""Characters of a label; a file name has at most 255 bytes."""
MAX_END = 20
"""Characters of the end of an id: `20261120_120000_a1b2`."""


class Board(NamedTuple):
    """The logs of one run, and their name in the legend."""

    name: str
    logs: Path


def boards_of(index: Index, rows: Sequence[Row]) -> tuple[list[Board], list[Row]]:
    """Return the boards of the runs that have logs, and the runs that have none.

    Raises:
        NotFound: if none of the runs has logs.
    """
    with_logs = [row for row in rows if _has_logs(index.folder(row.path))]
    if not with_logs:
        raise NotFound(
            f"None of {quantity(len(rows), 'run')} has TensorBoard logs. Train with logger=tensorboard to have them"
        )
    names = _names(index, with_logs)
    boards = [
        Board(name, (index.folder(row.path) / LOGS).resolve()) for name, row in zip(names, with_logs, strict=True)
    ]
    return boards, [row for row in rows if row not in with_logs]


def _has_logs(folder: Path) -> bool:
    logs = folder / LOGS
    return is_inside(logs, folder) and logs.is_dir() and any(logs.rglob("events.out.tfevents.*"))


def _names(index: Index, rows: Sequence[Row]) -> list[str]:
    """Return `lr=0.003 seed=2 val 0.583` for each run: what differs between them, and macro-F1 on validation.

    The name of the run comes first if names differ, or nothing does; the end of the id last if two would be equal.
    """
    readable = [row for row in rows if not row.error]
    labels = dict(zip(readable, labels_of(index, readable).texts, strict=True))
    with_name = len({row.name for row in rows}) > 1 or not any(labels.values())
    names = [" ".join(_parts(row, labels.get(row, ""), with_name=with_name)) for row in rows]
    counts = Counter(names)
    return [
        name if name and counts[name] == 1 else f"{name} ({row.path.rpartition('/')[2][-MAX_END:]})".strip()
        for name, row in zip(names, rows, strict=True)
    ]


def _parts(row: Row, label: str, *, with_name: bool) -> Iterator[str]:
    if with_name:
        yield folders.slug(row.name)
    if label:
        yield "".join(letter if letter.isprintable() and letter != "/" else "_" for letter in label)[:MAX_LABEL]
    if row.val_f1_macro is not None:
        yield f"val {row.val_f1_macro:.3f}"


@contextmanager
def linked(boards: Sequence[Board]) -> Iterator[Path]:
    """Yield a temporary folder with one link per board; it is removed at the end, the logs are not."""
    with TemporaryDirectory(prefix="mhc-tensorboard-") as folder:
        for board in boards:
            Path(folder, board.name).symlink_to(board.logs, target_is_directory=True)
        yield Path(folder)
