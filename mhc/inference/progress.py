"""How far a table has passed by, for a person at a terminal; silent where nobody looks."""

from __future__ import annotations

import sys
from types import TracebackType


class Progress:
    """A bar on stderr. The share of the file moves within a chunk by the rows that are done."""

    def __init__(self, visible: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(
            TextColumn("labelling"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[texts]:,} texts"),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            transient=True,
            disable=not visible,
        )
        self.task = self.bar.add_task("", total=None, texts=0)
        self.texts = 0
        self.share, self.of_chunk, self.rows = 0.0, 0.0, 1

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def begin(self, rows: int, share: float | None) -> None:
        """Start a chunk of so many rows, after which this share of the table will be done (None: not known)."""
        self.share += self.of_chunk
        self.of_chunk = 0.0 if share is None else max(0.0, share - self.share)
        self.rows, self.done = rows, 0
        self.bar.update(self.task, total=None if share is None else 1.0)

    def scored(self, rows: int) -> None:
        """Hear that so many rows more are done."""
        self.texts += rows
        self.done += rows
        self.bar.update(self.task, completed=self.share + self.of_chunk * self.done / self.rows, texts=self.texts)
