"""What the nodes of `conf/data/*.yaml` may hold. Pure: the values live in YAML, the meanings here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import msgspec

from mhc.errors import BadConfig

Share = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Choice = Literal["refuse", "drop"]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node without defaults of its own: a missing or misspelt key is an error that names it."""


class Cleaning(Strict, frozen=True, kw_only=True):
    """Which rows are dropped."""

    conflicting: Literal["drop", "keep"]
    """Same text, two labels: drop all of its rows, or keep one row per label."""
    rare_labels: Choice
    """Labels with fewer than `min_rows_per_label` rows: refuse the data, or drop those rows."""
    min_rows_per_label: Positive
    """Rows of a label before any split is cut; below 2 a label cannot be learned and tested."""
    unknown_labels: Choice
    """Rows of val and test whose label train does not have: refuse the data, or drop those rows."""


class Splitting(Strict, frozen=True, kw_only=True):
    """How missing splits are cut, and how much of train is used."""

    val: Share
    """Share of the rows that becomes val where none is given."""
    test: Share
    """Share of the rows that becomes test where none is given; 0: there is no test."""
    salt: str
    """Goes into the hash that decides; the same salt gives the same cut."""
    train_fraction: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
    """Share of train that is used."""
    max_train_rows: Positive | None
    """At most this many rows of train are used."""


class Batching(Strict, frozen=True, kw_only=True):
    """How rows become batches."""

    tokens: Positive
    """Most tokens of one training batch, padding included."""
    eval_tokens: Positive
    """The same for batches that need no gradients."""
    max_rows: Positive
    """Most rows of one training batch."""
    bucketing: bool
    """Texts of one length together; false: shuffled over all lengths, in as many batches."""
    pad_multiple: Positive
    """Lengths are padded up to a multiple of this."""
    prefetch: Annotated[int, msgspec.Meta(ge=0)]
    """Batches that a thread builds ahead; 0: built when asked for."""


class Tokenizing(Strict, frozen=True, kw_only=True):
    """The node `model.tokenizer`."""

    kind: Literal["wordpiece", "bpe", "pretrained", "ngrams"]
    max_tokens: Positive
    """Longer texts are cut; includes the two tokens that frame a text."""
    vocab_size: Positive | None = None
    """Most entries of a trained vocabulary; for ngrams: the buckets that they are hashed into."""
    min_frequency: Positive = 2
    """Pieces that are rarer in train do not become entries of the vocabulary."""
    lowercase: bool = True
    name: str | None = None
    """Of a pretrained tokenizer: hub name or folder."""
    ngrams: Positive = 2
    """Longest run of words that is hashed."""
    subwords: Annotated[int, msgspec.Meta(ge=0, le=20)] = 0
    """Longest run of letters within a word that is hashed; 0: none."""


Node = TypeVar("Node", bound=Strict)


def read(values: Mapping[str, object], kind: type[Node], key: str) -> Node:
    """Return the node `values` as a `kind`.

    Raises:
        BadConfig: a value does not fit, a key is missing or misspelt; names the key.
    """
    try:
        return msgspec.convert(dict(values), kind)
    except msgspec.ValidationError as error:
        known = ", ".join(kind.__struct_fields__)
        raise BadConfig(f"{key}: {error}. It knows: {known}") from error
