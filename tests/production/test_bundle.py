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
from mhc.runs import checkpoints


class Bomb:
    """A pickle that runs a command when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def a_bundle(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "id2label": {"0": "a", "1": "b"}}))
    save_file({"weight": np.ones((2, 2), np.float32)}, folder / bundle.WEIGHTS)
    (folder / "README.md").write_text("a card")
    bundle.seal(folder)
    return folder


def test_sealed_bundle_is_intact(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path / "b")
    seal = checkpoints.sha256(folder / bundle.CHECKSUMS)
    assert bundle.flaws(folder, seal) == []
    bundle.require_intact(folder, seal)


def test_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    import subprocess

    folder = a_bundle(tmp_path / "b")
    process = subprocess.run(["sha256sum", "--check", "--strict", bundle.CHECKSUMS], cwd=folder, capture_output=True)
    assert process.returncode == 0


def replace_the_weights_by_a_pickle(folder: Path, marker: Path) -> None:
    (folder / bundle.WEIGHTS).write_bytes(pickle.dumps(Bomb(marker)))


def add_a_pickle(folder: Path, marker: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(marker)))


def remove_the_weights_and_add_a_pickle(folder: Path, marker: Path) -> None:
    (folder / bundle.WEIGHTS).unlink()
    add_a_pickle(folder, marker)


def request_remote_code(folder: Path, marker: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForSequenceClassification": "evil.Evil"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"import os; os.system('touch {marker}')")


def link_out_of_the_folder(folder: Path, marker: Path) -> None:
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/hostname")


def link_a_folder(folder: Path, marker: Path) -> None:
    (folder / "evaluation").symlink_to("/etc")


def write_a_false_header(folder: Path, marker: Path) -> None:
    path = folder / bundle.WEIGHTS
    path.write_bytes((10**15).to_bytes(8, "little") + path.read_bytes()[8:])


def append_bytes_to_the_weights(folder: Path, marker: Path) -> None:
    path = folder / bundle.WEIGHTS
    path.write_bytes(path.read_bytes() + pickle.dumps(Bomb(marker)))


ATTACKS = (
    replace_the_weights_by_a_pickle, add_a_pickle, remove_the_weights_and_add_a_pickle, request_remote_code,
    link_out_of_the_folder, link_a_folder, write_a_false_header, append_bytes_to_the_weights,
)  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("resealed", [False, True], ids=["old checksums", "new checksums"])
def test_hostile_bundle_is_not_loaded(tmp_path: Path, attack: Callable[[Path, Path], None], resealed: bool) -> None:
    folder, marker = a_bundle(tmp_path / "b"), tmp_path / "mark"
    attack(folder, marker)
    if resealed:
        reseal(folder)
    assert bundle.flaws(folder, None)
    with pytest.raises(MhcError):
        from_bundle(folder)
    assert not marker.exists()


def reseal(folder: Path) -> None:
    """Write valid checksums as an attacker would: every file listed, links followed."""
    import hashlib

    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != bundle.CHECKSUMS]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in paths]
    (folder / bundle.CHECKSUMS).write_text("".join(lines))


@pytest.mark.parametrize(
    "line",
    ["{0}  ../../etc/passwd", "{0}  /etc/passwd", "{0}  a/../../b", "{0}  .ssh/key", "{0} config.json", "nonsense", ""],
)
def test_checksums_of_other_folders_are_refused(tmp_path: Path, line: str) -> None:
    folder = a_bundle(tmp_path / "b")
    with (folder / bundle.CHECKSUMS).open("a") as file:
        file.write(line.format("0" * 64) + "\n")
    assert bundle.flaws(folder, None) == ["checksums.sha256 has a line that is not a checksum of a file in the bundle"]


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "", ".", "..", "A", "a\0b", "a\nb", "-x", "é", "x" * 101])
def test_name_that_leads_to_another_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a bundle or an alias"):
        bundle.folder_of(tmp_path, name)


def test_linked_bundle_is_not_used(tmp_path: Path) -> None:
    a_bundle(tmp_path / "b")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    with pytest.raises(Unreadable, match="does not exist, or is a link"):
        bundle.require_intact(tmp_path / "link", None)


def test_missing_weights_are_accepted_only_in_a_clone(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path / "b")
    (folder / bundle.WEIGHTS).unlink()
    assert bundle.flaws(folder, None) == ["model.safetensors is missing"]
    assert bundle.flaws(folder, None, without_weights=True) == []


def test_a_small_file_grown_to_a_terabyte_is_not_hashed(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path / "b")
    seal = checkpoints.sha256(folder / bundle.CHECKSUMS)
    with (folder / "README.md").open("r+b") as file:
        file.truncate(1 << 40)
    assert bundle.flaws(folder, seal) == ["README.md was changed: it has more than 64,000,000 bytes"]
