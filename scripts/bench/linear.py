"""Part `linear`: `model=linear` compared with five lines of scikit-learn on the same rows: macro-F1 and CPU time."""

from __future__ import annotations

import contextlib
import io
import shutil
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline, make_union

from mhc.runs import store
from scripts.bench import mhc_run
from scripts.bench.setting import Setting

DATA_SETS = ("mh4_balanced", "dr_imhi", "sad", "goemotions_group4")
SPLITS = ("train", "val", "test")
LARGEST_LOSS = 0.005
"""Macro-F1 on test by which mhc may be below scikit-learn."""
LARGEST_RATIO = 2.0
"""Of the seconds, once texts are read and libraries imported."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Macro-F1 and CPU seconds of both on one data set."""

    val: tuple[float, float]
    """Macro-F1 on val: mhc, scikit-learn."""
    test: tuple[float, float]
    seconds: tuple[float, float]
    """CPU time from clean texts to the scores of val and test."""
    rows: int
    """Of train."""

    @property
    def passed(self) -> bool:
        """Whether mhc is as good and as fast as it has to be."""
        good = self.test[0] >= self.test[1] - LARGEST_LOSS
        return good and self.seconds[0] <= LARGEST_RATIO * self.seconds[1]

    def plain(self) -> dict[str, object]:
        """Return the values for JSON."""
        return {"val": self.val, "test": self.test, "seconds": self.seconds, "rows": self.rows, "passed": self.passed}


def settings(data: Path, work: Path, names: tuple[str, ...]) -> dict[str, Setting]:
    """Return a setting for each data set that is in the folder."""
    result = {}
    for name in names or DATA_SETS:
        files = {split: data / name / f"{split}.csv" for split in SPLITS}
        given = [f"data.{split}={path}" for split, path in files.items() if path.is_file() and split != "train"]
        if files["train"].is_file():
            extra = [*given, "test=true", "auto_archive=false", f"name={name}", "logger=csv"]
            result[name] = Setting(name, "linear", files["train"], work / name, "32-true", extra)
    return result


def import_libraries(work: Path) -> None:
    """Train once on a few generated texts, so that no library is imported within a measurement."""
    extra = ["data.rows=200", "test=true", "auto_archive=false", "name=first", "logger=csv"]
    setting = Setting("first", "linear", None, work / "first", "32-true", extra)
    setting.data.prepare()
    by_mhc(setting)


def run(setting: Setting, report: Callable[[str], None]) -> Comparison:
    """Fit both on one data set."""
    texts = {split: list(setting.data.normalised_texts(split)) for split in SPLITS}
    labels = {split: np.asarray(setting.data.label_ids(split)) for split in SPLITS}
    theirs = by_scikit_learn(texts, labels)
    report(f"{setting.name}  scikit-learn  test {theirs[1]:.4f}  {theirs[2]:.1f} s")
    ours = by_mhc(setting)
    report(f"{setting.name}  mhc           test {ours[1]:.4f}  {ours[2]:.1f} s")
    val, test, seconds = zip(ours, theirs, strict=True)
    return Comparison(val=val, test=test, seconds=seconds, rows=len(labels["train"]))


def by_mhc(setting: Setting) -> tuple[float, float, float]:
    """Return macro-F1 on val and on test, and CPU seconds, vocabulary, record and evidence included."""
    for folder in ("tokenizers", "tokens"):
        shutil.rmtree(setting.work / "cache" / folder)
    begun = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):
        mhc_run.begin(setting, 1, [])
    seconds = time.process_time() - begun
    [path] = (setting.work / "outputs").glob("*/run.json")
    metrics = store.read(path.parent).metrics
    assert metrics.val is not None
    assert metrics.test is not None
    return metrics.val.f1_macro or 0.0, metrics.test.f1_macro or 0.0, seconds


def by_scikit_learn(texts: dict[str, list[str]], labels: dict[str, np.ndarray]) -> tuple[float, float, float]:
    """Return the same for TF-IDF of words, pairs of words and pieces of words, and logistic regression with C = 10."""
    begun = time.process_time()
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5))
    both = make_union(TfidfVectorizer(ngram_range=(1, 2)), pieces)
    pipeline = make_pipeline(both, LogisticRegression(C=10, max_iter=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline.fit(texts["train"], labels["train"])
    val, test = (
        float(f1_score(labels[split], pipeline.predict(texts[split]), average="macro")) for split in ("val", "test")
    )
    return val, test, time.process_time() - begun


def table(results: dict[str, Comparison]) -> Table:
    """Return a table with one row per data set: mhc, scikit-learn, difference or ratio."""
    rows = Table(title="model=linear and scikit-learn (TF-IDF, logistic regression with C = 10) on the same rows")
    for column in ("", "rows", "val F1", "test F1", "difference", "CPU s", "ratio", ""):
        rows.add_column(column, justify="right" if column else "left")
    for name, each in results.items():
        rows.add_row(
            name,
            f"{each.rows:,}",
            " / ".join(f"{value:.3f}" for value in each.val),
            " / ".join(f"{value:.3f}" for value in each.test),
            f"{each.test[0] - each.test[1]:+.3f}",
            " / ".join(f"{value:.1f}" for value in each.seconds),
            f"{each.seconds[0] / each.seconds[1]:.2f}",
            "passed" if each.passed else "missed",
        )
    rows.caption = f"each as mhc / scikit-learn; passed: at most {LARGEST_LOSS} below, at most {LARGEST_RATIO:g} times"
    return rows
