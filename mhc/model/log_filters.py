"""Keeps other libraries from talking over our own lines on the terminal; errors still come through."""

from __future__ import annotations

import logging
import os
import warnings

IGNORED = (
    # pytorch-lightning 2.6 with torch 2.13, on every fit, about its own use of torch's tree utilities
    r".*isinstance\(treespec, LeafSpec\).*",
    # batches come from a memory map: workers would only cost
    r".*does not have many workers.*",
    # a small data set has fewer batches than trainer.log_every_n_steps
    r".*The number of training batches .* is smaller than the logging interval.*",
    # the run folder was claimed with an exclusive create; what lies there is this run's
    r".*Checkpoint directory .* exists and is not empty.*",
)
"""Warnings that tell a user nothing he could act on, each with its reason."""

LOGGERS = ("pytorch_lightning.utilities.rank_zero", "lightning.pytorch.utilities.rank_zero", "lightning_fabric")
"""They announce devices, tips for a cloud product and the end of max_epochs."""


def quieten() -> None:
    """Call once per process, before the Trainer is made; before transformers is imported."""
    for pattern in IGNORED:
        warnings.filterwarnings("ignore", message=pattern)
    for name in (*LOGGERS, "datasets", "torch.distributed"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # it sets its own level on import, and reports every head that is fresh as a warning
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
