"""Tokenised splits on disk: one flat array of ids, the start and the label of each text. Memory-mapped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from mhc.data import fingerprint
from mhc.data.cache import Ints, ensure_folder, map_flat, read_ints, write_ints
from mhc.data.corpus import Corpus
from mhc.data.tokenizer import CUT, Encoder

CHUNK = 8192
"""Number of texts that are tokenised at once."""

VERSION = 1
"""Version of the layout on disk."""


@dataclass(frozen=True, kw_only=True)
class TokenSplit:
    """One split, ready to be cut into batches."""

    ids: Ints
    """[tokens]: the ids of all texts, concatenated."""
    starts: npt.NDArray[np.int64]
    """[rows], or [windows]: position of the first id of each text, or of each window."""
    lengths: npt.NDArray[np.int64]
    """[rows], or [windows]: number of ids of each text, or of each window."""
    labels: Ints
    """[rows]: positions in the label names."""
    pad_id: int
    truncated: int
    """Number of texts that were cut at the maximum length."""
    windows: npt.NDArray[np.int64] | None = None
    """[rows]: number of windows of each text, which then has as many `starts` and `lengths`; None: each text is one."""

    @property
    def windowed(self) -> int | None:
        """Number of texts of more than one window; None if texts are not read in windows."""
        return None if self.windows is None else int((self.windows > 1).sum())


def ensure(corpus: Corpus, encoder: Encoder, cache: Path) -> Path:
    """Return the folder with the tokens of a corpus; build it unless an earlier run did.

    Raises:
        BadInput: if there is no space left on the disk.
        Refused: if the cache is not writable.
    """
    reading = list(msgspec.structs.astuple(encoder.reading)) if encoder.reading.long_texts != CUT.long_texts else []
    key = fingerprint.of_values([VERSION, corpus.folder.name, encoder.folder.name, encoder.max_tokens, *reading])
    dtype = "uint16" if encoder.vocab_size <= 1 << 16 else "uint32"

    def fill(draft: Path) -> None:
        truncated = {name: write_split(corpus, name, encoder, dtype, draft) for name in corpus.splits}
        about = {"dtype": dtype, "pad_id": encoder.pad_id, "truncated": truncated}
        (draft / "tokens.json").write_text(json.dumps(about), encoding="utf-8")

    return ensure_folder(cache / "tokens" / key, fill)


def write_split(corpus: Corpus, name: str, encoder: Encoder, dtype: npt.DTypeLike, draft: Path) -> int:
    """Tokenise one split in chunks and return the number of texts that were cut."""
    texts = corpus.texts(name)
    lengths: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    windows: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    truncated = 0
    with (draft / f"{name}.ids").open("wb") as file:
        for chunk in chunks(texts):
            encoded = encoder(chunk)
            file.write(encoded.ids.astype(dtype).tobytes())
            lengths.append(encoded.lengths)
            truncated += encoded.truncated
            if encoded.windows is not None:
                windows.append(encoded.windows)
    write_ints(draft / f"{name}.lengths.npy", np.concatenate(lengths), np.int32)
    if encoder.reading.long_texts == "windows":
        write_ints(draft / f"{name}.windows.npy", np.concatenate(windows), np.int32)
    return truncated


def chunks(texts: Iterator[str]) -> Iterator[list[str]]:
    """Yield the texts in lists of `CHUNK` texts."""
    while chunk := list(islice(texts, CHUNK)):
        yield chunk


def read(folder: Path, corpus: Corpus) -> dict[str, TokenSplit]:
    """Return the tokens of each split as memory maps."""
    about = json.loads((folder / "tokens.json").read_bytes())
    result = {}
    for name in corpus.splits:
        lengths = np.asarray(read_ints(folder / f"{name}.lengths.npy"), np.int64)
        windows = folder / f"{name}.windows.npy"
        result[name] = TokenSplit(
            ids=map_flat(folder / f"{name}.ids", about["dtype"]),
            starts=np.cumsum(lengths) - lengths,
            lengths=lengths,
            labels=corpus.label_ids(name),
            pad_id=about["pad_id"],
            truncated=about["truncated"][name],
            windows=np.asarray(read_ints(windows), np.int64) if windows.exists() else None,
        )
    return result
