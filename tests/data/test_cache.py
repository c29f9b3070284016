"""Cache folders are complete or absent."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from mhc.data import cache


def write_both(folder: Path) -> None:
    (folder / "a").write_text("first", encoding="utf-8")
    (folder / "b").write_text("second", encoding="utf-8")


def fill_and_log(folder: Path, start: multiprocessing.synchronize.Barrier, log: Path) -> None:
    def fill(draft: Path) -> None:
        write_both(draft)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")

    start.wait()
    cache.ensure_folder(folder, fill)
    assert (folder / "b").read_text(encoding="utf-8") == "second"


def test_eight_processes_fill_a_folder_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(8)
    log = tmp_path / "log"
    workers = [context.Process(target=fill_and_log, args=(tmp_path / "x", start, log)) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 8
    assert len(log.read_text(encoding="utf-8").splitlines()) == 1


def test_complete_folder_is_not_filled_again(tmp_path: Path) -> None:
    folder = cache.ensure_folder(tmp_path / "x", write_both)
    assert cache.ensure_folder(folder, lambda draft: pytest.fail("filled again")) == folder


@pytest.mark.parametrize("damage", ["cut", "removed", "no list"])
def test_incomplete_folder_is_filled_again(tmp_path: Path, damage: str) -> None:
    folder = cache.ensure_folder(tmp_path / "x", write_both)
    if damage == "cut":
        (folder / "b").write_text("sec", encoding="utf-8")
    elif damage == "removed":
        (folder / "a").unlink()
    else:
        (folder / cache.MANIFEST).write_text("{", encoding="utf-8")
    cache.ensure_folder(folder, write_both)
    assert cache.is_complete(folder)
    assert (folder / "b").read_text(encoding="utf-8") == "second"


def test_failed_fill_leaves_no_folder(tmp_path: Path) -> None:
    def fill(draft: Path) -> None:
        write_both(draft)
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        cache.ensure_folder(tmp_path / "x", fill)
    assert [path.name for path in tmp_path.iterdir()] == [".x.lock"]


def test_empty_flat_file_gives_an_empty_array(tmp_path: Path) -> None:
    (tmp_path / "ids").write_bytes(b"")
    assert cache.map_flat(tmp_path / "ids", "uint16").tolist() == []
