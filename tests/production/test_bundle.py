from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mhc.errors import BadInput, MhcError, Unreadable
from mhc.production import bundle
from mhc.production.loading import from_bundle


class Bomb:
    """What a pickle can do when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def a_bundle(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "id2label": {"0": "a", "1": "b"}}))
    save_file({"weight": np.ones((2, 2), np.float32)}, folder / bundle.WEIGHTS)
    (folder / "README.md").write_text("a card")
    bundle.seal(folder)
    return folder


def test_sealed_bundle_is_whole(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path / "b")
    seal = bundle.sha256(folder / bundle.CHECKSUMS)
    assert bundle.flaws(folder, seal) == []
    bundle.must_be_whole(folder, seal)


def test_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    import subprocess

    folder = a_bundle(tmp_path / "b")
    done = subprocess.run(["sha256sum", "--check", "--strict", bundle.CHECKSUMS], cwd=folder, capture_output=True)
    assert done.returncode == 0


def put_a_pickle_in_place_of_the_weights(folder: Path, mark: Path) -> None:
    (folder / bundle.WEIGHTS).write_bytes(pickle.dumps(Bomb(mark)))


def add_a_pickle(folder: Path, mark: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(mark)))


def remove_the_weights_and_add_a_pickle(folder: Path, mark: Path) -> None:
    (folder / bundle.WEIGHTS).unlink()
    add_a_pickle(folder, mark)


def ask_for_remote_code(folder: Path, mark: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForSequenceClassification": "evil.Evil"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"import os; os.system('touch {mark}')")


def link_out_of_the_folder(folder: Path, mark: Path) -> None:
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/hostname")


def link_a_folder(folder: Path, mark: Path) -> None:
    (folder / "evaluation").symlink_to("/etc")


def lie_about_the_header(folder: Path, mark: Path) -> None:
    path = folder / bundle.WEIGHTS
    path.write_bytes((10**15).to_bytes(8, "little") + path.read_bytes()[8:])


def hide_bytes_behind_the_weights(folder: Path, mark: Path) -> None:
    path = folder / bundle.WEIGHTS
    path.write_bytes(path.read_bytes() + pickle.dumps(Bomb(mark)))


HOSTILE = (
    put_a_pickle_in_place_of_the_weights, add_a_pickle, remove_the_weights_and_add_a_pickle, ask_for_remote_code,
    link_out_of_the_folder, link_a_folder, lie_about_the_header, hide_bytes_behind_the_weights,
)  # fmt: skip


@pytest.mark.parametrize("deed", HOSTILE, ids=lambda deed: deed.__name__)
@pytest.mark.parametrize("resealed", [False, True], ids=["as it was sealed", "sealed anew"])
def test_hostile_bundle_is_not_loaded_and_does_nothing(
    tmp_path: Path, deed: Callable[[Path, Path], None], resealed: bool
) -> None:
    folder, mark = a_bundle(tmp_path / "b"), tmp_path / "mark"
    deed(folder, mark)
    if resealed:
        reseal(folder)
    assert bundle.flaws(folder, None)
    with pytest.raises(MhcError):
        from_bundle(folder)
    assert not mark.exists()


def reseal(folder: Path) -> None:
    """As somebody would who wants to be believed: every file listed, links followed."""
    import hashlib

    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != bundle.CHECKSUMS]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in paths]
    (folder / bundle.CHECKSUMS).write_text("".join(lines))


@pytest.mark.parametrize(
    "line",
    ["{0}  ../../etc/passwd", "{0}  /etc/passwd", "{0}  a/../../b", "{0}  .ssh/key", "{0} config.json", "nonsense", ""],
)
def test_checksums_that_name_another_place_are_not_believed(tmp_path: Path, line: str) -> None:
    folder = a_bundle(tmp_path / "b")
    with (folder / bundle.CHECKSUMS).open("a") as file:
        file.write(line.format("0" * 64) + "\n")
    assert bundle.flaws(folder, None) == ["checksums.sha256 has a line that is no checksum of a file in the bundle"]


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "", ".", "..", "A", "a\0b", "a\nb", "-x", "é", "x" * 101])
def test_name_that_means_another_place_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a bundle or an alias"):
        bundle.place(tmp_path, name)


def test_linked_bundle_is_not_used(tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    with pytest.raises(Unreadable, match="is not there, or is a link"):
        bundle.must_be_whole(tmp_path / "link", None)


def test_clone_without_weights_is_told_from_a_whole_one(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path / "b")
    (folder / bundle.WEIGHTS).unlink()
    assert bundle.flaws(folder, None) == ["model.safetensors is missing"]
    assert bundle.flaws(folder, None, without_weights=True) == []
