"""The score of a run that was trained on all rows, as a sentence. Pure."""

from __future__ import annotations

from mhc.record import Refit


def refit_sentence(refit: Refit) -> str:
    """Return that the score is that of the folds, with its interval."""
    bounds = refit.f1_macro
    interval = f" ({bounds.confidence:.0%} interval {bounds.low:.3f} to {bounds.high:.3f})" if bounds else ""
    f1_macro, accuracy = refit.metrics.f1_macro or 0.0, refit.metrics.accuracy or 0.0
    return (
        f"trained on all rows; its score is that of the folds of {refit.sweep}: macro-F1 {f1_macro:.3f}{interval}, "
        f"accuracy {accuracy:.3f}, on {refit.rows:,} rows, each predicted by a model that had not seen it in training"
    )
