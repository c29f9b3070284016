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


def write_table(path: Path, rows: int = 60) -> list[str]:
    """Write texts of two labels, told by their words, and return the texts."""
    chance = random.Random(3)
    texts = []
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(rows):
            label = "calm" if row % 2 else "tired"
            words = [*chance.choices(WORDS[6:], k=chance.randint(3, 20)), *chance.choices(SIGNS[label], k=2)]
            chance.shuffle(words)
            texts.append(" ".join(words))
            writer.writerow([texts[-1], label])
    return texts


def write_project(folder: Path, family: str = "mpnet") -> Path:
    """Write an encoder and a table, and return the folder."""
    write_family(folder / "encoder", family)
    write_table(folder / "train.csv")
    return folder


def train(folder: Path, *words: str, seed: int = 1) -> tuple[Path, RunRecord]:
    """Train once, as `python -m mhc.train` does, and return the folder and the record of the new run."""
    before = {path for path, _ in folders.iter_runs(folder / "outputs")}
    extra = [
        f"model.network.name={folder / 'encoder'}", "model.tokenizer.max_tokens=32", "model.tokenizer.min_texts=1",
        "test=true", "logger=csv", "report=false", "trainer=cpu", "auto_archive=false",
        "model.solver.strengths=[0.1,0.3]",
    ]  # fmt: skip
    setting = Setting("embedding", "embedding", folder / "train.csv", folder, "32-true", extra)
    with contextlib.redirect_stderr(io.StringIO()):
        mhc_run.begin(setting, seed, list(words))
    [run] = [path for path, _ in folders.iter_runs(folder / "outputs") if path not in before]
    return run, store.read(run)


def computed(record: RunRecord) -> list[str]:
    """Return what the history tells about the texts that were computed."""
    return [event.why for event in record.history if event.what == "texts computed"]
