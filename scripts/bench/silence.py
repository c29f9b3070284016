"""Suppression of library output between the lines of a benchmark."""

from __future__ import annotations

import logging
import warnings


def libraries() -> None:
    """Log only the errors of Lightning, transformers, datasets and mhc."""
    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning", "transformers", "datasets", "accelerate", "mhc"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from datasets import disable_progress_bars
    from transformers.utils.logging import set_verbosity_error

    disable_progress_bars()
    set_verbosity_error()
