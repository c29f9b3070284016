"""What a completed training suggests to do next, by what was measured in docs/models.md. Pure."""

from __future__ import annotations

from mhc.facts import DataFacts, Metrics, ModelFacts
from mhc.record import Category, RunRecord

GUIDE = "docs/models.md#what-to-use-when"
"""The page with the measurements behind each piece of advice."""

MANY_CUT = 0.1
"""Fraction of the texts of train that are cut, from which it is worth reading them whole."""

ENOUGH_ROWS = 30_000
"""Rows of train from which an encoder that is trained from scratch may reach a pretrained one."""


def single_class(metrics: Metrics | None) -> str | None:
    """Return the class that a model predicts for every text of a split; None if it predicts several.

    It does if all rows of one class are found, none of any other, and the precision of that class is the accuracy.
    """
    if metrics is None or metrics.accuracy is None:
        return None
    found = [name for name, recall in metrics.recall.items() if recall > 0]
    if len(found) != 1 or len(metrics.recall) < 2 or metrics.recall[found[0]] < 1:
        return None
    return found[0] if abs(metrics.precision.get(found[0], 0.0) - metrics.accuracy) < 1e-5 else None


def result_notes(record: RunRecord) -> list[str]:
    """Return what makes the metrics meaningless, as sentences without a full stop."""
    last = record.metrics.test or record.metrics.val
    label = single_class(last)
    if label is None:
        return []
    split = "test" if record.metrics.test else "val"
    return [f"the model predicts {label} for every text of {split}: it tells no classes apart"]


def advice(record: RunRecord) -> str | None:
    """Return one sentence without a full stop, or None.

    There is none for a debug run, embedded data or an ensemble, unless the model predicts one class for everything.
    """
    data, model = record.data, record.model
    if data is None or model is None:
        return None
    if single_class(record.metrics.test or record.metrics.val):
        return _of_single_class(model)
    if data.synthetic or record.category == Category.DEBUG or model.name == "ensemble":
        return None
    return _of_cut_texts(data, model) or _of_rows(data, model)


def _of_single_class(model: ModelFacts) -> str:
    if not model.fitted:
        return (
            f"more steps (model.min_steps=1000) or a lower model.optimizer.lr; model=linear is the reference ({GUIDE})"
        )
    return f"look at the data first: mhc data FILE counts labels, repeated texts and suspect labels ({GUIDE})"


def _of_cut_texts(data: DataFacts, model: ModelFacts) -> str | None:
    """Advise on long texts."""
    train = data.splits.get("train")
    if train is None or not train.rows or not train.truncated or train.truncated < MANY_CUT * train.rows:
        return None
    share = train.truncated / train.rows
    if model.long_texts == "windows":
        return (
            f"{share:.0%} of the texts of train have more windows than are read: a larger model.max_windows ({GUIDE})"
        )
    cut = f"{share:.0%} of the texts of train are cut at {model.max_tokens} tokens"
    windows = " or model.long_texts=windows" if model.pretrained and not model.fitted else ""
    frozen = model.name == "embedding"
    own = ", with model.network.pooling=mean if the encoder's own settings end there" if frozen else ""
    return f"{cut}: a larger model.tokenizer.max_tokens{windows} reads them whole{own} ({GUIDE})"


def _of_rows(data: DataFacts, model: ModelFacts) -> str | None:
    """Advise on the kind of model."""
    rows = data.splits["train"].rows if "train" in data.splits else 0
    if model.name == "linear":
        return f"model=embedding has the vectors of a pretrained encoder beside these n-grams: {GUIDE}"
    if model.pretrained:
        return f"an ensemble with another kind of model is often better: python -m mhc.ensemble RUN RUN ({GUIDE})"
    if rows < ENOUGH_ROWS and not model.fitted:
        return (
            f"with {rows:,} rows of train a pretrained encoder is better than one from scratch: model=embedding in "
            f"minutes on a CPU, model=pretrained on a GPU ({GUIDE})"
        )
    return None
