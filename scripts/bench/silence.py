"""Keep libraries from talking between the lines of a benchmark."""

from __future__ import annotations

import logging
import warnings


def libraries() -> None:
    """Leave only errors of Lightning, transformers and datasets, and of mhc itself."""
    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning", "transformers", "datasets", "accelerate", "mhc"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from datasets import disable_progress_bars
    from transformers.utils.logging import set_verbosity_error

    disable_progress_bars()
    set_verbosity_error()
