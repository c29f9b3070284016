"""Freed memory is reused, unless the user has said how memory is to be handled."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from mhc.hardware import ALLOCATOR_VARIABLES

BLOCK, AT_ONCE = 20_000_000, 4  # more at once than glibc keeps free by itself, as a training step has
FAULTS = f"""
import resource
from mhc.hardware import reuse_memory
if {{wanted}}:
    assert reuse_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    blocks = [bytearray({BLOCK}) for _ in range({AT_ONCE})]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def said_by(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in ALLOCATOR_VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_freed_block_is_taken_again_and_not_asked_of_the_system_anew() -> None:
    pages = AT_ONCE * BLOCK // os.sysconf("SC_PAGE_SIZE")
    as_it_comes, reused = (int(said_by(FAULTS.format(wanted=wanted))) for wanted in (False, True))
    assert as_it_comes > 10 * pages  # else there is nothing to mend, and the function can go
    assert reused < 2 * pages


@pytest.mark.parametrize("name", ALLOCATOR_VARIABLES)
def test_an_allocator_that_the_user_chose_is_left_alone(name: str) -> None:
    code = "from mhc.hardware import reuse_memory; print(reuse_memory())"
    assert said_by(code, **{name: "" if name == "LD_PRELOAD" else "glibc.malloc.check=0"}) == "False"
