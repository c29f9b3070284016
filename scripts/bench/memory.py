"""Part `memory`: peak memory of tokenising a million texts on disk and training on them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from rich.table import Table

from mhc.policy import CONF
from scripts.bench import texts

GOAL_BYTES = 3e9
GOAL_TEXTS_PER_S = 20_000
MEDIAN_TOKENS = 17
POLL = 0.1
"""Seconds between two samples of a process's memory."""


class Watch(threading.Thread):
    """Peak memory of a process and its children: resident, and the part that is not mapped from files."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.rss = self.anonymous = 0

    def run(self) -> None:
        """Sample the memory until the process has ended."""
        while self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
            try:
                family = [self.process, *self.process.children(recursive=True)]
                infos = [process.memory_info() for process in family]
            except psutil.Error:
                continue
            self.rss = max(self.rss, sum(info.rss for info in infos))
            self.anonymous = max(self.anonymous, sum(info.rss - info.shared for info in infos))
            time.sleep(POLL)


def watched(arguments: list[str]) -> tuple[float, Watch]:
    """Run a Python command and return its seconds and its peak memory."""
    begun = time.perf_counter()
    child = subprocess.Popen([sys.executable, *arguments], cwd=CONF.parent, stderr=subprocess.PIPE, text=True)
    watch = Watch(child.pid)
    watch.start()
    _, stderr = child.communicate()
    if child.returncode:
        raise RuntimeError(stderr[-2000:])
    watch.join()
    return time.perf_counter() - begun, watch


def tokenised(csv: Path, cache: Path) -> float:
    """Return the seconds to tokenise texts that are already read, measured inside a separate process."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom scripts.bench.setting import Setting\n"
        "from mhc.data import corpus, token_cache, tokenizer\nfrom mhc.data.tokenizer import Encoder\n"
        f"setting = Setting('texts', 'baseline', Path({str(csv)!r}), Path({str(cache)!r}), '32-true')\n"
        "data = setting.data\nbegun = time.perf_counter()\n"
        "encoder = Encoder(data.tokenizer_folder, data.tokenizing.max_tokens)\n"
        "token_cache.ensure(data.corpus, encoder, Path(sys.argv[1]))\nprint(time.perf_counter() - begun)\n"
    )
    with tempfile.TemporaryDirectory() as fresh:
        done = subprocess.run(
            [sys.executable, "-c", code, fresh], cwd=CONF.parent, capture_output=True, text=True, check=True
        )
    return float(done.stdout.split()[-1])


def run(count: int, steps: int) -> dict[str, float]:
    """Generate texts on disk, train for some steps, and measure tokenising separately."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        csv = texts.write(work / "texts.csv", count, median=MEDIAN_TOKENS, most=256)
        command = ["-m", "mhc.train", "data=files", f"data.train={csv}", "model=baseline", "test=false"]
        command += [f"paths.{name}={work / name}" for name in ("outputs", "models", "cache")]
        command += [f"trainer.max_steps={steps}", "data.near_duplicates=null", "trainer.limit_val_batches=10"]
        command += ["callbacks.early_stopping=null"]  # it requires a validation, which is not reached
        seconds, watch = watched(command)
        tokenising = tokenised(csv, work)
        return {
            "texts": count,
            "csv_bytes": csv.stat().st_size,
            "train_s": seconds,
            "peak_rss_bytes": watch.rss,
            "peak_anonymous_bytes": watch.anonymous,
            "tokenise_s": tokenising,
            "texts_per_s": count / tokenising,
        }


def table(result: dict[str, float]) -> Table:
    """Return a table with one number per row."""
    rows = Table(title=f"{result['texts']:,.0f} texts")
    rows.add_column("")
    rows.add_column("", justify="right")
    for name, value in result.items():
        unit = f"{value / 1e9:.2f} GB" if name.endswith("_bytes") else f"{value:,.1f}"
        rows.add_row(name.removesuffix("_bytes"), unit)
    return rows
