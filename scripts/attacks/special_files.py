"""Put a pipe, a socket, a device or a loop of links at every place where a file is opened; nothing may hang.

Every command runs in a process of its own that is killed after a while. The other runs are shown, and the end of a
training in that folder is not held up.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from scripts.attacks.outcome import Outcome, outcome
from scripts.reading_commands import BAD, THIRD, copy_project

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT = 180
"""Seconds for all commands on one project."""
SWEEP = "outputs/seeds_20261126_172345_95df_sweep"
RUN = f"outputs/{BAD}"
BUNDLE = "models/production/bag_v1"
OF_RUN = (
    "run.json", "run.lock", "heartbeat", "train.log", "git.diff", "metrics.csv", "tensorboard", ".hydra",
    ".hydra/config.yaml", "evaluation/test.npz", "evaluation/val.npz", "checkpoints/best.ckpt",
    "checkpoints/last.ckpt", "tokenizer/ngrams.json",
)  # fmt: skip
OF_OUTPUTS = (".index.sqlite", ".index.sqlite-journal", ".index.sqlite-wal", "events.jsonl", "archived", ".trash")
OF_MODELS = ("ledger.jsonl", "registry.json", "run.lock", ".evidence_key", "production/.bag_v1.pending", "evaluations")
OF_BUNDLE = (
    "run.json", "promotion.json", "checksums.sha256", "README.md", "model.safetensors", "config.json", "ngrams.json",
    "calibration.json", "evaluation/test.npz",
)  # fmt: skip
PLACES = (
    *(f"{RUN}/{name}" for name in OF_RUN),
    *(f"outputs/{name}" for name in OF_OUTPUTS),
    *(f"models/{name}" for name in OF_MODELS),
    *(f"{BUNDLE}/{name}" for name in OF_BUNDLE),
    f"{SWEEP}/multirun.yaml",
)
QUICK = (
    (f"{RUN}/run.json", "pipe"),
    ("outputs/.index.sqlite", "loop of links"),
    ("models/ledger.jsonl", "pipe"),
)


def a_socket(path: Path) -> None:
    """Bind a socket to a path, which may be longer than the name of a socket can be."""
    folder = os.open(path.parent, os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def a_huge_file(path: Path) -> None:
    """Create a file of a terabyte that occupies no disk space."""
    with path.open("wb") as file:
        file.truncate(1 << 40)


KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "loop of links": lambda path: path.symlink_to(path.name),
    "socket": a_socket,
    "folder": Path.mkdir,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "terabyte": a_huge_file,
}
HASHED = ("model.safetensors", "best.ckpt", "test.npz")
"""Weights and evidence of any size are hashed, so a terabyte there takes long."""


def run(work: Path, *, quick: bool) -> list[Outcome]:
    """Put each kind at each place of a copy of the recorded project, and run all commands."""
    pairs = QUICK if quick else tuple(combinations())
    tries = [(f"{kind} as {place}", partial(attack, work, place, kind)) for place, kind in pairs]
    outcomes = [outcome("special files, each with all commands", tries)]
    if not quick:
        outcomes.append(outcome("trainings beside special files", [("a run", partial(train, work))]))
    return outcomes


def combinations() -> Iterator[tuple[str, str]]:
    """Yield each place with each kind that can be tried there in reasonable time."""
    for place in PLACES:
        for kind in KINDS:
            if kind != "terabyte" or not place.endswith(HASHED):
                yield place, kind


def put(project: Path, place: str, kind: str) -> None:
    """Replace what is at a place by a special file."""
    path = project / place
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    KINDS[kind](path)


def attack(work: Path, place: str, kind: str) -> str:
    """Return what went wrong with one special file."""
    project = copy_project(work / "project")
    try:
        put(project, place, kind)
        return probe(project)
    finally:
        shutil.rmtree(project)


def probe(project: Path) -> str:
    """Run all commands in another process."""
    command = [sys.executable, str(ROOT / "scripts" / "special_probe.py"), str(project)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, cwd=project, check=False)
    except subprocess.TimeoutExpired:
        return "something hangs and cannot be interrupted"
    return done.stdout.strip() or (done.stderr[-500:] if done.returncode else "")


def train(work: Path) -> str:
    """Train in a folder with special files at the places that the end of a training reads."""
    project = copy_project(work / "project")
    for place, kind in (
        (f"{RUN}/run.json", "pipe"),
        (f"outputs/{THIRD}/run.json", "endless device"),
        ("outputs/.index.sqlite", "loop of links"),
        ("outputs/events.jsonl", "pipe"),
        (f"{BUNDLE}/run.json", "pipe"),
        ("models/ledger.jsonl", "pipe"),
        ("models/registry.json", "endless device"),
    ):
        put(project, place, kind)
    words = ["data=synthetic", "model=micro", "trainer.max_epochs=1", "logger=csv", "name=beside", "summary=true"]
    places = [f"paths.outputs={project}/outputs", f"paths.models={project}/models", f"paths.cache={work}/cache"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mhc.train", *words, *places],
            capture_output=True, text=True, timeout=TIMEOUT, cwd=ROOT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "the training hangs"
    finally:
        shutil.rmtree(project)
    return "" if done.returncode == 0 else f"exit code {done.returncode}: {done.stderr[-500:]}"
