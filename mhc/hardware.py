"""The precision and the accelerator that suit this machine, and an allocator that reuses freed memory.

Heavy imports are inside the functions that need them.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Processor flags that mean matrix products in bfloat16: x86 AVX-512 and AMX, and Arm."""

PRECISIONS = ("auto", "bf16", "fp32")
"""Of a prediction; auto: bf16 if the hardware multiplies matrices in it."""


def best_precision(accelerator: str) -> str:
    """Return Lightning's `precision` for an accelerator, named as in Lightning (`auto`, `cpu`, `gpu`, `cuda`, `mps`).

    bf16-mixed if the hardware multiplies matrices in bfloat16, else 32-true. Half precision (fp16) is never chosen: it
    needs loss scaling and can overflow, and the GPUs that have it without bfloat16 are old.
    """
    kind = accelerator if accelerator != "auto" else best_accelerator()
    if kind == "cpu":
        return "bf16-mixed" if cpu_has_bf16() else "32-true"
    if kind in ("gpu", "cuda"):
        return "bf16-mixed" if _cuda_has_bf16() else "32-true"
    return "32-true"


def best_accelerator() -> str:
    """Return `cuda`, `mps` or `cpu`: the choice of Lightning's accelerator=auto."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def cpu_has_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Return whether the processor multiplies matrices in bfloat16; False if its flags cannot be read."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return not BF16_FLAGS.isdisjoint(value.split())
    return False


def _cuda_has_bf16() -> bool:
    import torch

    return torch.cuda.is_available() and torch.cuda.get_device_capability()[0] >= 8


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`, see mallopt(3)."""
THRESHOLD = 1 << 30
"""Bytes: smaller blocks are not mapped one by one, and this much may be free before any is returned to the system."""
ALLOCATOR_VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Environment variables by which a user chooses or configures an allocator."""


def reuse_memory() -> bool:
    """Let this process reuse freed blocks of any size; return whether it does.

    A training step allocates the same large blocks again and again. By default glibc maps those of up to 32 MB from
    the system and unmaps them, and the system clears every page again each time: a tenth of a step on a CPU.
    """
    if any(name in os.environ for name in ALLOCATOR_VARIABLES):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, THRESHOLD)) and bool(mallopt(M_TRIM_THRESHOLD, THRESHOLD))
