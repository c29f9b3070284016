"""The processes of one distributed training: who writes, and how the others find the folder of the first.

Lightning starts the other ranks itself and they read `MHC_RUN`; under torchrun and srun all ranks start alike, so
rank 0 leaves the folder's name in a small file that the others wait for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mhc.errors import NotFound

RUN = "MHC_RUN"
"""Environment variable: the folder of the run whose training this process helps."""

LEFT_BY_LIGHTNING = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What a fit with several processes leaves in the environment; the next job of a sweep would hang on it."""

TIMEOUT = 300.0
"""Seconds that a rank waits for rank 0 to claim the folder."""


def rank(environ: Mapping[str, str] = os.environ) -> int:
    """Return this process's rank: from torchrun, srun or Lightning; 0 when it is alone."""
    if int(environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in environ:
        return int(environ["SLURM_PROCID"])
    return int(environ.get("RANK", environ.get("LOCAL_RANK", "0")))


def launch_id(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return what all ranks of one launch share and no other launch has; None when this process is alone."""
    if int(environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in environ:
        return "slurm-" + "-".join(environ.get(f"SLURM_{key}", "0") for key in ("JOB_ID", "STEP_ID", "RESTART_COUNT"))
    if int(environ.get("WORLD_SIZE", "1")) > 1 and "TORCHELASTIC_RUN_ID" in environ:
        keys = ("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT")
        return "torchrun-" + "-".join(environ.get(key, "0").replace("/", "_") for key in keys)
    return None


def claim_once(parent: Path, claim: Callable[[], Path], job: str = "") -> Path:
    """Return the folder that rank 0 claims; the other ranks wait for its name."""
    key = launch_id()
    if key is None:
        return claim()
    pointer = parent / f".{key}{'-' + job if job else ''}.rank0"
    if rank() == 0:
        folder = claim()
        draft = pointer.with_suffix(f".{os.getpid()}")
        draft.write_text(folder.name, encoding="utf-8")
        draft.replace(pointer)
        return folder
    return parent / wait_for_text(pointer)


def wait_for_text(pointer: Path) -> str:
    """Return the text of a file that another process is about to write.

    Raises:
        NotFound: after `PATIENCE` seconds without it.
    """
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        if pointer.exists():
            return pointer.read_text(encoding="utf-8")
        time.sleep(0.05)
    raise NotFound(
        f"Rank {rank()} waited {TIMEOUT:.0f} s for rank 0 to claim a folder in {pointer.parent}. Start again"
    )


@contextmanager
def replaying_ranks(run: Path) -> Iterator[None]:
    """Let Lightning start the other ranks as plain copies of this command that replay `run`, and clean up after them.

    Hydra's own way of starting them would start a whole sweep again in each (Lightning 2.6 appends to the command
    line of the sweep), and what one job leaves in the environment would hang the next job of the same process.
    """
    from hydra.core.hydra_config import HydraConfig  # here: the command line asks this module for ranks, not for Hydra

    before = {name: os.environ.get(name) for name in (RUN, *LEFT_BY_LIGHTNING)}
    hydra = HydraConfig.instance()
    hydra_cfg, hydra.cfg = hydra.cfg, None
    os.environ[RUN] = str(run)
    try:
        yield
    finally:
        hydra.cfg = hydra_cfg
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        destroy_process_group()


def destroy_process_group() -> None:
    """Destroy torch's process group where a strategy has left one behind."""
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
