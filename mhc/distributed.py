"""The ranks of one distributed training: which one writes, and how the others find its folder.

Lightning starts the other ranks itself and they read `MHC_RUN`. Under torchrun and srun all ranks start in the same
way, so rank 0 writes the folder's name to a small file that the others wait for.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mhc.errors import NotFound

RUN = "MHC_RUN"
"""Environment variable: the folder of the run in whose training this process is another rank."""

MASKED = "MHC_MASKED"
"""Environment variable: the credentials of that run as JSON, which are masked in its recorded config."""

LIGHTNING_VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Environment variables that a fit with several processes leaves set; the next job of a sweep would hang."""

TIMEOUT = 300.0
"""Seconds that a rank waits for rank 0 to claim the folder."""


def rank(environ: Mapping[str, str] = os.environ) -> int:
    """Return the rank of this process, set by torchrun, srun or Lightning; 0 if it is the only one."""
    if int(environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in environ:
        return int(environ["SLURM_PROCID"])
    return int(environ.get("RANK", environ.get("LOCAL_RANK", "0")))


def launch_id(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return a name that all ranks of one launch share and no other launch has; None if this is the only process."""
    if int(environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in environ:
        return "slurm-" + "-".join(environ.get(f"SLURM_{key}", "0") for key in ("JOB_ID", "STEP_ID", "RESTART_COUNT"))
    if int(environ.get("WORLD_SIZE", "1")) > 1 and "TORCHELASTIC_RUN_ID" in environ:
        keys = ("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT")
        return "torchrun-" + "-".join(environ.get(key, "0").replace("/", "_") for key in keys)
    return None


def claim_once(parent: Path, claim: Callable[[], Path], job: str = "") -> Path:
    """Return the folder that rank 0 claims; on the other ranks, wait for its name."""
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
        NotFound: if it does not exist after `TIMEOUT` seconds.
    """
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if pointer.exists():
            return pointer.read_text(encoding="utf-8")
        time.sleep(0.05)
    raise NotFound(
        f"Rank {rank()} waited {TIMEOUT:.0f} s for rank 0 to claim a folder in {pointer.parent}. Start again"
    )


@contextmanager
def replaying_ranks(run: Path, credentials: Mapping[str, object]) -> Iterator[None]:
    """Let Lightning start the other ranks as plain copies of this command that replay `run`, and clean up afterwards.

    Lightning's own launcher for Hydra would start a whole sweep again in each rank (Lightning 2.6 appends to the
    command line of the sweep), and the variables that one job leaves set would hang the next job of the same process.
    `credentials` are the values that are masked in the recorded config, by dotted key.
    """
    from hydra.core.hydra_config import HydraConfig  # here: the command line imports this module without Hydra

    before = {name: os.environ.get(name) for name in (RUN, MASKED, *LIGHTNING_VARIABLES)}
    hydra = HydraConfig.instance()
    hydra_cfg, hydra.cfg = hydra.cfg, None
    os.environ[RUN] = str(run)
    if credentials:
        os.environ[MASKED] = json.dumps(credentials)
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
    """Destroy torch's process group if a strategy has left one."""
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
