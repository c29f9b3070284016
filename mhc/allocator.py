"""Keep the memory that a step frees for the next one. Nothing heavy is imported, and nothing happens without glibc."""

from __future__ import annotations

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`, see mallopt(3)."""
KEPT = 1 << 30
"""Bytes: smaller blocks are not asked of the system one by one, and so much may lie free before it gets any back."""
SAID_BY_USER = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Whoever sets one of these has chosen an allocator, or how it works."""


def reuse_memory() -> bool:
    """Let this process reuse freed blocks of any size; tells whether it does.

    A training step asks for the same large blocks again and again. As glibc comes, it takes those of up to 32 MB from
    the system and gives them back, and the system clears every page anew each time: a tenth of a step on a CPU.
    """
    if any(name in os.environ for name in SAID_BY_USER):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
