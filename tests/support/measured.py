"""Runs with evidence and learning curves, for reports; no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mhc.runs import evidence
from tests.support.builders import LABELS, a_run, data_facts

ROWS = 120


def a_measured_run(outputs: Path, id: str, *, quality: float = 2.0, seed: int = 0, **record: Any) -> Path:
    """Write a run whose evidence is the better, the higher `quality` is; its curves have three epochs."""
    folder = a_run(outputs, id, **({"data": data_facts(high_risk=["suicidal"])} | record))
    for split in ("val", "test"):
        write_evidence(folder, split, quality, seed)
    rows = [f"{step},{name},{value}" for step, name, value in curves(quality)]
    (folder / "metrics.csv").write_text("\n".join(["step,metric,value", *rows, ""]))
    return folder


def write_evidence(folder: Path, split: str, quality: float, seed: int, labels: tuple[str, ...] = LABELS) -> None:
    random = np.random.default_rng([seed, split == "test"])
    truth = np.arange(ROWS) % len(labels)
    logits = random.normal(size=(ROWS, len(labels)))
    logits[np.arange(ROWS), truth] += quality
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ids = random.integers(0, 256, (ROWS, evidence.ID_BYTES), dtype=np.uint8)
    evidence.write(folder / "evaluation" / f"{split}.npz", ids, truth, shares.astype(np.float32), labels)


def curves(quality: float) -> list[tuple[int, str, float]]:
    """Return an epoch every 10 steps, and the pass over validation after the training, at a further step."""
    points = [
        (10 * epoch - 1, name, value)
        for epoch in (1, 2, 3)
        for name, value in (
            ("train/loss_epoch", 1.4 / epoch),
            ("val/loss", 1.5 / epoch),
            ("val/f1_macro", quality * epoch / 10),
        )
    ]
    return [*points, (30, "val/loss", 9.0), (30, "val/f1_macro", 0.999)]
