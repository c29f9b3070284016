"""A path is a path: no reader takes it for a pattern or a URL, and the rows are those of the file that was checked."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from mhc.data.datamodule import TextDataModule
from mhc.data.sources import Files, HuggingFace, Raw
from mhc.errors import BadInput
from tests.data.conftest import some_rows, write_csv

Make = Callable[..., TextDataModule]

NAMES = ("posts[1]", "posts*", "posts?", "posts{1,2}", "~", "a::b", "-posts", "file:posts", "1=2, 'x'", "😀")
"""Names that a shell, `glob`, `fsspec` or Hydra would read as something else."""


def write_rows(path: Path, rows: list[tuple[str, str]]) -> Path:
    columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), pa.OSFile(str(path), "wb"))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    else:
        write_csv(path, rows)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("name", NAMES)
def test_name_of_a_file_is_not_a_pattern(
    make_datamodule: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for decoy in ("posts1", "postsx", "b", "posts"):
        write_rows(tmp_path / f"{decoy}{suffix}", [(f"decoy {text}", label) for text, label in some_rows(20)])
    right = some_rows(41)
    write_rows(tmp_path / f"{name}{suffix}", right)
    datamodule = make_datamodule(source=Files(train=f"{name}{suffix}"))
    datamodule.prepare()
    texts = [text for split in ("train", "val", "test") for text in datamodule.normalised_texts(split)]
    assert sorted(texts) == sorted(text for text, _ in right)


@pytest.mark.parametrize("folder", ["s3://bucket", "http://host", "~", "a[1]"])
def test_name_of_a_folder_is_not_an_address(
    make_datamodule: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(folder).mkdir(parents=True)
    right = some_rows(41)
    write_rows(Path(folder) / "posts.parquet", right)
    datamodule = make_datamodule(source=Files(train=f"{folder}/posts.parquet"))
    datamodule.prepare()
    assert sum(split.rows for split in datamodule.facts().splits.values()) == 41


@pytest.mark.parametrize("name", ["set[1]", "set*", "a::b"])
def test_data_set_that_looks_like_a_pattern_is_refused(make_datamodule: Make, tmp_path: Path, name: str) -> None:
    for folder in (name, "set1"):
        (tmp_path / folder).mkdir()
        write_csv(tmp_path / folder / "train.csv", some_rows())
    with pytest.raises(BadInput, match=r"takes for a pattern\. Rename it"):
        make_datamodule(source=HuggingFace(path=str(tmp_path / name))).prepare()


def test_saved_data_set_with_brackets_is_read(make_datamodule: Make, tmp_path: Path) -> None:
    rows = some_rows(41)
    for name, part in (("set[1]", rows), ("set1", rows[:20])):
        columns = {"text": [text for text, _ in part], "label": [label for _, label in part]}
        DatasetDict({"train": Dataset.from_dict(columns)}).save_to_disk(str(tmp_path / name))
    datamodule = make_datamodule(source=HuggingFace(path=str(tmp_path / "set[1]")))
    datamodule.prepare()
    assert sum(split.rows for split in datamodule.facts().splits.values()) == 41


def test_data_set_that_is_a_program_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    folder = tmp_path / "script"
    folder.mkdir()
    (folder / "script.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n")
    with pytest.raises(BadInput, match="is a program, which mhc does not execute"):
        make_datamodule(source=HuggingFace(path=str(folder))).prepare()
    assert not (tmp_path / "executed").exists()


def test_changed_data_set_with_its_old_time_is_read_again(make_datamodule: Make, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    path = write_csv(tmp_path / "set" / "train.csv", some_rows(40))
    before = path.stat()
    make_datamodule(source=HuggingFace(path=str(tmp_path / "set"))).prepare()
    path.write_bytes(path.read_bytes().replace(b"rain", b"snow"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    datamodule = make_datamodule(source=HuggingFace(path=str(tmp_path / "set")))
    datamodule.prepare()
    assert not any("rain" in text for text in datamodule.normalised_texts("train"))


class GrowingFile(Files):
    """A file that another program appends to after its fingerprint was taken."""

    def read(self, cache: Path) -> Raw:
        with Path(self.train).open("a") as file:
            file.write("one more,normal\n")
        return super().read(cache)


def test_file_that_grows_while_it_is_read_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "posts.csv", some_rows())
    before = path.read_bytes()
    with pytest.raises(BadInput, match=r"posts\.csv changed while it was read\. Start again"):
        make_datamodule(source=GrowingFile(train=str(path))).prepare()
    assert [entry.name for entry in (tmp_path / "cache" / "corpora").iterdir() if entry.is_dir()] == []
    path.write_bytes(before)
    datamodule = make_datamodule(source=Files(train=str(path)))
    datamodule.prepare()
    assert sum(split.rows for split in datamodule.facts().splits.values()) == 60


def test_pipe_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "posts.csv")
    with pytest.raises(BadInput, match="is a pipe or a device"):
        make_datamodule(source=Files(train=str(tmp_path / "posts.csv"))).prepare()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_cache_is_private_whatever_the_umask(make_datamodule: Make, tmp_path: Path, umask: int) -> None:
    write_csv(tmp_path / "train.csv", some_rows()).chmod(0o600)
    (tmp_path / "set").mkdir()
    write_csv(tmp_path / "set" / "train.csv", some_rows(50))
    previous = os.umask(umask)
    try:
        make_datamodule(tmp_path / "train.csv").prepare()
        make_datamodule(source=HuggingFace(path=str(tmp_path / "set"))).prepare()
    finally:
        os.umask(previous)
    paths = [tmp_path / "cache", *(tmp_path / "cache").rglob("*")]
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_cache_that_others_may_enter_is_closed(make_datamodule: Make, tmp_path: Path) -> None:
    for folder in ("cache", "cache/corpora", "cache/tokens"):
        (tmp_path / folder).mkdir(mode=0o755)
    make_datamodule().prepare()
    modes = [stat.S_IMODE((tmp_path / "cache" / name).stat().st_mode) for name in ("corpora", "tokens")]
    assert modes == [0o700, 0o700]
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o755  # it may be a folder that others use, too
