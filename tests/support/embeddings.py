"""A tiny random encoder, a table of texts in its words, and trainings of `model=embedding` in this process."""

from __future__ import annotations

import contextlib
import csv
import io
import random
from pathlib import Path

from mhc.record import RunRecord
from mhc.runs import folders, store
from scripts.bench import mhc_run
from scripts.bench.setting import Setting
from tests.support.encoder_families import WORDS, write_family

SIGNS = {"calm": WORDS[:3], "tired": WORDS[3:6]}


def write_table(path: Path, rows: int = 60, *, wrong: float = 0.0) -> list[str]:
    """Write texts of two labels, told by their words, and return the texts; a share has words of the wrong label."""
    chance = random.Random(3)
    texts = []
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(rows):
            label = "calm" if row % 2 else "tired"
            words = [
                *chance.choices(WORDS[6:], k=chance.randint(3, 20)),
                *chance.choices(SIGNS[told_by(label, chance, wrong)], k=2),
            ]
            chance.shuffle(words)
            texts.append(" ".join(words))
            writer.writerow([texts[-1], label])
    return texts


def told_by(label: str, chance: random.Random, wrong: float) -> str:
    """Return the label that the words of a text tell."""
    other = next(name for name in SIGNS if name != label)
    return other if wrong and chance.random() < wrong else label


def write_project(folder: Path, family: str = "mpnet") -> Path:
    """Write an encoder and a table, and return the folder."""
    write_family(folder / "encoder", family)
    write_table(folder / "train.csv")
    return folder


def setting_of(folder: Path, model: str = "embedding") -> Setting:
    """Return what a training of a model (embedding, linear or pretrained) in the folder of a project begins with."""
    source = [f"model.network.name={folder / 'encoder'}", "model.tokenizer.max_tokens=32"]
    terms = ["model.tokenizer.min_texts=1", "model.solver.strengths=[0.1,0.3]"]
    own = {"embedding": [*source, *terms], "linear": terms, "pretrained": [*source, "trainer.precision=32-true"]}
    extra = [*own[model], "test=true", "logger=csv", "report=false", "trainer=cpu", "auto_archive=false"]
    return Setting(model, model, folder / "train.csv", folder, "32-true", extra)


def train(folder: Path, *words: str, seed: int = 1, model: str = "embedding") -> tuple[Path, RunRecord]:
    """Train once, as `python -m mhc.train` does, and return the folder and the record of the new run."""
    before = {path for path, _ in folders.iter_runs(folder / "outputs")}
    with contextlib.redirect_stderr(io.StringIO()):
        mhc_run.begin(setting_of(folder, model), seed, list(words))
    [run] = [path for path, _ in folders.iter_runs(folder / "outputs") if path not in before]
    return run, store.read(run)


def computed(record: RunRecord) -> list[str]:
    """Return what the history tells about the texts that were computed."""
    return [event.why for event in record.history if event.what == "texts computed"]
