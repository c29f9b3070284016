"""Tokenizers: WordPiece or byte-level BPE trained on the train split, pretrained ones, or bags of n-grams."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from mhc.data import fingerprint, masking, ngrams, pretrained
from mhc.data import tokenizer_training as training
from mhc.data.cache import ensure_folder
from mhc.data.embedding import tokenizer as embedding
from mhc.data.embedding.tokenizer import EmbeddingTokenizer
from mhc.data.long_texts import encoding
from mhc.data.ngrams import NgramTokenizer
from mhc.data.options import LongTexts, Tokenizing
from mhc.data.tfidf import tokenizer as tfidf
from mhc.data.tfidf.tokenizer import TfidfTokenizer
from mhc.data.tokenizer_training import Authors
from mhc.errors import Unreadable
from mhc.files import read, reading, require_regular_files

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MAX_BYTES = 1 << 28
"""Size of the largest file of a tokenizer."""
ADDED_OPTIONS = {
    "min_texts": 1,
    "split_digits": False,
    "trust_remote_code": False,
    "revision": None,
    "features": ("encoder", "tfidf"),
    "max_words": 2048,
    "pooling": "",
}
"""Options that records of older versions do not have, with their defaults."""
CUT = LongTexts()
Bag = NgramTokenizer | TfidfTokenizer | EmbeddingTokenizer
"""Tokenizers of our own, whose id 0 is padding."""
VERSION = 1
"""Version of the training; a new one invalidates older folders of the cache."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Ids of several texts, concatenated."""

    ids: npt.NDArray[np.int64]
    """[sum of lengths]"""
    lengths: npt.NDArray[np.int64]
    """[texts], or [windows]: number of ids per text, or per window of a text."""
    cut: frozenset[int] = frozenset()
    """Positions of the texts that are longer than the maximum length, and were cut."""
    windows: npt.NDArray[np.int64] | None = None
    """[texts]: number of windows per text; None: each text is one."""

    @property
    def truncated(self) -> int:
        """Number of texts that were cut at the maximum length."""
        return len(self.cut)


class Encoder:
    """A tokenizer from a folder that encodes many texts fast; does not import transformers.

    Raises:
        Unreadable: if the folder has no tokenizer.
        BadConfig: if its texts cannot be read as `reading` has it.
    """

    def __init__(self, folder: Path, max_tokens: int, reading: LongTexts = CUT) -> None:
        self.folder = folder
        self.reading = reading
        self.bag = bag_of(folder)
        self.max_tokens = self.bag.max_tokens if isinstance(self.bag, EmbeddingTokenizer) else max_tokens
        encoding.check(reading, bag=self.bag is not None)
        self.pieces: Tokenizer | None = None
        if self.bag is None:
            self.pieces = pieces_of(folder)
            self.pieces.no_padding()
            encoding.prepare(self.pieces, max_tokens, reading)

    @property
    def vocab_size(self) -> int:
        """Number of ids, special tokens included."""
        if self.bag is not None:
            return len(self.bag)
        assert self.pieces is not None
        return self.pieces.get_vocab_size()

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""
        if self.bag is not None:
            return self.bag.pad_token_id
        assert self.pieces is not None
        path = self.folder / "tokenizer_config.json"
        with reading(path, ngrams.REMEDY):
            config = json.loads(read(path))
            return int(self.pieces.get_vocab()[content_of(config["pad_token"])])

    @property
    def masks(self) -> bool:
        """Whether it masks texts by itself; a tokenizer of an older version does not."""
        if self.bag is not None:
            return self.bag.mask
        assert self.pieces is not None
        normalizer = self.pieces.normalizer
        return normalizer is not None and "example.org" not in normalizer.normalize_str("https://example.org")

    def __call__(self, texts: Sequence[str]) -> Encoded:
        """Return the ids of normalised texts, computed on all cores."""
        if self.pieces is not None and self.reading.long_texts != CUT.long_texts:
            ids, lengths, windows, cut_rows = encoding.encode(self.pieces, texts, self.max_tokens, self.reading)
            return Encoded(ids=ids, lengths=lengths, cut=cut_rows, windows=windows)
        longest = self.bag.longest if isinstance(self.bag, EmbeddingTokenizer) else self.max_tokens
        limit = longest * training.CHARACTERS_PER_TOKEN
        clipped = {row for row, text in enumerate(texts) if len(text) > limit}
        short = [text[:limit] for text in texts] if clipped else texts
        if self.bag is not None:
            ids, lengths, cut = self.bag.encode(short)
            return Encoded(ids=ids, lengths=lengths, cut=frozenset(clipped.union(cut)))
        assert self.pieces is not None
        encodings = self.pieces.encode_batch_fast(short)
        lists = [each.ids for each in encodings]
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        full = np.flatnonzero(lengths >= self.max_tokens).tolist()
        clipped.update(row for row in full if encodings[row].overflowing)
        return Encoded(ids=encoding.flat(lists, int(lengths.sum())), lengths=lengths, cut=frozenset(clipped))


def content_of(token: object) -> str:
    """Return a special token of `tokenizer_config.json`: a string, or a mapping with options of matching."""
    return str(token["content"]) if isinstance(token, dict) else str(token)


def pieces_of(folder: Path) -> Tokenizer:
    """Return the tokenizer of `tokenizer.json`.

    Raises:
        Unreadable: if the file is missing or damaged.
    """
    path = folder / "tokenizer.json"
    try:
        with reading(path, ngrams.REMEDY):
            return Tokenizer.from_buffer(read(path, MAX_BYTES))
    except FileNotFoundError:
        raise Unreadable(f"There is no {path}. {ngrams.REMEDY}") from None


def bag_of(folder: Path) -> Bag | None:
    """Return the tokenizer into a bag of n-grams, or of tokens; None if the folder has one into a sequence.

    Raises:
        Unreadable: if its file is damaged.
    """
    if os.path.lexists(folder / embedding.FILE):
        return EmbeddingTokenizer(folder)
    if os.path.lexists(folder / ngrams.FILE):
        return NgramTokenizer.from_pretrained(folder)
    return TfidfTokenizer.from_pretrained(folder) if os.path.lexists(folder / tfidf.FILE) else None


def load(folder: Path) -> PreTrainedTokenizerFast | Bag:
    """Return the tokenizer, of transformers or ours. Both have `save_pretrained(folder)`.

    Raises:
        Unreadable: if the folder has no tokenizer.
    """
    bag = bag_of(folder)
    if bag is not None:
        return bag
    from transformers import AutoTokenizer

    with reading(f"The tokenizer in {folder}", ngrams.REMEDY):
        require_regular_files(folder)
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)


def key(options: Tokenizing, train_fingerprint: str, authors: Authors = None, *, mask: bool = False) -> str:
    """Return the name of the tokenizer's folder in the cache: a hash of the texts and the options of training.

    It is recorded, so options at their defaults that older records do not have do not change it.
    """
    own_vocabulary = options.kind != "embedding" or "tfidf" in options.features
    trained = options.kind in ("wordpiece", "bpe", "tfidf", "embedding") and own_vocabulary
    counted = options.kind != "pretrained" and own_vocabulary and options.min_texts > 1
    content = train_fingerprint if trained or counted else ""
    if counted and authors is not None:
        content += fingerprint.of_values(authors.tolist())
    if options.kind in ("pretrained", "embedding") and options.name and Path(options.name).is_dir():
        content += fingerprint.of_files(sorted(filter(is_tokenizer_file, Path(options.name).iterdir())))
    unused = {"ngrams", "subwords"} if options.kind in ("wordpiece", "bpe") else set()
    unused |= {*LongTexts.__struct_fields__, "offline"}
    unused |= {name for name, default in ADDED_OPTIONS.items() if getattr(options, name) == default}
    values = {name: getattr(options, name) for name in options.__struct_fields__ if name not in unused}
    return f"{options.kind}-{fingerprint.of_values([VERSION, values, content, *(masking.PATTERNS if mask else [])])}"


def is_tokenizer_file(path: Path) -> bool:
    """Return whether a file of a model folder belongs to its tokenizer, not to the weights."""
    return path.is_file() and path.suffix in (".json", ".txt", ".model") and path.stat().st_size < MAX_BYTES


def build(
    options: Tokenizing, train: Iterable[str], folder: Path, authors: Authors = None, *, mask: bool = False
) -> None:
    """Build the tokenizer and write it into `folder` in the format of transformers or of `NgramTokenizer`.

    With `mask` it masks texts by itself.

    Raises:
        BadConfig: if `vocab_size` or `name` is missing.
        NotFound: if there is no such pretrained tokenizer.
        Unreadable: if the pretrained tokenizer cannot be loaded.
    """
    from mhc.data.tfidf.learn import learned_terms  # it is not needed to encode texts

    if options.kind in ("pretrained", "embedding"):
        own = pretrained.tokenizer(options)
        place = folder / embedding.ENCODER if options.kind == "embedding" else folder
        (training.masked(own) if mask else own).save_pretrained(str(place))
        if options.kind == "embedding":
            terms = learned_terms(options, train, authors, mask=mask) if "tfidf" in options.features else None
            embedding.write(folder, max_tokens=own.model_max_length, mask=mask, terms=terms)
    elif options.kind == "ngrams":
        hashed = NgramTokenizer(
            buckets=training.vocab_size(options),
            ngrams=options.ngrams,
            max_tokens=options.max_tokens,
            lowercase=options.lowercase,
            subwords=options.subwords,
            mask=mask,
        )
        counted = options.min_texts > 1
        (hashed.without_rare(list(train), authors, options.min_texts) if counted else hashed).save_pretrained(folder)
    elif options.kind == "tfidf":
        learned_terms(options, train, authors, mask=mask).save_pretrained(folder)
    else:
        training.save(training.train(options, train, authors, mask=mask), options, folder)


def ensure(
    options: Tokenizing,
    train: Iterable[str],
    train_fingerprint: str,
    cache: Path,
    authors: Authors = None,
    *,
    mask: bool = False,
) -> Path:
    """Return the folder of the tokenizer; build it unless an earlier run did.

    Args:
        options: kind and options of training.
        train: normalised texts of train; masked if `mask`.
        train_fingerprint: changes if they change.
        cache: folder of all caches.
        authors: [texts]: a number per author, -1 if unknown; None: all are unknown.
        mask: whether the tokenizer masks texts by itself.

    Raises:
        BadConfig: if `vocab_size` or `name` is missing.
        BadInput: if there is no space left on the disk.
        NotFound: if there is no such pretrained tokenizer.
        Unreadable: if the pretrained tokenizer cannot be loaded.
        Refused: if the cache is not writable.
    """
    folder = cache / "tokenizers" / key(options, train_fingerprint, authors, mask=mask)
    return ensure_folder(folder, lambda draft: build(options, train, draft, authors, mask=mask))
