"""Predict labels and calibrated probabilities of texts. Importing it is cheap: torch is imported with the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mhc.data.cleaning import clean_text
from mhc.errors import BadConfig

if TYPE_CHECKING:
    from mhc.model.weights import Loaded


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """Prediction of a model with k labels for n texts."""

    labels: list[str]
    """The most probable label of each text; empty for an empty text."""
    probabilities: NDArray[np.float32]
    """[n, k]; a row of nan for an empty text."""
    cut: frozenset[int]
    """Positions of the texts that were longer than the model reads, and were cut."""
    empty: int
    """Number of texts without a visible character."""

    @property
    def truncated(self) -> int:
        """Number of texts that were cut."""
        return len(self.cut)


class Predictor:
    """A model that labels texts.

    `Predictor.load(run="attention_v3")(texts)` returns (labels, probabilities [n, k]); `predictor.label_names` are the
    columns.

    Args:
        loaded: a model of `mhc.production.loading`; its network is used, not copied.
        precision: fp32, bf16 (probabilities differ by less than 1e-2), or auto: bf16 if the hardware has it.
        device: auto, cpu, cuda, mps.
        batch_tokens: tokens of a batch; None: a number that suits the device.
    """

    def __init__(
        self, loaded: Loaded, *, precision: str = "auto", device: str = "auto", batch_tokens: int | None = None
    ) -> None:
        self.name, self.label_names, self.temperature = loaded.name, list(loaded.labels), loaded.temperature
        self.repairs = loaded.repairs
        self.encode = loaded.encoder()
        self.scorer = loaded.scorer(precision=precision, device=device, batch_tokens=batch_tokens)

    @classmethod
    def load(
        cls,
        run: str | Path | None = None,
        bundle: str | Path | None = None,
        *,
        task: str | None = None,
        outputs: str | Path = "outputs",
        models: str | Path = "models",
        precision: str = "auto",
        device: str = "auto",
        batch_tokens: int | None = None,
    ) -> Predictor:
        """Load a run (beginning or end of its id, or its folder) or a bundle (name, alias, or its folder).

        `task` is the name of the task whose alias is meant.

        Raises:
            NotFound: if there is no such run, bundle or task.
            Conflict: if there are several runs.
            Unreadable: if it is damaged.
            BadConfig: if not exactly one of `run` and `bundle` is given, or the precision or device is unknown.
        """
        if (run is None) == (bundle is None):
            raise BadConfig("Give one of run= and bundle=")
        from mhc.production import loading

        if run is not None:
            loaded = loading.from_run(loading.find_run(Path(outputs), str(run)))
        else:
            loaded = loading.from_bundle(*loading.find_bundle(Path(models), str(bundle), task))
        return cls(loaded, precision=precision, device=device, batch_tokens=batch_tokens)

    def __call__(self, texts: Sequence[str]) -> tuple[list[str], NDArray[np.float32]]:
        """Return the labels, and the probabilities [n, k]."""
        prediction = self.predict(texts)
        return prediction.labels, prediction.probabilities

    def raw(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the probabilities [n, k] of normalised texts, without the temperature."""
        return self.scorer.probabilities(self.encode(texts), len(self.label_names))

    def predict(self, texts: Sequence[str], on_batch: Callable[[int], None] | None = None) -> Prediction:
        """Label the texts; `on_batch` is called after every batch with its number of rows."""
        from mhc.model.calibration import apply_temperature

        clean = [clean_text(text, repair=self.repairs) for text in texts]
        rows = [row for row, text in enumerate(clean) if text]
        encoded = self.encode([clean[row] for row in rows])
        raw = self.scorer.probabilities(encoded, len(self.label_names), on_batch)
        probabilities = np.full((len(texts), len(self.label_names)), np.nan, np.float32)
        labels = [""] * len(texts)
        if rows:
            probabilities[rows] = apply_temperature(raw, self.temperature)
        for row, best in zip(rows, raw.argmax(axis=1).tolist(), strict=True):
            labels[row] = self.label_names[best]
        return Prediction(
            labels=labels,
            probabilities=probabilities,
            cut=frozenset(rows[position] for position in encoded.cut),
            empty=len(texts) - len(rows),
        )
