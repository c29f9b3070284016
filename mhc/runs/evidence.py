"""The evidence of a model on a split: ids, labels and probabilities of all examples. Never a text.

An id is a keyed hash of the normalised text, so a guess of a text cannot be tested against the file without the key.
Two evidence files of one test set are paired by these ids, in any order of their rows.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mhc import files
from mhc.errors import BadInput, NotFound, Unreadable
from mhc.runs import atomic
from mhc.runs.evidence_key import key

__all__ = ["FOLDS_FILE", "ID_BYTES", "Evidence", "Paired", "example_id", "fingerprint", "key", "pair", "read", "write"]

ID_BYTES = 16
FOLDS_FILE = "folds.npz"
"""Beside `val.npz` and `test.npz` of a run that was trained on all rows: the predictions of the folds before it."""
_ARRAYS = ("ids", "labels", "probabilities", "label_names")
_MAX_HEADER = 4096
_REMEDY = "Write it again with: python -m mhc.evaluate"


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """The predictions of one model on one split; n examples, k labels."""

    ids: NDArray[np.uint8]
    """[n, 16], see `example_id`."""
    labels: NDArray[np.int64]
    """[n], indices into `label_names`."""
    probabilities: NDArray[np.float32]
    """[n, k], rows sum to 1; the network's output, without a temperature."""
    label_names: list[str]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True, eq=False)
class Paired:
    """The evidence of two models on their common examples; m examples, columns in the order of `label_names`."""

    labels: NDArray[np.int64]
    """[m]."""
    first: NDArray[np.float32]
    """[m, k]."""
    second: NDArray[np.float32]
    """[m, k]."""
    label_names: list[str]
    only_first: int
    """Examples that only the first one has."""
    only_second: int


def example_id(text: str, key: bytes) -> bytes:
    """Return the id of a text that `mhc.data.cleaning.normalise` has normalised: 16 bytes of keyed BLAKE2b."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=ID_BYTES, key=key).digest()


def fingerprint(evidence: Evidence) -> str:
    """Return the fingerprint of the test set: sha256 over the sorted (id, label name) pairs."""
    names = [name.encode() for name in evidence.label_names]
    pairs = sorted((row.tobytes(), names[label]) for row, label in zip(evidence.ids, evidence.labels, strict=True))
    digest = hashlib.sha256()
    for row, name in pairs:
        digest.update(row + len(name).to_bytes(4, "big") + name)
    return digest.hexdigest()


def pair(first: Evidence, second: Evidence) -> Paired:
    """Match the evidence of two models by (id, label); an example that occurs twice in both is matched twice.

    Raises:
        BadInput: if the two do not have the same labels.
    """
    if sorted(first.label_names) != sorted(second.label_names):
        raise BadInput(
            f"The two models have different labels ({', '.join(first.label_names)} and "
            f"{', '.join(second.label_names)}), so they cannot be compared"
        )
    columns = [second.label_names.index(name) for name in first.label_names]
    first_keys = _pairing_keys(first, first.label_names)
    second_keys = _pairing_keys(second, first.label_names)
    _, first_rows, second_rows = np.intersect1d(first_keys, second_keys, assume_unique=True, return_indices=True)
    return Paired(
        labels=first.labels[first_rows],
        first=first.probabilities[first_rows],
        second=second.probabilities[second_rows][:, columns],
        label_names=list(first.label_names),
        only_first=len(first) - len(first_rows),
        only_second=len(second) - len(second_rows),
    )


def write(
    path: Path,
    ids: NDArray[np.uint8],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    label_names: Sequence[str],
) -> None:
    """Write an evidence file (npz, uncompressed) in one step: a kill leaves the old file or the new one.

    Creates the folder of `path`, but not its parent.

    Raises:
        BadInput: if the arrays do not match each other, or the file cannot be written.
        NotFound: if the run's folder does not exist.
    """
    arrays: dict[str, NDArray[np.generic]] = {
        "ids": np.ascontiguousarray(ids, np.uint8).reshape(-1, ID_BYTES),
        "labels": np.ascontiguousarray(labels, np.int64),
        "probabilities": np.ascontiguousarray(probabilities, np.float32),
        "label_names": np.array([name.encode() for name in label_names], dtype=np.bytes_),
    }
    flaw = _flaw(_evidence(arrays))
    if flaw:
        raise BadInput(f"The evidence for {path} is not written: {flaw}")
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    with contextlib.suppress(OSError):  # `atomic.write` reports why it does not exist
        path.parent.mkdir(exist_ok=True)
    atomic.write(path, content.getvalue())


def read(path: Path) -> Evidence:
    """Return the checked content of an evidence file; nothing in it is ever unpickled.

    Raises:
        NotFound: if there is no such file.
        Unreadable: if it is truncated, not evidence, or its arrays do not match each other.
    """
    try:
        with files.reading(f"The evidence {path}", _REMEDY):
            with files.open_binary(path) as file, zipfile.ZipFile(file) as archive:
                evidence = _evidence({name: _array(archive, name) for name in _ARRAYS})
            flaw = _flaw(evidence)
    except FileNotFoundError:
        raise NotFound(f"No evidence at {path}. Write it with: python -m mhc.evaluate run=ID split=test") from None
    if flaw:
        raise Unreadable(f"The evidence {path} cannot be used: {flaw}. {_REMEDY}")
    return evidence


def _pairing_keys(evidence: Evidence, label_names: list[str]) -> NDArray[np.void]:
    """Return the keys [n] of (id, label, number of equal rows before): unique within the evidence."""
    to_common = np.array([label_names.index(name) for name in evidence.label_names], np.int64)
    keys = np.zeros((len(evidence), ID_BYTES + 8), np.uint8)
    keys[:, :ID_BYTES] = evidence.ids
    keys[:, ID_BYTES : ID_BYTES + 4] = to_common[evidence.labels].astype(">u4").view(np.uint8).reshape(-1, 4)
    _, inverse = np.unique(keys, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    order = np.argsort(inverse, kind="stable")
    grouped = inverse[order]
    starts = np.searchsorted(grouped, grouped)
    repeats = np.empty(len(evidence), np.int64)
    repeats[order] = np.arange(len(evidence)) - starts
    keys[:, ID_BYTES + 4 :] = repeats.astype(">u4").view(np.uint8).reshape(-1, 4)
    return keys.view(np.dtype((np.void, keys.shape[1]))).reshape(-1)


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[np.generic]:
    """Return one array of the file. Its size is checked against the file before memory is allocated."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError("a compressed member")
    data = archive.read(info)
    if data[:8] != b"\x93NUMPY\x01\x00":
        raise ValueError("not an array")
    end = 10 + int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10 : min(end, _MAX_HEADER)].decode("latin-1").strip())
    dtype, shape = np.dtype(str(header["descr"])), tuple(int(size) for size in header["shape"])
    if dtype.hasobject or header["fortran_order"] or min(shape, default=0) < 0:
        raise ValueError("an array of another kind")
    return np.frombuffer(data, dtype, offset=end).reshape(shape)


def _evidence(arrays: dict[str, NDArray[np.generic]]) -> Evidence:
    kinds = {name: array.dtype.kind + str(array.ndim) for name, array in arrays.items()}
    if kinds != {"ids": "u2", "labels": "i1", "probabilities": "f2", "label_names": "S1"}:
        raise ValueError("arrays of wrong types")
    return Evidence(
        ids=arrays["ids"].astype(np.uint8, copy=False),
        labels=arrays["labels"].astype(np.int64, copy=False),
        probabilities=arrays["probabilities"].astype(np.float32, copy=False),
        label_names=[bytes(name).decode() for name in arrays["label_names"].tolist()],
    )


def _flaw(evidence: Evidence) -> str | None:
    """Return what is wrong with the content; None if nothing is."""
    rows, labels = len(evidence.labels), len(evidence.label_names)
    if evidence.ids.shape != (rows, ID_BYTES) or evidence.probabilities.shape != (rows, labels):
        return f"{rows} labels do not match ids {evidence.ids.shape} and probabilities {evidence.probabilities.shape}"
    if len(set(evidence.label_names)) != labels or not all(evidence.label_names):
        return "its label names are not distinct"
    if rows and not (evidence.labels.min() >= 0 and evidence.labels.max() < labels):
        return f"it has a label outside 0 to {labels - 1}"
    sums = evidence.probabilities.sum(axis=1, dtype=np.float64)
    if not (np.all(evidence.probabilities >= 0) and np.all(np.abs(sums - 1) < 1e-3)):
        return "it has probabilities that do not sum to 1"
    return None
