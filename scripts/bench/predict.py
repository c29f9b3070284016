"""Part `predict`: texts per second of mhc.predict, transformers.pipeline and ONNX Runtime on one trained model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table
from transformers import PreTrainedModel

from mhc.inference.predictor import Predictor
from mhc.production import loading
from scripts.bench import mhc_run
from scripts.bench.setting import Setting

Probabilities = NDArray[np.float32]
Scored = tuple[list[str], Probabilities]
Contender = Callable[[Sequence[str]], Scored]

PIPELINE_BATCH = 32
GOAL = 3.0
"""Required speed of mhc as a multiple of the pipeline's."""
TOLERANCES = {"mhc_fp32": 1e-5, "mhc_auto": 1e-2}
"""Largest allowed difference of a probability from the pipeline's."""


@dataclass(frozen=True)
class Result:
    """The result of all rounds."""

    rates: dict[str, list[float]]
    """Texts per second by contender and round."""
    differences: dict[str, float]
    """Largest difference of a probability from the pipeline's in fp32."""
    other_labels: dict[str, int]
    """Number of texts whose label differs from the pipeline's."""
    texts: int

    def plain(self) -> dict[str, object]:
        """Return the values for JSON."""
        median = {name: statistics.median(rates) for name, rates in self.rates.items()}
        return {
            "texts_per_s": {name: [median[name], min(rates), max(rates)] for name, rates in self.rates.items()},
            "ratio": {name: median["mhc_auto"] / rate for name, rate in median.items() if name != "mhc_auto"},
            "largest_difference": self.differences,
            "other_labels": self.other_labels,
            "texts": self.texts,
        }


def trained(setting: Setting) -> Path:
    """Train briefly, so that probabilities differ, and return the run's folder."""
    mhc_run.begin(setting, 0, ["callbacks.early_stopping=null"])
    (folder,) = (path.parent for path in (setting.work / "outputs").rglob("run.json"))
    return folder


def contenders(run: Path, work: Path) -> dict[str, Contender]:
    """Return all contenders, the reference first; each has its own copy of the weights."""
    loaded = loading.from_run(run)
    folder = work / "transformers"
    assert isinstance(loaded.network, PreTrainedModel)
    loaded.network.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(str(folder))
    scorers = {
        "pipeline": pipeline(folder, loaded.max_tokens, torch.float32),
        "pipeline_bf16": pipeline(folder, loaded.max_tokens, torch.bfloat16),
        "mhc_fp32": own(run, "fp32"),
        "mhc_auto": own(run, "auto"),
    }
    if find_spec("onnxruntime") and find_spec("onnxscript"):
        scorers["onnx_runtime"] = onnx(run, work)
    return scorers


def own(run: Path, precision: str) -> Contender:
    """Return the scorer of mhc.predict, without the calibration temperature, which the others lack."""
    predictor = Predictor.load(run=run, precision=precision)

    def score(texts: Sequence[str]) -> Scored:
        probabilities = predictor.raw(texts)
        return [predictor.label_names[best] for best in probabilities.argmax(1)], probabilities

    return score


def pipeline(folder: Path, max_tokens: int, kind: torch.dtype) -> Contender:
    """Return the scorer of transformers.pipeline, batched as in its documentation."""
    from transformers import pipeline as transformers_pipeline

    classify = transformers_pipeline("text-classification", model=str(folder), dtype=kind)
    order = [classify.model.config.id2label[number] for number in range(classify.model.config.num_labels)]

    def score(texts: Sequence[str]) -> Scored:
        rows = classify(list(texts), batch_size=PIPELINE_BATCH, top_k=None, truncation=True, max_length=max_tokens)
        scores = [{item["label"]: item["score"] for item in row} for row in rows]
        probabilities = np.array([[row[label] for label in order] for row in scores], np.float32)
        return [order[best] for best in probabilities.argmax(1)], probabilities

    return score


def onnx(run: Path, work: Path) -> Contender:
    """Return the scorer of ONNX Runtime, on mhc's batches of similar length."""
    import onnxruntime
    from scipy.special import softmax

    from mhc.data.tokenizer import Encoder
    from mhc.model.onnx_export import export
    from mhc.model.scoring import BATCH_TOKENS, batches

    loaded = loading.from_run(run)
    (work / "onnx").mkdir()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(export(loaded, work / "onnx"), options, providers=["CPUExecutionProvider"])
    encode = Encoder(loaded.tokenizer_folder, loaded.max_tokens)

    def score(texts: Sequence[str]) -> Scored:
        encoded = encode(list(texts))
        starts = np.cumsum(encoded.lengths) - encoded.lengths
        probabilities = np.empty((len(texts), len(loaded.labels)), np.float32)
        for rows in batches(encoded.lengths, BATCH_TOKENS["cpu"]):
            lengths = encoded.lengths[rows]
            mask = np.arange(lengths[0]) < lengths[:, None]
            ids = np.where(mask, encoded.ids[np.where(mask, starts[rows][:, None] + np.arange(lengths[0]), 0)], 0)
            inputs = {"input_ids": ids.astype(np.int64), "attention_mask": mask.astype(np.int64)}
            probabilities[rows] = softmax(session.run(None, inputs)[0], axis=1)
        return [loaded.labels[best] for best in probabilities.argmax(1)], probabilities

    return score


def run(setting: Setting, *, rounds: int, texts: int, report: Callable[[str], None]) -> Result:
    """Train once, then let the contenders label the same texts in turn."""
    folder = trained(setting)
    posts = list(setting.data.normalised_texts("train"))[:texts]
    scorers = contenders(folder, setting.work)
    rates: dict[str, list[float]] = {name: [] for name in scorers}
    answers = {name: score(posts) for name, score in scorers.items()}
    for number in range(rounds):
        for name, score in scorers.items():
            begun = time.perf_counter()
            score(posts)
            rates[name].append(len(posts) / (time.perf_counter() - begun))
            report(f"round {number + 1}  {name:<16}{rates[name][-1]:>10,.0f} texts/s")
    labels, exact = answers["pipeline"]
    return Result(
        rates,
        {name: float(np.abs(probabilities - exact).max()) for name, (_, probabilities) in answers.items()},
        {name: sum(map(str.__ne__, labels, other)) for name, (other, _) in answers.items()},
        len(posts),
    )


def table(result: Result) -> Table:
    """Return a table with one row per contender."""
    rows = Table(title=f"{result.texts} texts")
    for column in ("", "texts/s", "range", "mhc is", "largest difference", "other labels"):
        rows.add_column(column, justify="right" if column else "left")
    ours = statistics.median(result.rates["mhc_auto"])
    for name, rates in sorted(result.rates.items(), key=lambda item: -statistics.median(item[1])):
        median = statistics.median(rates)
        span = f"{min(rates):,.0f} to {max(rates):,.0f}"
        difference = f"{result.differences[name]:.1e}"
        rows.add_row(name, f"{median:,.0f}", span, f"{ours / median:.2f} x", difference, str(result.other_labels[name]))
    return rows
