"""Vectors of texts by a hash of their ids, in memory and in files that later runs read.

Any number of processes may use a folder at once: each adds files, and none is ever changed. The name of a file is the
sha256 of its content, so a damaged one is recognised; it is removed, and its vectors are computed again. A vector tells
something about its text, so the folder and its files are for their owner alone.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from mhc.data.cache import PRIVATE_FILE, private_folder

log = logging.getLogger("mhc")

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Entries = dict[bytes, Floats]
"""Vectors [width] by the hash of a text."""
Compute = Callable[[Ints, Ints], Floats]
"""Called with the concatenated ids of texts and their numbers; returns their vectors [texts, width]."""

HASH_BYTES = 16
CHUNK = 2048
"""Vectors that are computed at least before a file is written: at most so many are lost if a training ends early."""


class VectorCache:
    """The vectors of one encoder with one pooling.

    Args:
        folder: of its files; made with the first of them.
        width: numbers of a vector.
    """

    def __init__(self, folder: Path, width: int) -> None:
        self.folder, self.width = folder, width
        self.computed = 0
        """Texts whose vectors were computed."""
        self._asked: set[bytes] = set()
        self._entries: Entries | None = None
        self._unwritten: Entries = {}

    @property
    def texts(self) -> int:
        """Number of different texts whose vectors were asked for."""
        return len(self._asked)

    @property
    def entries(self) -> Entries:
        """All vectors; the files are read when the first one is asked for."""
        if self._entries is None:
            self._entries = read_all(self.folder, self.width)
        return self._entries

    def vectors(self, ids: Ints, lengths: Ints, compute: Compute) -> Floats:
        """Return the vectors [texts, width] of texts; `compute` gets those whose vectors are not known."""
        keys = keys_of(ids, lengths)
        self._asked.update(keys)
        rows = {key: row for row, key in enumerate(keys) if key not in self.entries}
        missing = np.fromiter(rows.values(), np.int64, len(rows))
        starts = np.cumsum(lengths) - lengths
        for first in range(0, len(missing), CHUNK):
            chunk = missing[first : first + CHUNK]
            parts = [ids[starts[row] : starts[row] + lengths[row]] for row in chunk]
            self._take([keys[row] for row in chunk], compute(np.concatenate(parts), lengths[chunk]))
        return np.stack([self.entries[key] for key in keys]) if keys else np.empty((0, self.width), np.float32)

    def _take(self, keys: Sequence[bytes], vectors: Floats) -> None:
        """Add computed vectors, and write them once they are many."""
        new = dict(zip(keys, vectors, strict=True))
        self.computed += len(new)
        self.entries.update(new)
        self._unwritten.update(new)
        if len(self._unwritten) >= CHUNK:
            self.write()

    def add(self, entries: Entries) -> None:
        """Add vectors that another process has computed, and writes."""
        self.entries.update(entries)

    def write(self) -> None:
        """Write the new vectors into a file; a disk that refuses it costs a later run time, and this one nothing."""
        if not self._unwritten:
            return
        keys = np.frombuffer(b"".join(self._unwritten), np.uint8).reshape(-1, HASH_BYTES)
        content = save({"keys": keys, "vectors": np.stack(list(self._unwritten.values()))})
        self._unwritten = {}
        try:
            write_private(self.folder, content)
        except OSError as error:
            log.warning(f"The vectors of {len(keys):,} texts are not cached: {error.strerror} ({self.folder})")


def keys_of(ids: Ints, lengths: Ints) -> list[bytes]:
    """Return the hash of each text, given their concatenated ids and their numbers."""
    content = ids.astype("<u4").tobytes()
    ends = np.cumsum(lengths)
    bounds = zip((4 * (ends - lengths)).tolist(), (4 * ends).tolist(), strict=True)
    return [hashlib.blake2b(content[start:end], digest_size=HASH_BYTES).digest() for start, end in bounds]


def write_private(folder: Path, content: bytes) -> None:
    """Write a file named by the sha256 of its content; it is there as a whole or not at all."""
    private_folder(folder)
    name = hashlib.sha256(content).hexdigest()
    draft = folder / f".{name}.{os.getpid()}"
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(folder / f"{name}.safetensors")
    finally:
        draft.unlink(missing_ok=True)


def read_all(folder: Path, width: int) -> Entries:
    """Return the vectors in all files of the folder, and remove damaged files."""
    entries: Entries = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            entries.update(read_file(path, width))
        except FileNotFoundError:  # another process has just removed it
            continue
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            log.warning(f"The cached vectors {path.name} are damaged ({type(error).__name__}): they are computed again")
            remove(path)
    return entries


def read_file(path: Path, width: int) -> Entries:
    """Return the vectors of a file.

    Raises:
        ValueError: if its content is not the one that was written.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise ValueError("its content does not have the sha256 of its name")
    arrays = load(content)
    keys, vectors = arrays["keys"], arrays["vectors"]
    if keys.dtype != np.uint8 or vectors.dtype != np.float32 or vectors.shape != (len(keys), width):
        raise ValueError("its vectors are of another encoder")
    return dict(zip(map(bytes, keys), vectors, strict=True))


def remove(path: Path) -> None:
    """Remove a damaged file; if that is not allowed, it is only not read."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning(f"{path} cannot be removed: {error.strerror}")
