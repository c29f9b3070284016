"""Filters that hide messages of other libraries on the terminal; their errors are still shown."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings

log = logging.getLogger(__name__)

IGNORED = (
    # pytorch-lightning 2.6 with torch 2.13, on every fit, about its own use of torch's tree utilities
    r".*isinstance\(treespec, LeafSpec\).*",
    # batches come from a memory map: workers would only add cost
    r".*does not have many workers.*",
    # a small data set has fewer batches than trainer.log_every_n_steps
    r".*The number of training batches .* is smaller than the logging interval.*",
    # a training on the rows of all folds has no val
    r".*Total length of `list` across ranks is zero.*",
    # the run folder was created exclusively; its files belong to this run
    r".*Checkpoint directory .* exists and is not empty.*",
)
"""Patterns of warnings that require no action by the user, each with its reason."""

LOGGERS = ("pytorch_lightning.utilities.rank_zero", "lightning.pytorch.utilities.rank_zero", "lightning_fabric")
"""Loggers that announce devices, tips for a cloud product and the end of max_epochs."""


def quieten() -> None:
    """Install the filters, once per process, before the Trainer is created."""
    for pattern in IGNORED:
        warnings.filterwarnings("ignore", message=pattern)
    for name in (*LOGGERS, "datasets", "torch.distributed"):
        logging.getLogger(name).setLevel(logging.WARNING)
    threading.excepthook = log_thread_error
    # transformers sets its own level on import, and warns about every newly initialised head
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if "transformers" in sys.modules:
        from transformers.utils import logging as transformers_logging

        transformers_logging.set_verbosity_error()


def log_thread_error(hook: threading.ExceptHookArgs) -> None:
    """Log one line for a library's thread that could not write, such as TensorBoard's; others print their traceback.

    The training gets the same error when it hands the next value to that thread.
    """
    if not isinstance(hook.exc_value, OSError):
        threading.__excepthook__(hook)
    elif not isinstance(hook.exc_value, FileNotFoundError):  # else the folder of the run is gone, which ends it
        log.warning("A thread of a library cannot write its file: %s", hook.exc_value.strerror)
