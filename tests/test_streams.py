"""Standard streams that cannot be written: the output is named, remarks are lost, and no other disk is blamed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MHC = f"{sys.executable} -m mhc.cli.main"
FULL = Path("/dev/full")
UNWRITABLE = "The output of the command cannot be written: No space left on device. Direct it elsewhere\n"

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full here")


def shell(tmp_path: Path, line: str, *, unbuffered: bool) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    environment |= {"PYTHONUNBUFFERED": "1"} if unbuffered else {}
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("unbuffered", [False, True], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("words", ["list --json", "--version"])
def test_output_on_a_full_disk_is_named(tmp_path: Path, words: str, unbuffered: bool) -> None:
    assert shell(tmp_path, f"{MHC} {words} > /dev/full", unbuffered=unbuffered) == (1, "", UNWRITABLE)


@pytest.mark.parametrize("place", ["2>/dev/full", "2>&-"])
def test_remark_that_cannot_be_written_is_lost(tmp_path: Path, place: str) -> None:
    assert shell(tmp_path, f"{MHC} list --json {place}", unbuffered=False) == (0, "[]\n", "")


def test_refusal_that_cannot_be_written_has_its_exit_code(tmp_path: Path) -> None:
    assert shell(tmp_path, f"{MHC} details nothing > /dev/full 2>&1", unbuffered=False) == (1, "", "")


def test_closed_output_is_no_bug(tmp_path: Path) -> None:
    assert shell(tmp_path, f"{MHC} list --json >&-", unbuffered=False) == (0, "", "")


def test_help_of_predict_on_a_full_disk_is_named(tmp_path: Path) -> None:
    line = f"{sys.executable} -m mhc.predict --help > /dev/full"
    assert shell(tmp_path, line, unbuffered=False) == (1, "", UNWRITABLE)


def test_closed_pipe_of_predict_ends_quietly(tmp_path: Path) -> None:
    line = f"{sys.executable} -m mhc.predict --help | true; exit ${{PIPESTATUS[0]}}"
    code, _, printed = shell(tmp_path, line, unbuffered=False)
    assert code in (0, 141)
    assert printed == ""
