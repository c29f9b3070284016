"""Damage every kind of file in outputs/ and models/ at random; then run every command that reads.

No command ends in a bug report or hangs, every other run is shown, and a run that cannot be shown is named. Models and
configs that a command loads by themselves are loaded as well: they are refused in a sentence. With MHC_ATTACK_MINUTES
in the environment it goes on for so long.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from mhc.errors import MhcError
from mhc.production import bundle, loading, measure
from mhc.runs import evidence, store
from mhc.terminal import report
from mhc.training import resume, sweep
from scripts import forks
from scripts.attacks.outcome import Outcome
from scripts.mutations import mutate
from scripts.reading_commands import BAD, OTHER, Hang, alarm, copy_project, flaw_of, mhc

MUTATIONS = 2500
"""Mutated files that all reading commands meet; as many others are loaded by themselves."""
PROGRESS = 250
"""Tries between two lines about the progress."""
QUICK_MUTATIONS = 6
SWEEP = "outputs/seeds_20261126_172345_95df_sweep"
RUN = f"outputs/{BAD}"
BUNDLE = "models/production/bag_v1"
RECORD = f"{RUN}/run.json"
INDEX = "outputs/.index.sqlite"
FILES = (
    RECORD, RECORD, RECORD, "models/ledger.jsonl", "models/registry.json", "outputs/events.jsonl", INDEX, INDEX,
    f"{RUN}/.hydra/config.yaml", f"{RUN}/.hydra/hydra.yaml", f"{RUN}/.hydra/overrides.yaml", f"{RUN}/train.log",
    f"{RUN}/evaluation/test.npz", f"{RUN}/evaluation/val.npz", f"{RUN}/checkpoints/best.ckpt", f"{RUN}/heartbeat",
    f"{RUN}/tokenizer/ngrams.json", f"{RUN}/metrics.csv", f"{RUN}/tensorboard/hparams.yaml", f"{SWEEP}/multirun.yaml",
    "models/.evidence_key", *(f"{BUNDLE}/{name}" for name in (
        "run.json", "promotion.json", "checksums.sha256", "README.md", "calibration.json", "config.json", "ngrams.json",
        "model.safetensors", "evaluation/test.npz", "training.yaml")),
)  # fmt: skip
"""The files that are damaged; the most important ones more often."""


def run(work: Path, *, quick: bool) -> list[Outcome]:
    """Mutate files of a copy of the recorded project, one at a time."""
    forks.import_training()  # before the first alarm: an interrupted import would fail later loads, too
    project = copy_project(work / "project")
    mhc(project, "list")  # writes the index
    minutes = float(os.environ.get("MHC_ATTACK_MINUTES", "0"))
    count = QUICK_MUTATIONS if quick else MUTATIONS
    deadline = time.monotonic() + minutes * 60
    rng = random.Random(1 if quick else None)
    seed = rng.randrange(1 << 32)
    commands, loads = Tally("reading commands on a mutated file"), Tally("mutated files, loaded by themselves")
    number = 0
    while number < count or (minutes and time.monotonic() < deadline):
        if number and number % PROGRESS == 0:
            print(f"{commands.progress()}; {loads.progress()}", file=sys.stderr, flush=True)
        attack_commands(project, FILES[number % len(FILES)], seed + number, commands)
        attack_loader(project, LOADED[number % len(LOADED)], seed + number, loads)
        number += 1
    return [commands.outcome(), loads.outcome()]


class Tally:
    """Counts the tries of one kind."""

    def __init__(self, name: str) -> None:
        self.name, self.tried = name, 0
        self.failures: list[str] = []

    def add(self, label: str, problem: str) -> None:
        """Add one try, and its problem if it has one."""
        self.tried += 1
        if problem:
            self.failures.append(f"{label}: {problem}")
            print(self.failures[-1], file=sys.stderr, flush=True)

    def progress(self) -> str:
        """Return the counts so far."""
        return f"{self.name}: {self.tried:,} tried, {len(self.failures)} failed"

    def outcome(self) -> Outcome:
        """Return all tries."""
        return Outcome(name=self.name, tried=self.tried, failures=tuple(self.failures))


def attack_commands(project: Path, name: str, seed: int, tally: Tally) -> None:
    """Mutate one file, run every reading command, and restore the file."""
    path = project / name
    others = {folder.parent.name for folder in (project / "outputs").rglob("run.json")} - {BAD, path.parent.name}
    with mutated(path, seed):
        tally.add(f"{name} with seed {seed}", flaw_of(project, others))
    if name == INDEX:
        path.unlink(missing_ok=True)
        mhc(project, "list")


class mutated:
    """The block in which a file is mutated."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self.original = path, path.read_bytes()
        self.content = mutate(self.original, random.Random(seed))

    def __enter__(self) -> None:
        self.path.write_bytes(self.content)

    def __exit__(self, *error: object) -> None:
        self.path.write_bytes(self.original)


def load_checkpoint(project: Path, name: str) -> None:
    """Load a checkpoint that the record vouches for."""
    folder = (project / name).parent.parent
    record = json.loads((folder / "run.json").read_bytes())
    content = (project / name).read_bytes()
    record["checkpoint"] |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "run.json").write_bytes(json.dumps(record).encode())
    loading.from_run(folder)


def load_bundle(project: Path, name: str) -> None:
    """Load a bundle whose checksums fit."""
    folder = project / BUNDLE
    bundle.seal(folder)
    loading.from_bundle(folder)


def load_run(project: Path, name: str) -> None:
    """Load the run and its tokenizer."""
    loading.from_run(project / name.split("/tokenizer/")[0].split("/network/")[0]).tokenizer  # noqa: B018 (it is lazy)


def read_config(project: Path, name: str) -> None:
    """Read the config for a resumed training and for a prediction; its network is not built."""
    folder = (project / name).parent.parent
    resume.recorded_config(folder, {})
    loading.recorded_model(folder)


def read_plan(project: Path, name: str) -> None:
    """Read the jobs of a sweep."""
    sweep.planned_jobs((project / name).parent)


def read_evidence(project: Path, name: str) -> None:
    """Read the evidence, and compare it with that of the other run, as the gates do."""
    folder = (project / name).parent.parent
    measure.test_evidence(folder, store.read(folder))
    evidence.read(project / name)


Loader = Callable[[Path, str], None]
LOADED: tuple[tuple[str, Loader], ...] = (
    (f"{RUN}/checkpoints/best.ckpt", load_checkpoint),
    (f"outputs/{OTHER}/checkpoints/best.ckpt", load_checkpoint),
    (f"{BUNDLE}/model.safetensors", load_bundle),
    (f"{BUNDLE}/config.json", load_bundle),
    (f"{BUNDLE}/ngrams.json", load_bundle),
    (f"{BUNDLE}/calibration.json", load_bundle),
    (f"outputs/{OTHER}/tokenizer/tokenizer.json", load_run),
    (f"outputs/{OTHER}/tokenizer/tokenizer_config.json", load_run),
    (f"outputs/{OTHER}/network/config.json", load_run),
    (f"{RUN}/.hydra/config.yaml", read_config),
    (f"{SWEEP}/multirun.yaml", read_plan),
    (f"{RUN}/evaluation/test.npz", read_evidence),
)


def attack_loader(project: Path, target: tuple[str, Loader], seed: int, tally: Tally) -> None:
    """Mutate one file and load it; the files that the loader changed are restored."""
    name, load = target
    kept = {path: path.read_bytes() for path in changed_by_loaders(project, name)}
    with mutated(project / name, seed):
        tally.add(f"{name} with seed {seed}", flaw_of_loader(partial(load, project, name)))
    for path, content in kept.items():
        path.write_bytes(content)


def changed_by_loaders(project: Path, name: str) -> Iterator[Path]:
    """Yield the files that a loader rewrites, to vouch for the mutated one."""
    yield project / BUNDLE / bundle.CHECKSUMS
    if name.startswith("outputs/") and "/checkpoints/" in name:
        yield (project / name).parent.parent / "run.json"


def flaw_of_loader(load: Callable[[], None]) -> str:
    """Return how the loading went wrong: neither loaded nor refused in a sentence."""
    before = sys.stderr
    try:
        with alarm(), Path(os.devnull).open("w") as sys.stderr:
            load()
    except MhcError as error:
        return "" if "\n" not in str(error) else f"not one sentence: {error}"
    except Hang:
        return "it hangs"
    except Exception as error:
        return f"{type(error).__name__} at {report(error).splitlines()[-2].strip()}"
    finally:
        sys.stderr = before
    return ""
