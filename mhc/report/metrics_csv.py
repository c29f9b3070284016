"""The scalars of a run as a CSV of `step,metric,value` rows: one row a value, so that a resumed run just goes on."""

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
    """Lightning logger that appends to `<folder>/metrics.csv`; rows are kept until `save` or 100 of them."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.file = Path(folder) / "metrics.csv"
        self.waiting: list[tuple[int, str, float]] = []

    @property
    def name(self) -> str:
        """What Lightning calls the logger."""
        return "metrics"

    @property
    def version(self) -> str:
        """None of its own: the run has the id."""
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> Path:
        """The file."""
        return self.file

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Hyper-parameters stand in the run's own config."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep one row a metric for the next write."""
        self.waiting += [(step or 0, name, float(value)) for name, value in metrics.items() if name != "epoch"]
        if len(self.waiting) >= 100:
            self.save()

    @rank_zero_only
    def save(self) -> None:
        """Append the waiting rows; the header comes with the first of them."""
        if not self.waiting or not self.file.parent.is_dir():  # archived meanwhile: its file went with it
            return
        new = not self.file.exists()
        with self.file.open("a", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            if new:
                writer.writerow(("step", "metric", "value"))
            writer.writerows(self.waiting)
        self.waiting = []

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what waits when fit or test ends."""
        self.save()
