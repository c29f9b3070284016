"""The training on all rows after a cross-validation.

The run has no score of its own, unless there is a test file: its score is that of the folds, whose models were trained
in the same way on fewer rows. There is no val either, so it is trained for a fixed number of epochs, the median of the
folds' best ones, and the temperature is fitted on the out-of-fold predictions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, median

import numpy as np
from omegaconf import DictConfig

from mhc import policy
from mhc.errors import BadInput
from mhc.facts import Bounds, Metrics, Refit
from mhc.record import RunRecord
from mhc.runs import checkpoints, evidence, folders, out_of_fold, resolve, store, sweeps
from mhc.runs.out_of_fold import FoldRun, OutOfFold
from mhc.runs.signals import signals_deferred
from mhc.statistics import passes
from mhc.statistics.estimates import Interval
from mhc.training.resume import log_to, outputs_of, recorded_config

Values = dict[str, str]


def train_on_all_rows(text: str, values: Values) -> None:
    """Train a run on the rows of all folds of a sweep, or of the folds with the config of one run.

    Raises:
        BadInput: if a fold is missing, or the folds are of several configs.
        NotFound: if there is no such sweep or run.
    """
    from mhc.training.job import plain, register_run, train

    outputs = outputs_of(values)
    sweep, runs = folds_of(outputs, text)
    joined = out_of_fold.join(runs)
    given = {key: value for key, value in values.items() if key not in ("refit", "seed")}
    cfg = recorded_config(joined.runs[0].folder, given)
    cfg.seed = int(values.get("seed", cfg.seed))
    epochs = math.ceil(median(best_epoch(run) for run in joined.runs))
    adapt(cfg, sweep, epochs)
    folder = folders.claim(outputs, cfg.name, datetime.now(UTC))
    cfg.paths.run = str(folder.absolute())
    log_to(folder)
    try:
        with signals_deferred():
            facts = facts_of(joined, sweep, epochs, policy.from_values(plain(cfg.policy), "policy"))
            run = register_run(cfg, folder, [f"refit={text}", f"seed={cfg.seed}"], None, refit=facts)
    except Exception:
        folders.discard_claim(folder)
        raise
    write_evidence(folder, joined)
    train(cfg, run)


def folds_of(outputs: Path, text: str) -> tuple[str, list[tuple[Path, RunRecord]]]:
    """Return the id of the sweep, and its runs: all, or those with the config of the run that is named.

    Raises:
        BadInput: if the run is not a fold of a sweep.
        NotFound: if there is no such sweep or run.
    """
    if text.endswith("_sweep"):
        return text, sweeps.members(outputs, text)
    record = store.read(resolve.find(outputs, text))
    if record.sweep is None or record.data is None or record.data.folds is None:
        raise BadInput(f"Run {record.id} is no fold of a cross-validation. Make one with: experiment=cv refit=true")
    same = [run for run in sweeps.members(outputs, record.sweep.id) if run[1].group == record.group]
    return record.sweep.id, same


def adapt(cfg: DictConfig, sweep: str, epochs: int) -> None:
    """Change the config of a fold to that of all rows: no fold is held out, and the weights of the last epoch count."""
    cfg.data.fold = "all"
    cfg.refit = sweep
    cfg.trainer.max_epochs = epochs
    cfg.trainer.num_sanity_val_steps = 0
    if cfg.callbacks.get("early_stopping") is not None:
        cfg.callbacks.early_stopping = None
    if cfg.callbacks.get("checkpoint") is not None:
        cfg.callbacks.checkpoint.update({"monitor": None, "save_on_train_epoch_end": True})


def best_epoch(run: FoldRun) -> int:
    """Return the number of epochs after which the best checkpoint of a fold was written.

    Raises:
        BadInput: if it has none.
    """
    import torch

    if run.record.checkpoint is None:
        raise BadInput(f"Run {run.record.id} has no checkpoint, so its best epoch is not known. Train the fold again")
    path = checkpoints.recorded(run.folder, run.record.checkpoint.path)
    return int(torch.load(path, map_location="cpu", weights_only=True, mmap=True)["epoch"]) + 1


def facts_of(joined: OutOfFold, sweep: str, epochs: int, rules: policy.Policy) -> Refit:
    """Return what the record says about the folds: the score, and where it is from."""
    from mhc.metrics import measure

    parts = list(joined.passes.values())
    confidence, resamples = rules.promotion.confidence, rules.promotion.resamples
    accuracy, f1_macro = passes.scores([(part.labels, part.probabilities) for part in parts], confidence, resamples)
    return Refit(
        sweep=sweep,
        runs=[run.record.id for run in joined.runs],
        rows=joined.runs[0].facts.rows,
        passes=len(parts),
        epochs=epochs,
        metrics=mean_metrics([measure(part.labels, part.probabilities, part.label_names) for part in parts]),
        accuracy=bounds(accuracy),
        f1_macro=bounds(f1_macro),
    )


def bounds(interval: Interval) -> Bounds:
    """Return the ends of an interval as they are recorded."""
    return Bounds(low=interval.low, high=interval.high, confidence=interval.confidence)


def mean_metrics(metrics: Sequence[Metrics]) -> Metrics:
    """Return the mean of each metric over the passes."""

    def mean(name: str) -> float:
        return fmean(getattr(part, name) or 0.0 for part in metrics)

    def mean_by_class(name: str) -> dict[str, float]:
        return {label: fmean(getattr(part, name)[label] for part in metrics) for label in getattr(metrics[0], name)}

    return Metrics(
        accuracy=mean("accuracy"),
        f1_macro=mean("f1_macro"),
        loss=mean("loss"),
        ece=mean("ece"),
        f1=mean_by_class("f1"),
        precision=mean_by_class("precision"),
        recall=mean_by_class("recall"),
    )


def write_evidence(folder: Path, joined: OutOfFold) -> None:
    """Write the out-of-fold predictions of all passes, on which the temperature is fitted."""
    parts = list(joined.passes.values())
    evidence.write(
        folder / "evaluation" / evidence.FOLDS_FILE,
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        parts[0].label_names,
    )
