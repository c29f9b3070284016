"""Scalars of a run as CSV rows `step,metric,value`: one row per value, so that a resumed run can append."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from mhc.runs import own_folder


class MetricsCsv(Logger):
    """Lightning logger that appends to `<folder>/metrics.csv`, at every `save` or 100 rows."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.file = Path(folder) / "metrics.csv"
        self.pending: list[tuple[int, str, float]] = []

    @property
    def name(self) -> str:
        """Name of the logger in Lightning."""
        return "metrics"

    @property
    def version(self) -> str:
        """Empty: the run has an id."""
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> Path:
        """The file."""
        return self.file

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Ignore hyper-parameters: the config of the run has them."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Store one row per metric for the next write."""
        self.pending += [(step or 0, name, float(value)) for name, value in metrics.items() if name != "epoch"]
        if len(self.pending) >= 100:
            self.save()

    @rank_zero_only
    def save(self) -> None:
        """Append the pending rows, with a header if the file is new; all of them or none.

        Raises:
            FolderMoved: if the folder of the run is not at its path any more.
            OSError: if they cannot be written.
        """
        if not self.pending:
            return
        own_folder.check(self.file.parent)
        rows = io.StringIO(newline="")
        writer = csv.writer(rows)
        with self.file.open("ab", buffering=0) as out:
            size = out.tell()
            if size == 0:
                writer.writerow(("step", "metric", "value"))
            writer.writerows(self.pending)
            _append(out, size, rows.getvalue().encode())
        self.pending = []

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the pending rows at the end of fit or test."""
        self.save()


def _append(file: io.FileIO, size: int, content: bytes) -> None:
    """Append `content` to a file of `size` bytes; on a full disk, cut off the part of it that was written.

    Raises:
        OSError: if not all of it was written.
    """
    try:
        while content:
            content = content[file.write(content) :]
    except OSError:
        file.truncate(size)
        raise
