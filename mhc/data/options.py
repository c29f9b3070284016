"""Types of the nodes of `conf/data/*.yaml`. Pure: values are in YAML, their meaning is documented here."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from mhc.errors import BadConfig

Share = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Choice = Literal["refuse", "drop"]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a node; a missing or misspelt key is an error that names it."""


class Basics(Strict, frozen=True, kw_only=True):
    """Single values of the data."""

    seed: Annotated[int, msgspec.Meta(ge=0)]
    """Of the order of the batches."""
    near_duplicates: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] | None
    """Share of common word pairs from which a text counts as a near copy; None: near copies are not counted."""
    high_risk: list[str]
    """Labels that users must be able to rely on."""


class Cleaning(Strict, frozen=True, kw_only=True):
    """What is masked, and which rows are dropped."""

    mask: bool = False
    """Replace URLs, e-mail addresses, user handles and phone numbers by marks; false in configs recorded before."""

    repair: bool = False
    """Decode HTML entities, remove HTML tags, mend mojibake; false in configs recorded before."""

    placeholders: Literal["keep", "drop"] = "keep"
    """Texts such as [removed], nan and #NAME?: keep and count them, or drop those rows from every split."""
    repeats: Literal["keep", "drop"] = "keep"
    """A text that val or test has several times: keep all of its rows, or the first one per label."""
    conflicting: Literal["drop", "keep"]
    """Texts with two labels: drop all of their rows, or keep one row per label."""
    rare_labels: Choice
    """Labels with fewer than `min_rows_per_label` rows: refuse the data, or drop those rows."""
    min_rows_per_label: Positive
    """Minimum number of rows of a label before a split is cut; with fewer than 2 it cannot be learned and tested."""
    missing_labels: Choice = "refuse"
    """Rows whose label is empty, nan, N/A or null: refuse the data, or drop those rows."""
    merge_labels: Literal["case"] | Mapping[str, str] | None = None
    """Labels that differ only in case, blanks, Unicode form or invisible characters; case: each becomes the most
    frequent of them. A mapping: the label that each of these labels becomes. None: refuse the data."""
    unknown_labels: Choice
    """Rows of val and test with a label that train does not have: refuse the data, or drop those rows."""


class Splitting(Strict, frozen=True, kw_only=True):
    """How missing splits are cut, and how much of train is used."""

    val: Share
    """Share of the rows that becomes val if no val is given."""
    test: Share
    """Share of the rows that becomes test if no test is given; 0: there is no test."""
    salt: str
    """Part of the hash that decides the split of a row; the same salt gives the same cut."""
    train_fraction: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
    """Share of train that is used."""
    max_train_rows: Positive | None
    """Maximum number of rows of train that are used."""
    folds: Annotated[int, msgspec.Meta(ge=2)] | None = None
    """Number of parts of train that are each the test split of one training; None: no cross-validation."""
    fold: Annotated[int, msgspec.Meta(ge=0)] | Literal["all"] | None = None
    """The fold that is held out, counted over all repeats; all: none is, and every row is in train."""
    fold_repeats: Positive = 1
    """How often train is cut into folds, each time in another way."""


class Batching(Strict, frozen=True, kw_only=True):
    """How rows are grouped into batches."""

    tokens: Positive
    """Maximum number of tokens of one training batch, padding included."""
    eval_tokens: Positive
    """Maximum number of tokens of a batch without gradients."""
    max_rows: Positive
    """Maximum number of rows of one training batch."""
    bucketing: bool
    """Texts of similar length together; false: rows of all lengths, shuffled, in the same number of batches."""
    pad_multiple: Positive
    """Padded lengths are a multiple of this."""
    prefetch: Annotated[int, msgspec.Meta(ge=0)]
    """Number of batches that a thread builds ahead; 0: batches are built on request."""


class LongTexts(Strict, frozen=True, kw_only=True):
    """How texts of more than `max_tokens` are read."""

    long_texts: Literal["cut", "head_tail", "windows"] = "cut"
    """cut: their beginning; head_tail: beginning and end; windows: overlapping windows, whose logits are averaged."""
    window_stride: Annotated[int, msgspec.Meta(ge=0)] = 64
    """Tokens that two neighbouring windows share, as `stride` of transformers."""
    max_windows: Positive = 8
    """Windows of a text at most; a longer text is cut."""


class Tokenizing(LongTexts, frozen=True, kw_only=True):
    """The node `model.tokenizer`."""

    kind: Literal["wordpiece", "bpe", "pretrained", "ngrams", "tfidf", "embedding"]
    max_tokens: Positive
    """Longer texts are cut; includes the two tokens at the borders of a text."""
    vocab_size: Positive | None = None
    """Maximum size of a trained vocabulary; null: no limit (of tfidf only). For ngrams: the number of buckets."""
    min_frequency: Positive = 2
    """Pieces that are rarer in train are not added to the vocabulary."""
    min_texts: Positive = 1
    """Words and n-grams that occur in fewer texts of train are not learned; texts of one author count as one text.
    Does not apply to a pretrained vocabulary. Configs recorded before this key existed have 1."""
    split_digits: bool = False
    """Each digit is a word of its own, so that no number is in a trained vocabulary; false in configs recorded before.
    N-grams are hashed, and have no vocabulary."""
    lowercase: bool = True
    name: str | None = None
    """Hub name or folder of a pretrained tokenizer."""
    revision: str | None = None
    """Tag or commit of the hub; None: the newest."""
    offline: bool = False
    """Use only what is already in the hub's cache."""
    trust_remote_code: bool = False
    """Run the code that a pretrained tokenizer brings along (auto_map)."""
    ngrams: Positive = 2
    """Words of the longest word n-gram."""
    subwords: Annotated[int, msgspec.Meta(ge=0, le=20)] = 0
    """Letters of the longest character n-gram of a word; 0: none."""
    features: tuple[str, ...] = ("encoder", "tfidf")
    """Of kind embedding: the ids of a text are those of the encoder's tokens, and those of n-grams with `tfidf`."""
    max_words: Positive = 2048
    """Of kind embedding: words of a text whose n-grams are counted; `max_tokens` are the encoder's."""
    pooling: str = ""
    """Of kind embedding: `model.network.pooling`. With auto, texts are read as the model's settings of
    sentence-transformers have it: in lower case, and cut at their `max_seq_length` if that is less than `max_tokens`.
    Configs recorded before this key existed have none."""

    @property
    def reading(self) -> LongTexts:
        """How long texts are read."""
        names = LongTexts.__struct_fields__
        return LongTexts(**{name: getattr(self, name) for name in names})

    @property
    def bag(self) -> bool:
        """Whether a text is a bag of n-grams, not a sequence of tokens."""
        return self.kind in ("ngrams", "tfidf", "embedding")


Node = TypeVar("Node", bound=Strict)


def read(values: Mapping[str, object], kind: type[Node], key: str) -> Node:
    """Return the node `values` as an instance of `kind`.

    Raises:
        BadConfig: if a value is not valid, or a key is missing or misspelt; the message names the key.
    """
    if not isinstance(values, Mapping):
        raise BadConfig(f"{key} is {values!r}; it must be a mapping of {', '.join(kind.__struct_fields__)}")
    try:
        return msgspec.convert(dict(values), kind)
    except msgspec.ValidationError as error:
        raise BadConfig(_sentence(str(error), values, kind, key)) from error


def _sentence(flaw: str, values: Mapping[str, object], kind: type[Strict], key: str) -> str:
    """Return what is wrong with a node, by its key; with the choices if the value is none of them."""
    what, _, place = flaw.removesuffix("`").partition(" - at `$.")
    name = re.split(r"[\W]", place, maxsplit=1)[0]
    if name not in values:
        return f"{key}: {flaw}. Its keys are: {', '.join(kind.__struct_fields__)}"
    choices = _choices(get_type_hints(kind)[name])
    if choices and what.startswith("Invalid enum value"):
        what = f"it must be one of {choices}"
    return wrong_value(f"{key}.{name}", values[name], what)


def wrong_value(key: str, value: object, flaw: str) -> str:
    """Return the sentence about a value of the config that does not fit; `flaw` is what msgspec says about it."""
    return f"{key} is {reprlib.repr(value)}; {flaw[0].lower()}{flaw[1:]}"


def _choices(hint: object) -> str:
    """Return the values of a type that does nothing but list them, also beside None."""
    if get_origin(hint) is Literal:
        return ", ".join(map(str, get_args(hint)))
    parts = [part for part in get_args(hint) if part is not type(None)]
    return _choices(parts[0]) if len(parts) == 1 else ""
