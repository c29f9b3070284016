"""Measure what the callbacks of a run, its record and its heartbeat cost: the same training with and without them.

    OMP_NUM_THREADS=1 python scripts/bench/life.py --pairs 5 --seconds 60

The trainings of a pair differ only in RegisterRun, ClassifyRun, FlagForPromotion and ArchiveDebugRuns, the
registration with its lineage, and the final record of the outcome; their order alternates. A difference of two long
times is noisy, so the time inside this code is also measured, call by call. `outputs/` holds other runs, which the
cleanup has to read.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from scripts.bench.run_folders import make

MEASURED_CALLBACKS = ("register_run", "classify_run", "flag_for_promotion", "archive_debug_runs")
MAX_SHARE, MAX_SECONDS = 0.01, 0.3
"""Limits: share of the wall time of a 60 s training, and total seconds."""
OVERRIDES = ("model=micro", "trainer=cpu", "data.rows=2400", "callbacks.early_stopping=null", "name=attention")


class Pair(NamedTuple):
    """Wall seconds of a training with the measured code, of the same one without it, and inside that code."""

    with_record: float
    without: float
    inside: float

    @property
    def extra(self) -> float:
        """Difference in seconds between the two trainings."""
        return self.with_record - self.without


class Result(NamedTuple):
    """The result of the benchmark."""

    pairs: list[Pair]

    @property
    def ratio(self) -> float:
        """Median over pairs of the ratio of the wall times, with to without."""
        return statistics.median(pair.with_record / pair.without for pair in self.pairs)

    @property
    def inside(self) -> float:
        """Median seconds inside the measured code."""
        return statistics.median(pair.inside for pair in self.pairs)

    @property
    def share(self) -> float:
        """Median share of the measured code in the wall time."""
        return statistics.median(pair.inside / pair.with_record for pair in self.pairs)

    def lines(self) -> list[str]:
        """Return the result: one line per pair, and the medians with their limits."""
        pairs = [
            f"with {pair.with_record:7.2f} s   without {pair.without:7.2f} s   difference {pair.extra:+.2f} s   "
            f"own code {pair.inside:.3f} s"
            for pair in self.pairs
        ]
        extra = statistics.median(pair.extra for pair in self.pairs)
        return [
            *pairs,
            f"median: ratio {self.ratio:.4f}, difference {extra:+.3f} s; own code {self.inside:.3f} s "
            f"(at most {MAX_SECONDS} s), {self.share:.2%} of the wall time (at most {MAX_SHARE:.0%} of 60 s)",
        ]


def measure(pairs: int = 5, seconds: float = 60.0, others: int = 1000) -> Result:
    """Train `pairs` pairs of about `seconds` each beside `others` finished runs, and return their times."""
    with tempfile.TemporaryDirectory() as place:
        outputs = Path(place) / "outputs"
        make(outputs, others)
        train(outputs, 1, recorded=True)  # imports, caches, tokenizer, and a first cleanup of the others
        epochs = max(1, round(seconds / max(0.05, per_epoch(outputs))))
        return Result([pair(outputs, epochs, recorded_first=number % 2 == 0) for number in range(pairs)])


def per_epoch(outputs: Path) -> float:
    """Return the seconds of one additional epoch."""
    return (train(outputs, 5, recorded=False) - train(outputs, 1, recorded=False)) / 4


def pair(outputs: Path, epochs: int, *, recorded_first: bool) -> Pair:
    """Run both trainings of a pair, in the given order."""
    calls: list[float] = []
    seconds: dict[bool, float] = {}
    for recorded in (recorded_first, not recorded_first):
        with timed(calls):
            seconds[recorded] = train(outputs, epochs, recorded=recorded)
    return Pair(seconds[True], seconds[False], sum(calls))


def train(outputs: Path, epochs: int, *, recorded: bool) -> float:
    """Run one training, with or without a record, and return its wall seconds."""
    from mhc import timestamps
    from mhc.runs import folders
    from mhc.training import job

    cfg = composed(outputs, epochs)
    folder = folders.claim(outputs, "attention", timestamps.now())
    cfg.paths.run = str(folder)
    begun = time.perf_counter()
    if recorded:
        job.train(cfg, job.register_run(cfg, folder, [], None))
    else:
        cfg.callbacks = {name: node for name, node in cfg.callbacks.items() if name not in MEASURED_CALLBACKS}
        job.fit_and_evaluate(cfg, None)
    return time.perf_counter() - begun


def composed(outputs: Path, epochs: int) -> DictConfig:
    """Return the config of one training."""
    from hydra import compose, initialize_config_dir

    from mhc.policy import CONF
    from mhc.training.config import register_config

    register_config()
    places = {name: outputs.parent / name for name in ("outputs", "models", "cache")}
    overrides = [*OVERRIDES, f"trainer.max_epochs={epochs}", *(f"paths.{name}={path}" for name, path in places.items())]
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=overrides)
    assert isinstance(cfg, DictConfig)
    OmegaConf.set_struct(cfg, value=False)
    return cfg


def entry_points() -> list[tuple[Any, str]]:
    """Return the functions through which a training enters the measured code."""
    from callbacks import archive_debug_runs, classify_run, flag_for_promotion, register_run
    from mhc.runs.live import LiveRun
    from mhc.training import job

    hooks = ["setup", "on_fit_end", "on_train_start", "on_train_batch_start", "on_validation_end"]
    hooks += ["on_test_start", "on_test_end"]
    modules = (archive_debug_runs, classify_run, flag_for_promotion, register_run)
    classes = ("ArchiveDebugRuns", "ClassifyRun", "FlagForPromotion", "RegisterRun")
    callbacks = [getattr(module, name) for module, name in zip(modules, classes, strict=True)]
    methods = [(callback, hook) for callback in callbacks for hook in hooks if hook in vars(callback)]
    return [*methods, (job, "register_run"), (LiveRun, "complete")]


@contextmanager
def timed(seconds: list[float]) -> Iterator[None]:
    """Append the seconds of every call of an entry point to `seconds`."""
    originals = [(owner, name, getattr(owner, name)) for owner, name in entry_points()]
    for owner, name, original in originals:
        setattr(owner, name, timing(original, seconds))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def timing(original: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """Return a wrapper of `original` that appends the duration of each call to `seconds`."""

    def timed_call(*args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        try:
            return original(*args, **kwargs)
        finally:
            seconds.append(time.perf_counter() - begun)

    return timed_call


@click.command()
@click.option("--pairs", default=5, show_default=True)
@click.option("--seconds", default=60.0, show_default=True, help="Approximate length of each training.")
@click.option("--others", default=1000, show_default=True, help="Finished runs in outputs/.")
def main(pairs: int, seconds: float, others: int) -> None:
    """Measure the cost of the record: `python scripts/bench/life.py --pairs 5 --seconds 60`."""
    for line in measure(pairs, seconds, others).lines():
        Console().print(line, highlight=False)


if __name__ == "__main__":
    main()
