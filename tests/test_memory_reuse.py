"""Freed memory is reused, unless the user has configured the allocator."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from mhc.hardware import ALLOCATOR_VARIABLES

BLOCK, AT_ONCE = 20_000_000, 4  # more at once than glibc retains by default, as in a training step
FAULTS = f"""
import resource
from mhc.hardware import reuse_memory
if {{reuse}}:
    assert reuse_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    blocks = [bytearray({BLOCK}) for _ in range({AT_ONCE})]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def output_of(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in ALLOCATOR_VARIABLES}
    process = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, check=True
    )
    return process.stdout.strip()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_block_is_reused_without_new_page_faults() -> None:
    pages = AT_ONCE * BLOCK // os.sysconf("SC_PAGE_SIZE")
    default, reused = (int(output_of(FAULTS.format(reuse=reuse))) for reuse in (False, True))
    assert default > 10 * pages  # else the function is not needed
    assert reused < 2 * pages


@pytest.mark.parametrize("name", ALLOCATOR_VARIABLES)
def test_allocator_chosen_by_the_user_is_not_changed(name: str) -> None:
    code = "from mhc.hardware import reuse_memory; print(reuse_memory())"
    assert output_of(code, **{name: "" if name == "LD_PRELOAD" else "glibc.malloc.check=0"}) == "False"
