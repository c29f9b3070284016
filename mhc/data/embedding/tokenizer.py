"""Tokenizer from texts to the ids of an encoder's tokens, followed by those of their n-grams if there is a vocabulary.

Id 0 is padding, as in every bag. Then come the ids of the encoder, each one higher than its own, so that its padding
token can be told from padding; then those of the n-grams.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
from tokenizers import Tokenizer

from mhc import files
from mhc.data.tfidf import tokenizer as tfidf
from mhc.data.tfidf.ragged import Ints, Ragged, concatenated
from mhc.data.tfidf.tokenizer import TfidfTokenizer
from mhc.data.tokenizer_training import CHARACTERS_PER_TOKEN
from mhc.errors import Unreadable

FILE = "embedding.json"
"""File in a tokenizer's folder that marks it as an `EmbeddingTokenizer`."""
ENCODER = "encoder"
"""Folder within it: the tokenizer of the encoder, in the format of transformers."""
MAX_BYTES = 1 << 28
"""Size of the largest file of a tokenizer."""
REMEDY = "Restore the file, or train the model again"

Size = Annotated[int, msgspec.Meta(ge=1)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `embedding.json`."""

    max_tokens: Size
    """Maximum number of tokens that the encoder reads, special tokens included; the rest is cut."""
    mask: bool
    """The tokenizers replace URLs, e-mail addresses, user handles and phone numbers by marks first."""


class EmbeddingTokenizer:
    """The tokenizer in a folder that `write` has made.

    Raises:
        Unreadable: if a file is missing or not valid.
    """

    pad_token_id: ClassVar[int] = 0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / ENCODER / "tokenizer.json"
        try:
            with files.reading(folder / FILE, REMEDY):
                settings = msgspec.json.decode(files.read(folder / FILE), type=Settings)
            with files.reading(path, REMEDY):
                self.pieces = Tokenizer.from_buffer(files.read(path, MAX_BYTES))
        except FileNotFoundError as error:
            raise Unreadable(f"There is no {error.filename}. {REMEDY}") from None
        self.max_tokens, self.mask = settings.max_tokens, settings.mask
        self.pieces.no_padding()
        self.pieces.enable_truncation(self.max_tokens)
        self.terms = TfidfTokenizer.from_pretrained(folder) if (folder / tfidf.FILE).is_file() else None

    def __len__(self) -> int:
        """Return the number of ids, padding included."""
        return self.first_term + (len(self.terms) - 1 if self.terms else 0)

    @cached_property
    def first_term(self) -> int:
        """Id of the first n-gram; ids below it are padding and the encoder's."""
        return 2 + max(self.pieces.get_vocab().values())

    @property
    def first_piece(self) -> int:
        """Id of the first piece of a word."""
        return self.first_term + (self.terms.first_piece - 1 if self.terms else 0)

    @property
    def longest(self) -> int:
        """Tokens or words that are read at most."""
        return max(self.max_tokens, self.terms.max_tokens if self.terms else 0)

    def encode(self, texts: Sequence[str]) -> tuple[Ints, Ints, list[int]]:
        """Return (concatenated ids of all texts, number of ids per text, positions of the texts that were cut).

        A text counts as cut if the encoder does not read all of it.
        """
        limit = self.max_tokens * CHARACTERS_PER_TOKEN
        encodings = self.pieces.encode_batch_fast([text[:limit] for text in texts])
        own = Ragged.of(encoding.ids for encoding in encodings)
        ids = Ragged(values=own.values + 1, lengths=own.lengths)
        cut = [row for row, text in enumerate(texts) if len(text) > limit or encodings[row].overflowing]
        if self.terms:
            values, lengths, _ = self.terms.encode(texts)
            ids = concatenated(ids, Ragged(values=values + self.first_term - 1, lengths=lengths))
        return ids.values, ids.lengths, cut

    def save_pretrained(self, folder: str | Path) -> None:
        """Copy the files of the tokenizer into the folder."""
        place = Path(folder)
        (place / ENCODER).mkdir(parents=True, exist_ok=True)
        names = [FILE, tfidf.FILE, *(f"{ENCODER}/{path.name}" for path in (self.folder / ENCODER).iterdir())]
        for name in names:
            if (self.folder / name).is_file() and not name.endswith(".safetensors"):  # weights, in a bundle
                shutil.copyfile(self.folder / name, place / name)


def write(folder: Path, *, max_tokens: int, mask: bool, terms: TfidfTokenizer | None) -> None:
    """Write the files of the tokenizer into the folder, beside the encoder's own in `ENCODER`."""
    (folder / FILE).write_text(json.dumps({"max_tokens": max_tokens, "mask": mask}) + "\n", encoding="utf-8")
    if terms is not None:
        terms.save_pretrained(folder)
