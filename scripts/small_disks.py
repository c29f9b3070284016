"""File systems of a given size, in memory, and trainings on them: for the attacks with full and read-only disks."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PAGE = 4096
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


def import_training() -> None:
    """Import what a training imports, so that those that are forked from this process start at once."""
    import pytorch_lightning  # noqa: F401
    import torch
    import transformers  # noqa: F401

    import mhc.train  # noqa: F401

    torch.set_num_threads(1)


def train(places: dict[str, Path], log: Path, words: Sequence[str] = (*TRAINING, "trainer.max_epochs=2")) -> int:
    """Run `python -m mhc.train` in a fork, with its output in `log`, and return its exit code."""
    import mhc.train

    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            sys.argv = ["mhc.train", *words, *(f"paths.{name}={path}" for name, path in places.items())]
            mhc.train.main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
