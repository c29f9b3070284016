"""Loggers of Lightning that cannot end a training, with metric names that their servers accept."""

from __future__ import annotations

import hashlib
import logging
import re
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers.logger import Logger
from torch import nn

from mhc.errors import MhcError
from mhc.report.metrics_csv import MetricsCsv

log = logging.getLogger(__name__)

ASCII_ONLY = ("MLFlowLogger",)
"""Loggers whose servers refuse other metric names than ASCII letters, digits, and `_-. /`."""
MAX_NAME = 200

Result = TypeVar("Result")


def guarded(logger: Logger) -> Logger:
    """Return a logger that never ends a training; `metrics.csv` is a part of the run, and returned unchanged."""
    return logger if isinstance(logger, MetricsCsv) else GuardedLogger(logger)


def inner_of(logger: Logger) -> Logger:
    """Return the logger itself, without its guard."""
    return logger.inner if isinstance(logger, GuardedLogger) else logger


class GuardedLogger(Logger):
    """Passes every call on to `inner`. The first error is logged; from then on nothing is passed on."""

    def __init__(self, inner: Logger) -> None:
        super().__init__()
        self.inner = inner
        self.failed = False
        self.original_names: dict[str, str] = {}

    @property
    def name(self) -> str | None:
        """Name of the logger in Lightning."""
        return self._attempt(lambda: self.inner.name, None)

    @property
    def version(self) -> int | str | None:
        """Version of the logger in Lightning."""
        return self._attempt(lambda: self.inner.version, None)

    @property
    def save_dir(self) -> str | None:
        """Folder of the logger in Lightning."""
        return self._attempt(lambda: self.inner.save_dir, None)

    @property
    def experiment(self) -> Any:  # an object of the logger's library
        """The object of the logger's library that writes; None after an error. Lightning asks for it at the start."""
        return self._attempt(lambda: self.inner.experiment, None)  # type: ignore[attr-defined]  # of every logger

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log metrics, under names that the server accepts."""
        self._attempt(lambda: self.inner.log_metrics(self._accepted(metrics), step), None)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Log the parameters of the training."""
        self._attempt(lambda: self.inner.log_hyperparams(params, *args, **kwargs), None)

    def log_graph(self, model: nn.Module, input_array: Any = None) -> None:
        """Log the graph of the network."""
        self._attempt(lambda: self.inner.log_graph(model, input_array), None)

    def save(self) -> None:
        """Write what is pending."""
        self._attempt(self.inner.save, None)

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Tell the logger about a new checkpoint."""
        self._attempt(lambda: self.inner.after_save_checkpoint(checkpoint_callback), None)

    def finalize(self, status: str) -> None:
        """Close the logger."""
        self._attempt(lambda: self.inner.finalize(status), None)

    def _attempt(self, action: Callable[[], Result], otherwise: Result) -> Result:
        if self.failed:
            return otherwise
        try:
            return action()
        except MhcError:
            raise
        except Exception as error:
            self.failed = True
            kinds = (type(self.inner).__name__, type(error).__name__)
            log.warning("%s failed (%s) and logs nothing more; the training goes on", *kinds)
            return otherwise

    def _accepted(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return the metrics by names that the server accepts; the original of a changed name is logged once."""
        if type(self.inner).__name__ not in ASCII_ONLY:
            return dict(metrics)
        names = {name: ascii_name(name) for name in metrics}
        changed = {short: name for name, short in names.items() if short != name and short not in self.original_names}
        if changed:
            self.original_names |= changed
            self.inner.log_hyperparams({f"name of {short.rpartition('-')[2]}": name for short, name in changed.items()})
        return {names[name]: value for name, value in metrics.items()}


def ascii_name(name: str) -> str:
    """Return a metric's name in ASCII; a changed name ends in a hash of the original, so that it is unique.

    The first two parts, such as `val/f1`, are ours; the rest is a label of the data.
    """
    *ours, label = name.split("/", 2)
    plain = re.sub(r"[^A-Za-z0-9_\-. ]", "_", label)[:MAX_NAME]
    if plain == label and plain.strip(". "):
        return name
    return "/".join([*ours, f"{plain.strip('. ') or '_'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"])
