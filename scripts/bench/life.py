"""What the four callbacks of a run's life, its record and its heartbeat cost: the same training with and without them.

    OMP_NUM_THREADS=1 python scripts/bench/life.py --pairs 5 --seconds 60

Both trainings of a pair are alike but for RegisterRun, ClassifyRun, FlagForPromotion and ArchiveDebugRuns, the
registration with its lineage, and the last word; who goes first alternates. A difference of two long times is noisy,
so the time spent inside the record's own code is measured too, call by call. `outputs/` holds other runs, which the
clean-up has to read.
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

FOUR = ("register_run", "classify_run", "flag_for_promotion", "archive_debug_runs")
MOST_SHARE, MOST_SECONDS = 0.01, 0.3
"""The bars: of the wall time of a 60 s training, and in all."""
OVERRIDES = ("model=micro", "trainer=cpu", "data.rows=2400", "callbacks.early_stopping=null", "name=attention")


class Pair(NamedTuple):
    """Wall seconds of one training with the four callbacks and of the same one without, and of their own code."""

    with_them: float
    without: float
    inside: float

    @property
    def extra(self) -> float:
        """Seconds more with them than without."""
        return self.with_them - self.without


class Life(NamedTuple):
    """The result of the benchmark."""

    pairs: list[Pair]

    @property
    def ratio(self) -> float:
        """Median over pairs of wall time with them over wall time without."""
        return statistics.median(pair.with_them / pair.without for pair in self.pairs)

    @property
    def inside(self) -> float:
        """Median seconds in their own code."""
        return statistics.median(pair.inside for pair in self.pairs)

    @property
    def share(self) -> float:
        """Median share of their own code in the wall time."""
        return statistics.median(pair.inside / pair.with_them for pair in self.pairs)

    def lines(self) -> list[str]:
        """The result, one line a pair and the verdict."""
        told = [
            f"with {pair.with_them:7.2f} s   without {pair.without:7.2f} s   difference {pair.extra:+.2f} s   "
            f"own code {pair.inside:.3f} s"
            for pair in self.pairs
        ]
        extra = statistics.median(pair.extra for pair in self.pairs)
        return [
            *told,
            f"median: ratio {self.ratio:.4f}, difference {extra:+.3f} s; own code {self.inside:.3f} s "
            f"(at most {MOST_SECONDS} s), {self.share:.2%} of the wall time (at most {MOST_SHARE:.0%} of 60 s)",
        ]


def measure(pairs: int = 5, seconds: float = 60.0, others: int = 1000) -> Life:
    """Train `pairs` pairs of about `seconds` each beside `others` finished runs, and return what was measured."""
    with tempfile.TemporaryDirectory() as place:
        outputs = Path(place) / "outputs"
        make(outputs, others)
        train(outputs, 1, recorded=True)  # imports, caches, tokenizer, and a first clean-up of the others
        epochs = max(1, round(seconds / max(0.05, per_epoch(outputs))))
        return Life([pair(outputs, epochs, number % 2 == 0) for number in range(pairs)])


def per_epoch(outputs: Path) -> float:
    """Return the seconds of one more epoch."""
    return (train(outputs, 5, recorded=False) - train(outputs, 1, recorded=False)) / 4


def pair(outputs: Path, epochs: int, recorded_first: bool) -> Pair:
    """Train both of a pair, in the order said."""
    spent: list[float] = []
    took: dict[bool, float] = {}
    for recorded in (recorded_first, not recorded_first):
        with timed(spent):
            took[recorded] = train(outputs, epochs, recorded=recorded)
    return Pair(took[True], took[False], sum(spent))


def train(outputs: Path, epochs: int, *, recorded: bool) -> float:
    """Carry out one training, on record or not, and return its wall seconds."""
    from mhc import timestamps
    from mhc.runs import folders
    from mhc.training import job

    cfg = composed(outputs, epochs)
    folder = folders.claim(outputs, "attention", timestamps.now())
    cfg.paths.run = str(folder)
    begun = time.perf_counter()
    if recorded:
        job.train(cfg, job.register(cfg, folder, [], None))
    else:
        cfg.callbacks = {name: node for name, node in cfg.callbacks.items() if name not in FOUR}
        job.fit_and_judge(cfg, None)
    return time.perf_counter() - begun


def composed(outputs: Path, epochs: int) -> DictConfig:
    """Return the config of one training."""
    from hydra import compose, initialize_config_dir

    from mhc.policy import CONF
    from mhc.training.config import register

    register()
    places = {name: outputs.parent / name for name in ("outputs", "models", "cache")}
    said = [*OVERRIDES, f"trainer.max_epochs={epochs}", *(f"paths.{name}={path}" for name, path in places.items())]
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=said)
    assert isinstance(cfg, DictConfig)
    OmegaConf.set_struct(cfg, False)
    return cfg


def entrances() -> list[tuple[Any, str]]:
    """Return where the training enters the code that is measured."""
    from callbacks import archive_debug_runs, classify_run, flag_for_promotion, register_run
    from mhc.runs.live import LiveRun
    from mhc.training import job

    hooks = ["setup", "on_fit_end", "on_train_start", "on_train_batch_start", "on_validation_end"]
    hooks += ["on_test_start", "on_test_end"]
    modules = (archive_debug_runs, classify_run, flag_for_promotion, register_run)
    classes = ("ArchiveDebugRuns", "ClassifyRun", "FlagForPromotion", "RegisterRun")
    callbacks = [getattr(module, name) for module, name in zip(modules, classes, strict=True)]
    found = [(callback, hook) for callback in callbacks for hook in hooks if hook in vars(callback)]
    return [*found, (job, "register"), (LiveRun, "complete")]


@contextmanager
def timed(spent: list[float]) -> Iterator[None]:
    """Add the seconds of every call of an entrance to `spent`."""
    before = [(owner, name, getattr(owner, name)) for owner, name in entrances()]
    for owner, name, original in before:
        setattr(owner, name, timing(original, spent))
    try:
        yield
    finally:
        for owner, name, original in before:
            setattr(owner, name, original)


def timing(original: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """Return `original` with a clock around it."""

    def timed_call(*args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        try:
            return original(*args, **kwargs)
        finally:
            spent.append(time.perf_counter() - begun)

    return timed_call


@click.command()
@click.option("--pairs", default=5, show_default=True)
@click.option("--seconds", default=60.0, show_default=True, help="About so long does each training take.")
@click.option("--others", default=1000, show_default=True, help="Finished runs in outputs/.")
def main(pairs: int, seconds: float, others: int) -> None:
    """Measure what the record costs: `python scripts/bench/life.py --pairs 5 --seconds 60`."""
    for line in measure(pairs, seconds, others).lines():
        Console().print(line, highlight=False)


if __name__ == "__main__":
    main()
