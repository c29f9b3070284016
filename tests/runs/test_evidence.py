"""Evidence contains no text, survives kills, is unreadable if truncated, and is paired by example."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import random
import stat
import zipfile
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mhc.errors import BadConfig, BadInput, MhcError, NotFound, Unreadable
from mhc.runs import evidence
from mhc.runs.evidence import Evidence

KEY = b"k" * 32


def an_evidence(
    rows: int = 50,
    names: Sequence[str] = ("anxiety", "normal", "sad"),
    seed: int = 0,
    texts: Sequence[str] | None = None,
) -> Evidence:
    rng = np.random.default_rng(seed)
    texts = texts or [f"text {row}" for row in range(rows)]
    ids = np.frombuffer(b"".join(evidence.example_id(text, KEY) for text in texts), np.uint8).reshape(-1, 16)
    probabilities = rng.dirichlet(np.ones(len(names)), len(texts)).astype(np.float32)
    labels = np.array([len(text) % len(names) for text in texts])
    return Evidence(ids=ids, labels=labels, probabilities=probabilities, label_names=list(names))


def write(path: Path, original: Evidence) -> Path:
    evidence.write(path, original.ids, original.labels, original.probabilities, original.label_names)
    return path


def with_rows(original: Evidence, order: NDArray[np.int64]) -> Evidence:
    return Evidence(
        ids=original.ids[order],
        labels=original.labels[order],
        probabilities=original.probabilities[order],
        label_names=original.label_names,
    )


def test_written_evidence_is_read_unchanged(tmp_path: Path) -> None:
    original = an_evidence()
    read = evidence.read(write(tmp_path / "evaluation" / "test.npz", original))
    assert read.label_names == original.label_names
    for name in ("ids", "labels", "probabilities"):
        np.testing.assert_array_equal(getattr(read, name), getattr(original, name))


def test_same_evidence_gives_the_same_file(tmp_path: Path) -> None:
    original = an_evidence()
    assert write(tmp_path / "a.npz", original).read_bytes() == write(tmp_path / "b.npz", original).read_bytes()


def test_label_names_in_any_script_are_preserved(tmp_path: Path) -> None:
    names = ["angst", "不安", "d\u00e9pression"]
    assert evidence.read(write(tmp_path / "e.npz", an_evidence(names=names))).label_names == names


def test_evidence_without_rows_is_written_and_read(tmp_path: Path) -> None:
    original = with_rows(an_evidence(), np.empty(0, np.int64))
    assert len(evidence.read(write(tmp_path / "e.npz", original))) == 0


def test_file_contains_no_text_and_ids_depend_on_the_key(tmp_path: Path) -> None:
    path = write(tmp_path / "e.npz", an_evidence(texts=["a secret text"]))
    assert b"secret" not in path.read_bytes()
    assert evidence.example_id("a secret", KEY) != evidence.example_id("a secret", b"other" * 6)
    assert len(evidence.example_id("a secret", KEY)) == 16


def test_numpy_reads_it_without_pickle(tmp_path: Path) -> None:
    with np.load(write(tmp_path / "e.npz", an_evidence()), allow_pickle=False) as arrays:
        assert sorted(arrays) == ["ids", "label_names", "labels", "probabilities"]


def test_error_for_a_missing_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"python -m mhc\.evaluate"):
        evidence.read(tmp_path / "none.npz")


def test_file_truncated_at_any_byte_is_unreadable(tmp_path: Path) -> None:
    content = write(tmp_path / "complete.npz", an_evidence(rows=5)).read_bytes()
    cut = tmp_path / "cut.npz"
    for size in range(len(content)):
        cut.write_bytes(content[:size])
        with pytest.raises(Unreadable, match=r"cannot be (used|read)"):
            evidence.read(cut)


def test_flipped_byte_changes_no_value_unnoticed(tmp_path: Path) -> None:
    original = an_evidence(rows=5)
    content = write(tmp_path / "complete.npz", original).read_bytes()
    rng, flipped = random.Random(1), tmp_path / "flipped.npz"
    for place in rng.sample(range(len(content)), 600):
        flipped.write_bytes(content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :])
        try:
            read = evidence.read(flipped)
        except MhcError:
            continue
        for name in ("ids", "labels", "probabilities"):
            np.testing.assert_array_equal(getattr(read, name), getattr(original, name))
        assert read.label_names == original.label_names


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, ("exploded",)


def hostile(case: str, members: dict[str, bytes]) -> dict[str, bytes]:
    """Return the members of a malicious file, by name."""
    if case == "pickle":
        file = io.BytesIO()
        np.save(file, np.array([Bomb()], dtype=object), allow_pickle=True)
        return members | {"labels.npy": file.getvalue()}
    if case == "huge shape":
        return members | {"labels.npy": members["labels.npy"].replace(b"(50,), ", b"(1<<60)"[:7])}
    if case == "code in the header":
        return members | {"labels.npy": members["labels.npy"].replace(b"(50,)", b"id(1)")}
    if case == "bare pickle":
        return members | {"labels.npy": pickle.dumps(Bomb())}
    assert case == "a member is missing"
    return {name: data for name, data in members.items() if name != "ids.npy"}


@pytest.mark.parametrize(
    "case", ["pickle", "huge shape", "code in the header", "bare pickle", "a member is missing"], ids=str
)
def test_hostile_file_is_unreadable_and_runs_no_code(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile(write(tmp_path / "complete.npz", an_evidence())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "hostile.npz", "w") as archive:
        for name, data in hostile(case, members).items():
            archive.writestr(name, data)
    with pytest.raises(Unreadable):
        evidence.read(tmp_path / "hostile.npz")
    assert not (tmp_path / "exploded").exists()


def test_compressed_member_is_refused_before_decompression(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ids.npy", bytes(50_000_000))
    with pytest.raises(Unreadable):
        evidence.read(tmp_path / "bomb.npz")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": np.full(50, 3)}, "label outside 0 to 2"),
        ({"labels": np.zeros(49, np.int64)}, "do not match"),
        ({"probabilities": np.full((50, 3), np.nan)}, "do not sum to 1"),
        ({"probabilities": np.full((50, 3), 0.5)}, "do not sum to 1"),
        ({"label_names": ["a", "a", "b"]}, "not distinct"),
    ],
    ids=["label", "length", "nan", "sum", "names"],
)
def test_arrays_that_do_not_match_are_not_written(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    original = an_evidence()
    arrays = {name: getattr(original, name) for name in ("ids", "labels", "probabilities", "label_names")} | change
    with pytest.raises(BadInput, match=reason):
        evidence.write(tmp_path / "e.npz", **arrays)
    assert list(tmp_path.iterdir()) == []


def test_writing_again_replaces_the_file(tmp_path: Path) -> None:
    write(tmp_path / "e.npz", an_evidence(seed=1))
    write(tmp_path / "e.npz", an_evidence(seed=2))
    assert [path.name for path in tmp_path.iterdir()] == ["e.npz"]
    np.testing.assert_array_equal(evidence.read(tmp_path / "e.npz").probabilities, an_evidence(seed=2).probabilities)


def test_fingerprint_ignores_the_order_of_rows_and_labels() -> None:
    original = an_evidence()
    reversed_rows = Evidence(
        ids=original.ids[::-1],
        labels=2 - original.labels[::-1],
        probabilities=original.probabilities[::-1, ::-1],
        label_names=original.label_names[::-1],
    )
    assert evidence.fingerprint(reversed_rows) == evidence.fingerprint(original)


def test_fingerprint_changes_with_one_label_or_one_row() -> None:
    original = an_evidence()
    other_label = Evidence(
        ids=original.ids,
        labels=np.r_[(original.labels[0] + 1) % 3, original.labels[1:]],
        probabilities=original.probabilities,
        label_names=original.label_names,
    )
    prints = {evidence.fingerprint(each) for each in (original, other_label, with_rows(original, np.arange(49)))}
    assert len(prints) == 3


def test_pairs_are_matched_by_example_and_columns_by_name() -> None:
    first, second = an_evidence(seed=1), an_evidence(seed=2)
    order = np.random.default_rng(3).permutation(50)
    shuffled = Evidence(
        ids=second.ids[order],
        labels=2 - second.labels[order],
        probabilities=second.probabilities[order][:, ::-1],
        label_names=second.label_names[::-1],
    )
    paired = evidence.pair(first, shuffled)
    place = {row.tobytes(): number for number, row in enumerate(first.ids)}
    rows = [next(n for n in place.values() if (first.probabilities[n] == p).all()) for p in paired.first]
    np.testing.assert_array_equal(paired.second, second.probabilities[rows])
    np.testing.assert_array_equal(paired.labels, first.labels[rows])
    assert (paired.only_first, paired.only_second, len(paired.labels)) == (0, 0, 50)


def test_example_that_occurs_twice_in_both_is_matched_twice() -> None:
    first, second = an_evidence(texts=["a", "b", "a", "a"]), an_evidence(texts=["a", "a", "cc"], seed=1)
    paired = evidence.pair(first, second)
    assert (len(paired.labels), paired.only_first, paired.only_second) == (2, 2, 1)


def test_examples_with_another_label_are_not_matched() -> None:
    first = an_evidence()
    second = Evidence(
        ids=first.ids,
        labels=(first.labels + 1) % 3,
        probabilities=first.probabilities,
        label_names=first.label_names,
    )
    assert len(evidence.pair(first, second).labels) == 0


def test_models_with_different_labels_cannot_be_paired() -> None:
    with pytest.raises(BadInput, match="have different labels"):
        evidence.pair(an_evidence(), an_evidence(names=("x", "y", "z")))


def test_key_is_created_once_and_readable_by_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MHC_EVIDENCE_KEY", raising=False)
    original = evidence.key(tmp_path / "models")
    assert len(original) == 32
    assert evidence.key(tmp_path / "models") == original
    file = tmp_path / "models" / ".evidence_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [".evidence_key"]


def make_key(barrier: Barrier, models: Path, queue: Queue[bytes]) -> None:
    barrier.wait()
    queue.put(evidence.key(models))


def test_eight_concurrent_processes_agree_on_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MHC_EVIDENCE_KEY", raising=False)
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(8), context.Queue()
    workers = [context.Process(target=make_key, args=(barrier, tmp_path / "models", queue)) for _ in range(8)]
    for worker in workers:
        worker.start()
    keys = {queue.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join()
    assert len(keys) == 1


def test_environment_variable_sets_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MHC_EVIDENCE_KEY", "a long enough secret")
    assert len(evidence.key(tmp_path)) == 32
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("MHC_EVIDENCE_KEY", "short")
    with pytest.raises(BadConfig, match="at least 16"):
        evidence.key(tmp_path)


@pytest.mark.parametrize("content", ["", "no key", "abcd"], ids=["empty", "words", "short"])
def test_file_that_is_not_a_key_is_unreadable(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MHC_EVIDENCE_KEY", raising=False)
    (tmp_path / ".evidence_key").write_text(content)
    with pytest.raises(Unreadable, match=r"Restore the original"):
        evidence.key(tmp_path)
