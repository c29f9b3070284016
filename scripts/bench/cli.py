"""How long the command line takes, whole processes, beside MLflow and Trackio asked the same questions.

    python scripts/bench/cli.py [--quick] [--json FILE]

MLflow and Trackio are asked through the Python of MHC_BENCH_PEERS (a venv of their own:
`python -m venv peers && peers/bin/pip install mlflow==3.17.2 trackio`), or through this one; what is missing is
skipped with a sentence.
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
    """One command and the time it may take."""

    what: str
    runs: int
    words: list[str]
    bar: float | None = None
    """Seconds; None where none was set."""


class Timed(TypedDict):
    """One line of the result."""

    what: str
    runs: int
    seconds: float
    bar: float | None
    detail: str


class Result(TypedDict):
    """What `run` gives."""

    lines: list[Timed]
    skipped: list[str]


def run(quick: bool) -> Result:
    """Time every question; `quick` leaves out 100,000 runs and takes 3 timings instead of 10."""
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
            found = peer(Path(folder), 10_000, repeats)
            skipped += [found] if isinstance(found, str) else []
            lines += [] if isinstance(found, str) else found
    return {"lines": lines, "skipped": skipped}


def questions(count: int) -> list[Question]:
    """What is asked of a tree of that many runs, with the bars that were set for it."""
    bars = {10_000: (0.35, 0.45, 0.25), 100_000: (1.2, None, None)}.get(count, (None, None, None))
    asked = [
        Question("list", count, ["list"], bars[0]),
        Question("list --where (indexed fields)", count, ["list", "--where", WHERE], bars[1]),
        Question("list --where (any field)", count, ["list", "--where", ANY_FIELD], bars[1]),
        Question("details, by a beginning of the id", count, ["details", _an_id(count)], bars[2]),
        Question("candidates", count, ["candidates"]),
        Question("search", count, ["search", "focal", "paper"]),
    ]
    return [*asked, Question("--help", count, ["--help"], 0.15)] if count == 10_000 else asked


def _an_id(count: int) -> str:
    return f"{min(count - 1, 50_000):04x}"  # from 65,536 runs on, the first ones share their ending with others


def mhc(outputs: Path, words: list[str]) -> list[str]:
    """The command line of one question, by the installed `mhc` where there is one."""
    installed = Path(sys.executable).with_name("mhc")
    start = [str(installed)] if installed.exists() else [sys.executable, str(ROOT / "scripts/manage_experiments.py")]
    return [*start, "--outputs", str(outputs), "--models", str(outputs.parent / "models"), *words]


def first_index(outputs: Path, count: int, repeats: int) -> Timed:
    """The time of `list` where there is no index yet."""
    times = []
    for _ in range(repeats):
        (outputs / ".index.sqlite").unlink(missing_ok=True)
        times.append(seconds(mhc(outputs, ["list"])))
    return timed("first ever index, and list", count, times, 3.0 if count == 10_000 else None)


def ask(question: Question, outputs: Path, repeats: int) -> Timed:
    """The median time of one question; one run before warms the disk."""
    command = mhc(outputs, question.words)
    seconds(command)
    return timed(question.what, question.runs, [seconds(command) for _ in range(repeats)], question.bar)


def timed(what: str, runs: int, times: list[float], bar: float | None = None) -> Timed:
    """A line of the result: the median, with the extremes as the detail."""
    detail = f"{min(times):.2f} to {max(times):.2f} s, {len(times)} times"
    return {"what": what, "runs": runs, "seconds": statistics.median(times), "bar": bar, "detail": detail}


def seconds(command: list[str], env: dict[str, str] | None = None) -> float:
    """The wall time of a whole process that must end well and say something."""
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})}, cwd=ROOT)
    took = time.perf_counter() - begun
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{' '.join(command)[:300]} ended with {done.returncode}: {done.stderr[-500:]}")
    return took


def peer_python() -> str:
    """The Python that has the peers."""
    return os.environ.get("MHC_BENCH_PEERS", sys.executable)


def _has(module: str) -> bool:
    return subprocess.run([peer_python(), "-c", f"import {module}"], capture_output=True, cwd=ROOT).returncode == 0


def _fill(peer: str, folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    script = str(ROOT / "scripts" / "bench" / "peer_stores.py")
    subprocess.run([peer_python(), script, peer, str(folder), str(count)], check=True, capture_output=True)


def time_mlflow(folder: Path, count: int, repeats: int) -> list[Timed] | str:
    """`mlflow.search_runs` on a SQLite store of as many runs: the latest 50, and a condition; a sentence without it."""
    if not _has("mlflow"):
        return f"MLflow is left out: {peer_python()} has none. Set MHC_BENCH_PEERS (see scripts/bench/cli.py)"
    store = folder / "mlflow"
    _fill("mlflow", store, count)
    asked = {"list": "", "list --where (indexed fields)": "metrics.f1_macro >= 0.6 and params.model = 'baseline'"}
    return [
        timed(f"MLflow: {what}", count, _repeated([peer_python(), "-c", MLFLOW, str(store), words], repeats))
        for what, words in asked.items()
    ]


def time_trackio(folder: Path, count: int, repeats: int) -> list[Timed] | str:
    """`trackio query project --sql` on a project of as many runs, the same questions; a sentence without it."""
    if not _has("trackio"):
        return f"Trackio is left out: {peer_python()} has none. Set MHC_BENCH_PEERS (see scripts/bench/cli.py)"
    store = folder / "trackio"
    _fill("trackio", store, count)
    asked = {"list": "1", "list --where (indexed fields)": "json_extract(m.metrics, '$.f1_macro') >= 0.5"}
    start = [str(Path(peer_python()).with_name("trackio")), "query", "project", "--project", "bench", "--sql"]
    return [
        timed(
            f"Trackio: {what}",
            count,
            _repeated([*start, TRACKIO.format(where=words)], repeats, {"TRACKIO_DIR": str(store)}),
        )
        for what, words in asked.items()
    ]


def _repeated(command: list[str], repeats: int, env: dict[str, str] | None = None) -> list[float]:
    seconds(command, env)
    return [seconds(command, env) for _ in range(repeats)]


def table(result: Result) -> str:
    """The result as text: each line with its bar, and how many times faster than the peers."""
    rows = [f"{'runs':>8}  {'seconds':>8}  {'bar':>5}  what"]
    for line in result["lines"]:
        bar = "" if line["bar"] is None else f"{line['bar']:.2f}"
        verdict = "" if line["bar"] is None else ("  within" if line["seconds"] <= line["bar"] else "  ABOVE")
        rows.append(f"{line['runs']:>8,}  {line['seconds']:8.3f}  {bar:>5}  {line['what']} ({line['detail']}){verdict}")
    return "\n".join([*rows, *ratios(result), *result["skipped"]])


def ratios(result: Result) -> list[str]:
    """How many times as long the peers take for the same question."""
    ours = {line["what"]: line["seconds"] for line in result["lines"] if line["runs"] == 10_000}
    said = []
    for what, took in ours.items():
        peer, _, question = what.partition(": ")
        if question in ours:
            said.append(f"{peer} takes {took / ours[question]:.1f} times as long for: {question}")
    return said


def main() -> None:
    """Run, print the table, and write the numbers where --json says."""
    result = run("--quick" in sys.argv)
    sys.stdout.write(table(result) + "\n")
    if "--json" in sys.argv:
        Path(sys.argv[sys.argv.index("--json") + 1]).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
