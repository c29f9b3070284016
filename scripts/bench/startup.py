"""Part `startup`: seconds from the command to the first training step, how they are spent, and those of one text."""

from __future__ import annotations

import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning import Callback
from rich.table import Table

from mhc.policy import CONF

ROOT = CONF.parent
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| (\s*)(\S+)")
OVERRIDES = ["data=synthetic", "model=baseline", "test=false"]
IMPORTS = (
    "import torch, transformers; from transformers import AutoModelForSequenceClassification, AutoTokenizer; "
    "from transformers import BertForSequenceClassification"
)
"""What a program cannot do without that labels a text by an encoder; transformers imports a class when it is named."""


class FirstStep(Callback):
    """Callback that writes the time of the first step to a file and ends the training."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Write the time of the first step; ask the Trainer to stop."""
        if not self.path.exists():
            self.path.write_text(str(time.time()), encoding="utf-8")
        trainer.should_stop = True
        trainer.limit_val_batches = 0


def command(work: Path, first: Path | str) -> list[str]:
    """Return the training command, with the callback that writes the time of the first step to `first`."""
    return [
        "-m",
        "mhc.train",
        *OVERRIDES,
        *(f"paths.{name}={work / name}" for name in ("outputs", "models", "cache")),
        "+callbacks.first._target_=scripts.bench.startup.FirstStep",
        f"+callbacks.first.path={first}",
    ]


def once(work: Path, *python_options: str) -> tuple[float, str]:
    """Run a training and return the seconds to its first step, and its stderr."""
    first = work / f"first_{time.time_ns()}"
    begun = time.time()
    done = subprocess.run(
        [sys.executable, *python_options, *command(work, first)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if not first.exists():
        raise RuntimeError(done.stderr[-2000:])
    return float(first.read_text(encoding="utf-8")) - begun, done.stderr


def next_job(work: Path) -> float:
    """Return the seconds from the record of a sweep's second job to its first step, in the same process."""
    arguments = [*command(work, "${paths.run}/first_step"), "seed=1,2", "--multirun"]
    subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=True)
    steps = {path: float(path.read_text(encoding="utf-8")) for path in work.glob("outputs/*/*/first_step")}
    last = max(steps, key=steps.__getitem__)
    created = json.loads((last.parent / "run.json").read_text(encoding="utf-8"))["created_at"]
    return steps[last] - datetime.fromisoformat(created).timestamp()


def imports_by_package(stderr: str) -> dict[str, float]:
    """Return the seconds by top-level package from the output of `python -X importtime`."""
    spent: dict[str, float] = defaultdict(float)
    for line in stderr.splitlines():
        if match := IMPORT.match(line):
            spent[match[4].partition(".")[0]] += int(match[1]) / 1e6
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def own_seconds(work: Path) -> float:
    """Return the seconds inside functions of mhc and callbacks, without callees, by cProfile (which adds to them)."""
    import pstats

    path = work / "profile"
    once(work, "-m", "cProfile", "-o", str(path))
    return sum(
        row[2]
        for (file, _, _), row in pstats.Stats(str(path)).stats.items()  # type: ignore[attr-defined]
        if file.startswith((str(ROOT / "mhc"), str(ROOT / "callbacks")))
    )


def bundle_of(work: Path, model: str) -> Path:
    """Train a small model, put it into production, and return the folder of its bundle."""
    places = [f"paths.{name}={work / name}" for name in ("outputs", "models", "cache")]
    words = ["data=synthetic", f"model={model}", "trainer.max_epochs=1", f"name={model}", "report=false", *places]
    subprocess.run([sys.executable, "-m", "mhc.train", *words], cwd=ROOT, capture_output=True, check=True)
    folders = ["--outputs", str(work / "outputs"), "--models", str(work / "models")]
    promote = f"promote {model} --name {model} --as none --force --by benchmark --reason start-up".split()
    subprocess.run(
        [sys.executable, "-m", "mhc.cli.main", *folders, *promote], cwd=ROOT, capture_output=True, check=True
    )
    return work / "models" / "production" / model


def cpu_seconds(*words: str) -> float:
    """Return the CPU seconds of a Python process, of user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def one_text(work: Path, repeats: int) -> dict[str, float]:
    """Return the median CPU seconds of one text by `mhc.predict`, in turns with the imports of an encoder."""
    contenders = {"imports of torch and transformers": ("-c", IMPORTS)} | {
        model: ("-m", "mhc.predict", f"bundle={bundle_of(work, model)}", "text=some words")
        for model in ("micro", "linear")
    }
    turns = [{name: cpu_seconds(*words) for name, words in contenders.items()} for _ in range(repeats)]
    return {name: statistics.median(turn[name] for turn in turns) for name in contenders}


def run(repeats: int) -> dict[str, object]:
    """Measure the start-up.

    Cold: before any text is tokenised. Warm: like every later run. Again: the next job of a sweep. Then the seconds
    of imports and of our own code, and the CPU seconds of one text that is labelled.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        cold, _ = once(work)
        warm = sorted(once(work)[0] for _ in range(repeats))
        _, stderr = once(work, "-X", "importtime")
        packages = imports_by_package(stderr)
        return {
            "cold_s": cold,
            "warm_s": {"median": warm[len(warm) // 2], "min": warm[0], "max": warm[-1]},
            "again_s": next_job(work),
            "own_code_s": own_seconds(work),
            "own_imports_s": packages.get("mhc", 0.0) + packages.get("callbacks", 0.0),
            "imports_s": dict(list(packages.items())[:12]),
            "one_text_cpu_s": one_text(work, repeats),
        }


def table(result: dict[str, object]) -> Table:
    """Return a table with one number per row."""
    rows = Table(title="from the command to the first step")
    rows.add_column("")
    rows.add_column("seconds", justify="right")
    for name, value in result.items():
        for part, seconds in (value if isinstance(value, dict) else {"": value}).items():
            rows.add_row(f"{name} {part}".strip(), f"{float(str(seconds)):.2f}")
    return rows
