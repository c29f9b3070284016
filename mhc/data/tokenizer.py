"""Texts to ids: word pieces or byte pairs trained on the train split, a pretrained model's own, or hashed n-grams."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from mhc.data import fingerprint, ngrams
from mhc.data.cache import ensure_folder
from mhc.data.ngrams import NgramTokenizer
from mhc.data.options import Tokenizing
from mhc.errors import BadConfig, NotFound, Unreadable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

log = logging.getLogger(__name__)

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

CHARACTERS_PER_TOKEN = 100
"""No word piece is longer; what lies further back than max_tokens times this is cut before it is tokenised."""

VERSION = 1
"""Of what is trained; a new one makes old folders of the cache useless."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Texts as ids, one after the other."""

    ids: npt.NDArray[np.int64]
    """[sum of lengths]"""
    lengths: npt.NDArray[np.int64]
    """[texts]: ids per text."""
    truncated: int
    """Texts that were cut at the maximal length."""


class Encoder:
    """A tokenizer from a folder, ready to encode many texts fast; does not import transformers."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        self.folder = folder
        self.max_tokens = max_tokens
        self.ngrams: NgramTokenizer | None = None
        self.pieces: Tokenizer | None = None
        if (folder / ngrams.FILE).exists():
            self.ngrams = NgramTokenizer.from_pretrained(folder)
        else:
            self.pieces = pieces_of(folder)
            self.pieces.no_padding()
            self.pieces.enable_truncation(max_tokens)

    @property
    def vocab_size(self) -> int:
        """Number of ids, special tokens included."""
        if self.ngrams is not None:
            return self.ngrams.buckets
        assert self.pieces is not None
        return self.pieces.get_vocab_size()

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""
        if self.ngrams is not None:
            return self.ngrams.pad_token_id
        assert self.pieces is not None
        config = json.loads((self.folder / "tokenizer_config.json").read_bytes())
        return int(self.pieces.get_vocab()[content_of(config["pad_token"])])

    def __call__(self, texts: Sequence[str]) -> Encoded:
        """Return the ids of normalised texts; every core works on them."""
        most = self.max_tokens * CHARACTERS_PER_TOKEN
        clipped = {row for row, text in enumerate(texts) if len(text) > most}
        short = [text[:most] for text in texts] if clipped else texts
        if self.ngrams is not None:
            ids, lengths, cut = self.ngrams.encode(short)
            return Encoded(ids=ids, lengths=lengths, truncated=len(clipped.union(cut)))
        assert self.pieces is not None
        found = self.pieces.encode_batch_fast(short)
        lists = [one.ids for one in found]
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        full = np.flatnonzero(lengths >= self.max_tokens).tolist()
        clipped.update(row for row in full if found[row].overflowing)
        return Encoded(ids=flat(lists, int(lengths.sum())), lengths=lengths, truncated=len(clipped))


def content_of(token: object) -> str:
    """Return a special token as `tokenizer_config.json` has it: plain, or with how it is matched."""
    return str(token["content"]) if isinstance(token, dict) else str(token)


def flat(lists: list[list[int]], total: int) -> npt.NDArray[np.int64]:
    """Return lists of numbers as one array."""
    result = np.empty(total, np.int64)
    at = 0
    for one in lists:
        result[at : at + len(one)] = one
        at += len(one)
    return result


def pieces_of(folder: Path) -> Tokenizer:
    """Return the tokenizer of `tokenizer.json`.

    Raises:
        Unreadable: it is not there, or damaged.
    """
    path = folder / "tokenizer.json"
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises plain Exception
        raise Unreadable(f"{path} is not a tokenizer that can be read. Train the model again") from error


def load(folder: Path) -> PreTrainedTokenizerFast | NgramTokenizer:
    """Return the tokenizer as its users know it: of transformers, or ours. Both have `save_pretrained(folder)`.

    Raises:
        Unreadable: the folder holds no tokenizer.
    """
    if (folder / ngrams.FILE).exists():
        return NgramTokenizer.from_pretrained(folder)
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise Unreadable(f"{folder} holds no tokenizer that can be read. Train the model again") from error


def key(options: Tokenizing, train_fingerprint: str) -> str:
    """Return the name of the tokenizer's folder in the cache: what it is trained on and how."""
    trained = options.kind in ("wordpiece", "bpe")
    content = train_fingerprint if trained else ""
    if options.kind == "pretrained" and options.name and Path(options.name).expanduser().is_dir():
        files = sorted(path for path in Path(options.name).expanduser().glob("*") if is_of_tokenizer(path))
        content = fingerprint.of_files(files)
    for_ngrams = ("ngrams", "subwords")
    names = [name for name in options.__struct_fields__ if not (trained and name in for_ngrams)]
    how = {name: getattr(options, name) for name in names}
    return f"{options.kind}-{fingerprint.of_values([VERSION, how, content])}"


def is_of_tokenizer(path: Path) -> bool:
    """Return whether a file of a model folder belongs to its tokenizer: not the weights."""
    return path.is_file() and path.suffix in (".json", ".txt", ".model") and path.stat().st_size < 1 << 28


def build(options: Tokenizing, train: Iterable[str], folder: Path) -> None:
    """Make the tokenizer and write it into `folder` in the form of transformers, or of `NgramTokenizer`.

    Raises:
        BadConfig: `vocab_size` or `name` is missing.
        NotFound: the pretrained tokenizer cannot be loaded.
    """
    if options.kind == "pretrained":
        pretrained(options).save_pretrained(str(folder))
    elif options.kind == "ngrams":
        NgramTokenizer(
            buckets=vocab_size(options),
            ngrams=options.ngrams,
            max_tokens=options.max_tokens,
            lowercase=options.lowercase,
            subwords=options.subwords,
        ).save_pretrained(folder)
    else:
        save_trained(trained(options, train), options, folder)


def vocab_size(options: Tokenizing) -> int:
    """Return the size of the vocabulary.

    Raises:
        BadConfig: it is missing, or smaller than the special tokens and the letters.
    """
    if options.vocab_size is None or options.vocab_size < 300:
        raise BadConfig(f"model.tokenizer.vocab_size is {options.vocab_size}; {options.kind} needs 300 or more")
    return options.vocab_size


def trained(options: Tokenizing, train: Iterable[str]) -> Tokenizer:
    """Train word pieces (BERT's) or byte pairs (byte-level) on normalised texts."""
    pieces = word_pieces(options, train) if options.kind == "wordpiece" else byte_pairs(options, train)
    frame = [(token, int(pieces.get_vocab()[token])) for token in ("[CLS]", "[SEP]")]
    pieces.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=frame)
    return pieces


def word_pieces(options: Tokenizing, train: Iterable[str]) -> Tokenizer:
    """Train BERT's kind: words in pieces, `##` before what continues one.

    The library numbers the continuing letters in the order of a hash table, so that two trainings on the same texts
    differ. They are told to it beforehand, in order, as if they were special, and are plain pieces in what is returned.
    """
    texts = list(train)
    blank = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=CHARACTERS_PER_TOKEN))
    blank.normalizer = normalizers.BertNormalizer(lowercase=options.lowercase)
    blank.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = alphabet(texts, blank.normalizer, vocab_size(options) // 4)
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size(options),
        min_frequency=options.min_frequency,
        special_tokens=[*SPECIAL, *(f"##{letter}" for letter in letters)],
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    blank.train_from_iterator(texts, trainer)
    pieces = Tokenizer(
        models.WordPiece(blank.get_vocab(), unk_token="[UNK]", max_input_chars_per_word=CHARACTERS_PER_TOKEN)
    )
    pieces.normalizer, pieces.pre_tokenizer = blank.normalizer, blank.pre_tokenizer
    pieces.decoder = decoders.WordPiece()
    pieces.add_special_tokens(list(SPECIAL))
    return pieces


def alphabet(texts: Sequence[str], normalizer: normalizers.Normalizer, most: int) -> list[str]:
    """Return the normalised letters of the texts, at most the `most` frequent ones, by code point."""
    times: Counter[str] = Counter()
    for start in range(0, len(texts), 4096):
        codes = np.frombuffer("".join(texts[start : start + 4096]).encode("utf-32-le"), np.uint32)
        found, counts = np.unique(codes, return_counts=True)
        for code, count in zip(found.tolist(), counts.tolist(), strict=True):
            for letter in normalizer.normalize_str(chr(code)):
                times[letter] += count
    del times[" "]
    return sorted(sorted(times, key=lambda letter: (-times[letter], letter))[:most])


def byte_pairs(options: Tokenizing, train: Iterable[str]) -> Tokenizer:
    """Train GPT-2's kind: every byte has an entry, so that nothing is unknown."""
    pieces = Tokenizer(models.BPE(unk_token="[UNK]"))
    if options.lowercase:
        pieces.normalizer = normalizers.Lowercase()
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size(options),
        min_frequency=options.min_frequency,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pieces.train_from_iterator(train, trainer)
    return pieces


def save_trained(pieces: Tokenizer, options: Tokenizing, folder: Path) -> None:
    """Write the folder that `AutoTokenizer.from_pretrained` reads."""
    from transformers import PreTrainedTokenizerFast

    names = {f"{token[1:-1].lower()}_token": token for token in SPECIAL}
    whole = PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        model_max_length=options.max_tokens,
        model_input_names=["input_ids", "attention_mask"],
        **names,
    )
    whole.save_pretrained(str(folder))


def pretrained(options: Tokenizing) -> PreTrainedTokenizerFast:
    """Return a pretrained tokenizer from the hub or a folder.

    Raises:
        BadConfig: no name is given, or it has no padding token.
        NotFound: it cannot be loaded.
    """
    from transformers import AutoTokenizer

    if options.name is None:
        raise BadConfig("model.tokenizer.name is missing; a pretrained tokenizer needs a hub name or a folder")
    try:
        found = AutoTokenizer.from_pretrained(str(Path(options.name).expanduser()), use_fast=True)
    except (OSError, ValueError) as error:
        raise NotFound(
            f"The pretrained tokenizer {options.name} could not be loaded. Check model.tokenizer.name= and the "
            "connection"
        ) from error
    if not found.is_fast or found.pad_token_id is None:
        raise BadConfig(f"The tokenizer {options.name} is not a fast one with a padding token. Choose another model")
    found.model_max_length = options.max_tokens
    return found


def ensure(options: Tokenizing, train: Iterable[str], train_fingerprint: str, cache: Path) -> Path:
    """Return the folder of the tokenizer, made now or by an earlier run."""
    folder = cache / "tokenizers" / key(options, train_fingerprint)
    return ensure_folder(folder, lambda draft: build(options, train, draft))
