"""Scalars of a run as CSV rows `step,metric,value`: one row per value, so that a resumed run can append."""

from __future__ import annotations

import csv
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only


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
        """Append the pending rows, with a header if the file is new."""
        if not self.pending or not self.file.parent.is_dir():  # archived meanwhile, together with its file
            return
        new = not self.file.exists()
        with self.file.open("a", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            if new:
                writer.writerow(("step", "metric", "value"))
            writer.writerows(self.pending)
        self.pending = []

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the pending rows at the end of fit or test."""
        self.save()
