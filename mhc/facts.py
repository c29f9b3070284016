"""Facts about the data, the model and the results of a training. Pure: no torch, no disk.

`mhc.data`, `mhc.model` and `mhc.metrics` create them, `mhc.record` stores them, `mhc.production` judges them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from shlex import quote

import msgspec

HIGH_RISK_NAME = re.compile(r"suicid|self[\W_]*(harm|injur)|crisis|overdos", re.IGNORECASE)
"""Names of labels that are proposed as high-risk, never assumed to be."""


class SplitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One split, counted and fingerprinted after cleaning."""

    rows: int
    fingerprint: str
    """sha256 over the sorted (normalised text, label) pairs; equal for equal content in any order."""
    labels: dict[str, int] = {}
    """Rows per label name."""
    tokens: int | None = None
    """Real tokens, without padding; None for a bag of words."""
    truncated: int | None = None
    """Texts cut at the model's maximal length."""
    windowed: int | None = None
    """Texts read in several windows; None if texts are not read in windows."""
    placeholders: int | None = None
    """Texts such as [removed] or nan; None in records of earlier versions."""
    most_repeated: int | None = None
    """For val and test: rows of the most frequent text; None in records of earlier versions."""
    near_duplicates: int | None = None
    """For val and test: rows that are near copies of a train row; None if not measured."""
    shared_groups: int | None = None
    """For val and test: groups (authors) that also occur in train; None without a group column."""


class FoldFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Cross-validation: which part of the rows a training was tested on."""

    folds: int
    repeats: int = 1
    """How often all rows are cut into folds, each time in another way."""
    fold: int | None = None
    """From 0 to folds x repeats - 1; None: the rows of all folds are in train."""
    rows: int
    """Of all folds together."""
    fingerprint: str
    """Of all folds together, as that of a split."""

    @property
    def repeat(self) -> int:
        """From 0 to repeats - 1."""
        return (self.fold or 0) // self.folds


class DataFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a run."""

    name: str
    synthetic: bool
    labels: list[str]
    """Names in the order of the model's outputs."""
    splits: dict[str, SplitFacts]
    """By name: train, val, test. test is missing if the data has none."""
    source: str = ""
    """The origin of the data: file names or a hub name; never a text."""
    cut: dict[str, str] = {}
    """The origin of each split: given, or cut from train by hash of text or group."""
    folds: FoldFacts | None = None
    """None without cross-validation."""
    cleaning: dict[str, int] = {}
    """Rows dropped, by reason."""
    reading: list[str] = []
    """What was found in the files and is not as usual, such as another separator; never a text."""
    repaired: bool = False
    """Whether HTML entities and tags were decoded and mojibake was mended, in training and in use."""
    repairs: dict[str, int] = {}
    """Texts that were mended, by kind and split: markup_in_train, mojibake_in_test."""
    masked: bool = False
    """Whether URLs, e-mail addresses, user handles and phone numbers were replaced by marks, in training and in use."""
    high_risk: list[str] = []
    """Labels that the data config marks as high risk."""
    train_fraction: float = 1.0
    """Fraction of the training split that was used, 0 to 1."""
    tokenizer: str | None = None
    """Kind and fingerprint of the tokenizer."""


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The model of a run."""

    name: str
    """The chosen option of the config group: micro, baseline, ..."""
    architecture: str
    """The class of the network."""
    parameters: int
    trainable_parameters: int
    max_tokens: int | None = None
    pretrained: str | None = None
    """Hub name or folder name of the initial weights; None if trained from scratch."""
    attention: str | None = None
    """How transformers computes attention: sdpa (fused by torch), or eager; None for other networks."""
    long_texts: str | None = None
    """How texts of more than `max_tokens` are read: cut, head_tail or windows; None in records of earlier versions."""
    own_forward: str | None = None
    """Why an encoder is computed by transformers on every device, with `model.fast: auto`; None if it is not."""

    @property
    def fitted(self) -> bool:
        """Whether the weights were fitted in one step, without a learning rate or label smoothing; a mean's are."""
        return self.name in ("linear", "embedding", "ensemble")


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics of one split, all in [0, 1] except the loss; defined by `mhc.metrics`."""

    accuracy: float | None = None
    f1_macro: float | None = None
    loss: float | None = None
    ece: float | None = None
    f1: dict[str, float] = {}
    precision: dict[str, float] = {}
    recall: dict[str, float] = {}


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The ends of an interval."""

    low: float
    high: float
    confidence: float
    """0 to 1, such as 0.95."""


class Refit(msgspec.Struct, frozen=True, kw_only=True):
    """The score of a run that was trained on the rows of all folds: that of the folds."""

    sweep: str
    """The id of the cross-validation."""
    runs: list[str] = []
    """The ids of the folds."""
    rows: int = 0
    passes: int = 1
    """Predictions of each row: one for each repeat of the folds and each seed."""
    epochs: int | None = None
    """The median of the best epochs of the folds, for which the run was trained."""
    metrics: Metrics = Metrics()
    """Over all rows, each predicted by a training that had held it out; the mean over the passes."""
    accuracy: Bounds | None = None
    f1_macro: Bounds | None = None


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Durations and counts of one run."""

    setup_s: float | None = None
    """From the process's registration to the first training step."""
    fit_s: float | None = None
    test_s: float | None = None
    epochs: int | None = None
    steps: int | None = None
    tokens_per_s: float | None = None
    """Real tokens (no padding) per second of training, without validation; None for a bag of words."""
    ngrams_per_s: float | None = None
    """The same for a bag of words, whose n-grams are several for each word."""


class Smoke(msgspec.Struct, frozen=True, kw_only=True):
    """Trainer options that make a run a smoke test."""

    fast_dev_run: bool = False
    limited: list[str] = []
    """Names of limit_*_batches options below 1.0, or overfit_batches, with their values: `limit_train_batches=2`."""


def unmarked_high_risk(labels: Sequence[str]) -> str:
    """Return the notice that no label is marked as high-risk, with the key that marks one, and the likely ones."""
    likely = [label for label in labels if HIGH_RISK_NAME.search(label)]
    words = quote(f"data.high_risk=[{','.join(likely) or 'LABEL'}]")
    proposal = f"{words} (proposed by the name)" if likely else words
    return f"no class is marked as high-risk; mark those that must not be missed, in training: {proposal}"
