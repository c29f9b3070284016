"""Progress bar of `mhc.predict` on stderr, shown only on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType


class ProgressBar:
    """The share of the input that is labelled; within a chunk it follows the rows that are done."""

    def __init__(self, *, visible: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self.progress = Progress(
            TextColumn("labelling"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[texts]:,} texts"),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            transient=True,
            disable=not visible,
        )
        self.task = self.progress.add_task("", total=None, texts=0)
        self.texts = 0
        self.share, self.chunk_share = 0.0, 0.0
        self.chunk_rows, self.chunk_done = 1, 0

    def __enter__(self) -> ProgressBar:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def start_chunk(self, rows: int, share: float | None) -> None:
        """Start a chunk of `rows` rows, after which `share` of the input is done (None: unknown)."""
        self.share += self.chunk_share
        self.chunk_share = 0.0 if share is None else max(0.0, share - self.share)
        self.chunk_rows, self.chunk_done = rows, 0
        self.progress.update(self.task, total=None if share is None else 1.0)

    def advance(self, rows: int) -> None:
        """Count `rows` more rows of the chunk as done."""
        self.texts += rows
        self.chunk_done += rows
        share = self.share + self.chunk_share * self.chunk_done / self.chunk_rows
        self.progress.update(self.task, completed=share, texts=self.texts)
