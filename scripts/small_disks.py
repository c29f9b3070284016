"""File systems of a given size, in memory, and trainings on them: for the attacks with full and read-only disks."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from scripts import forks

PAGE = 4096
TIMEOUT = 300.0
"""Seconds after which a training has hung."""
TRAINING = (
    "data.rows=320", "model=micro", "model.tokenizer.vocab_size=600", "model.tokenizer.max_tokens=32",
    "data.batching.tokens=512", "trainer=cpu", "trainer.precision=32-true", "name=full",
)  # fmt: skip


def can_mount() -> bool:
    """Return whether this process may mount a file system."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with disk(Path(folder), PAGE):
                return True
        except subprocess.CalledProcessError:
            return False


@contextmanager
def disk(place: Path, size: int, *, read_only: bool = False) -> Iterator[Path]:
    """Mount a file system of `size` bytes at `place` within the block."""
    place.mkdir(parents=True, exist_ok=True)
    options = f"size={size // PAGE * PAGE}" + (",ro" if read_only else "")
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(place)], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)


def fill(folder: Path) -> None:
    """Write a file into `folder` until the disk is full."""
    with (folder / "fill").open("wb", buffering=0) as file:
        for size in (1 << 16, PAGE, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def used(folder: Path) -> int:
    """Return the bytes that the files in `folder` occupy."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def train(places: dict[str, Path], log: Path, words: Sequence[str] = (*TRAINING, "trainer.max_epochs=2")) -> int | None:
    """Run `python -m mhc.train` in a fork, with its output in `log`, and return its exit code; None if it hangs."""
    log.write_bytes(b"")
    words = [*words, *(f"paths.{name}={path}" for name, path in places.items())]
    return forks.wait(forks.start(partial(forks.train, words), log), TIMEOUT)
