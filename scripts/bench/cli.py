"""Measure the command line in whole processes, compared with MLflow and Trackio on the same queries.

    python scripts/bench/cli.py [--quick] [--json FILE]

MLflow and Trackio run in the Python that MHC_BENCH_PEERS names (of a separate venv:
`python -m venv peers && peers/bin/pip install mlflow==3.17.2 trackio`), or else in the current one. A missing peer is
reported and skipped.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypedDict

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.bench.run_folders import make  # noqa: E402 the folder above must be on the path first

WHERE = "f1_macro >= 0.6 and model.parameters < 5e6"
ANY_FIELD = "metrics.test.recall.depression >= 0.6"
CONFIG_VALUE = "lr = 0.0003"
MLFLOW = """
import mlflow, sys
mlflow.set_tracking_uri("sqlite:///" + sys.argv[1] + "/mlflow.db")
runs = mlflow.search_runs(experiment_names=["bench"], filter_string=sys.argv[2], max_results=50)
print(runs[["run_id", "status", "metrics.accuracy", "metrics.f1_macro"]].to_string())
"""
TRACKIO = """SELECT c.run_name, c.created_at, json_extract(m.metrics, '$.accuracy') AS accuracy,
json_extract(m.metrics, '$.f1_macro') AS f1_macro FROM configs c JOIN metrics m ON m.run_id = c.run_id
WHERE {where} ORDER BY c.created_at DESC LIMIT 50"""


class Question(NamedTuple):
    """One command and its time limit."""

    what: str
    runs: int
    words: list[str]
    bar: float | None = None
    """Time limit in seconds; None: no limit."""


class Timed(TypedDict):
    """One line of the result."""

    what: str
    runs: int
    seconds: float
    bar: float | None
    detail: str


class Result(TypedDict):
    """Result of `run`."""

    lines: list[Timed]
    skipped: list[str]


def run(*, quick: bool) -> Result:
    """Time every question; `quick` omits the tree of 100,000 runs and takes 3 timings instead of 10."""
    repeats = 3 if quick else 10
    lines: list[Timed] = []
    skipped: list[str] = []
    with TemporaryDirectory(prefix="mhc-bench-") as folder:
        for count in (1_000, 10_000) if quick else (1_000, 10_000, 100_000):
            outputs = Path(folder) / str(count) / "outputs"
            make(outputs, count)
            lines.append(first_index(outputs, count, repeats if count <= 10_000 else 1))
            lines += [ask(question, outputs, repeats) for question in questions(count)]
        for peer in (time_mlflow, time_trackio):
            result = peer(Path(folder), 10_000, repeats)
            skipped += [result] if isinstance(result, str) else []
            lines += [] if isinstance(result, str) else result
    return {"lines": lines, "skipped": skipped}


def questions(count: int) -> list[Question]:
    """Return the questions for a tree of `count` runs, with their time limits."""
    bars = {10_000: (0.35, 0.45, 0.25), 100_000: (1.2, None, None)}.get(count, (None, None, None))
    common = [
        Question("list", count, ["list"], bars[0]),
        Question("list --where (indexed fields)", count, ["list", "--where", WHERE], bars[1]),
        Question("list --where (any field)", count, ["list", "--where", ANY_FIELD], bars[1]),
        Question("list --where (value of the config)", count, ["list", "--where", CONFIG_VALUE], bars[1]),
        Question("details, by a beginning of the id", count, ["details", _an_id(count)], bars[2]),
        Question("candidates", count, ["candidates"]),
        Question("search", count, ["search", "focal", "paper"]),
    ]
    return [*common, Question("--help", count, ["--help"], 0.15)] if count == 10_000 else common


def _an_id(count: int) -> str:
    return f"{min(count - 1, 50_000):04x}"  # from 65,536 runs on, the endings of the first ids are not unique


def mhc(outputs: Path, words: list[str]) -> list[str]:
    """Return the command line of one question, with the installed `mhc` if there is one."""
    installed = Path(sys.executable).with_name("mhc")
    start = [str(installed)] if installed.exists() else [sys.executable, str(ROOT / "scripts/manage_experiments.py")]
    return [*start, "--outputs", str(outputs), "--models", str(outputs.parent / "models"), *words]


def first_index(outputs: Path, count: int, repeats: int) -> Timed:
    """Time `list` without an existing index."""
    times = []
    for _ in range(repeats):
        (outputs / ".index.sqlite").unlink(missing_ok=True)
        times.append(seconds(mhc(outputs, ["list"])))
    return timed("first ever index, and list", count, times, 5.0 if count == 10_000 else None)


def ask(question: Question, outputs: Path, repeats: int) -> Timed:
    """Return the median time of one question, after one run that warms the disk cache."""
    command = mhc(outputs, question.words)
    seconds(command)
    return timed(question.what, question.runs, [seconds(command) for _ in range(repeats)], question.bar)


def timed(what: str, runs: int, times: list[float], bar: float | None = None) -> Timed:
    """Return a line of the result: the median, with the extremes as the detail."""
    detail = f"{min(times):.2f} to {max(times):.2f} s, {len(times)} times"
    return {"what": what, "runs": runs, "seconds": statistics.median(times), "bar": bar, "detail": detail}


def seconds(command: list[str], env: dict[str, str] | None = None) -> float:
    """Return the wall time of a whole process.

    Raises:
        RuntimeError: if it fails or prints nothing.
    """
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})}, cwd=ROOT)
    took = time.perf_counter() - begun
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{' '.join(command)[:300]} ended with {done.returncode}: {done.stderr[-500:]}")
    return took


def peer_python() -> str:
    """Return the Python that has the peers installed."""
    return os.environ.get("MHC_BENCH_PEERS", sys.executable)


def _has(module: str) -> bool:
    return subprocess.run([peer_python(), "-c", f"import {module}"], capture_output=True, cwd=ROOT).returncode == 0


def _not_installed(peer: str) -> str:
    return f"{peer} is skipped: it is not installed in {peer_python()}. Set MHC_BENCH_PEERS (see scripts/bench/cli.py)"


def _fill(peer: str, folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    script = str(ROOT / "scripts" / "bench" / "peer_stores.py")
    subprocess.run([peer_python(), script, peer, str(folder), str(count)], check=True, capture_output=True)


def time_mlflow(folder: Path, count: int, repeats: int) -> list[Timed] | str:
    """Time `mlflow.search_runs` on a SQLite store of `count` runs; return why it was skipped if MLflow is missing.

    The queries are the latest 50 runs, and a condition.
    """
    if not _has("mlflow"):
        return _not_installed("MLflow")
    store = folder / "mlflow"
    _fill("mlflow", store, count)
    queries = {"list": "", "list --where (indexed fields)": "metrics.f1_macro >= 0.6 and params.model = 'baseline'"}
    return [
        timed(f"MLflow: {what}", count, _repeated([peer_python(), "-c", MLFLOW, str(store), words], repeats))
        for what, words in queries.items()
    ]


def time_trackio(folder: Path, count: int, repeats: int) -> list[Timed] | str:
    """Time `trackio query project --sql` on a project of `count` runs; return why it was skipped if it is missing."""
    if not _has("trackio"):
        return _not_installed("Trackio")
    store = folder / "trackio"
    _fill("trackio", store, count)
    queries = {"list": "1", "list --where (indexed fields)": "json_extract(m.metrics, '$.f1_macro') >= 0.5"}
    start = [str(Path(peer_python()).with_name("trackio")), "query", "project", "--project", "bench", "--sql"]
    return [
        timed(
            f"Trackio: {what}",
            count,
            _repeated([*start, TRACKIO.format(where=words)], repeats, {"TRACKIO_DIR": str(store)}),
        )
        for what, words in queries.items()
    ]


def _repeated(command: list[str], repeats: int, env: dict[str, str] | None = None) -> list[float]:
    seconds(command, env)
    return [seconds(command, env) for _ in range(repeats)]


def table(result: Result) -> str:
    """Return the result as text: each line with its limit, and the ratios to the peers."""
    rows = [f"{'runs':>8}  {'seconds':>8}  {'limit':>5}  what"]
    for line in result["lines"]:
        bar = "" if line["bar"] is None else f"{line['bar']:.2f}"
        verdict = "" if line["bar"] is None else ("  within" if line["seconds"] <= line["bar"] else "  ABOVE")
        rows.append(f"{line['runs']:>8,}  {line['seconds']:8.3f}  {bar:>5}  {line['what']} ({line['detail']}){verdict}")
    return "\n".join([*rows, *ratios(result), *result["skipped"]])


def ratios(result: Result) -> list[str]:
    """Return lines with the ratio of each peer's time to ours for the same question."""
    ours = {line["what"]: line["seconds"] for line in result["lines"] if line["runs"] == 10_000}
    lines = []
    for what, took in ours.items():
        peer, _, question = what.partition(": ")
        if question in ours:
            lines.append(f"{peer} takes {took / ours[question]:.1f} times as long for: {question}")
    return lines


def main() -> None:
    """Run the benchmark, print the table, and write the numbers to the file given by --json."""
    result = run(quick="--quick" in sys.argv)
    sys.stdout.write(table(result) + "\n")
    if "--json" in sys.argv:
        Path(sys.argv[sys.argv.index("--json") + 1]).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
