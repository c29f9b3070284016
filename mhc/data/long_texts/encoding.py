"""Token ids of texts that are longer than the model reads: the first and the last part, or overlapping windows. Pure.

`head_tail` keeps a quarter of the tokens from the beginning and three quarters from the end (Sun et al. 2019: 128 and
382 of 510). `windows` cuts a text into windows of the longest length, each with special tokens of its own; the logits
of a text are the mean of those of its windows, so that a temperature can be worked into the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from mhc.data.options import LongTexts
from mhc.errors import BadConfig

Ints = npt.NDArray[np.int64]
CHARACTERS_PER_TOKEN = 100
"""As of `mhc.data.tokenizer_training`: characters of a text that are never read are not tokenised."""
HEAD = 4
"""The first of this many parts of the tokens are from the beginning of a text."""


def check(options: LongTexts, *, bag: bool) -> None:
    """Check that a tokenizer can read long texts in this way.

    Raises:
        BadConfig: if it is one into a bag of n-grams, and texts are not cut.
    """
    if bag and options.long_texts != "cut":
        raise BadConfig(f"model.long_texts is {options.long_texts}, but a bag of n-grams is read whole. Leave it out")


def prepare(pieces: Tokenizer, max_tokens: int, options: LongTexts) -> None:
    """Set the truncation of a tokenizer.

    Raises:
        BadConfig: if windows would share all of their tokens.
    """
    if options.long_texts == "head_tail":
        pieces.no_truncation()
    elif options.long_texts == "windows":
        content = max_tokens - pieces.num_special_tokens_to_add(False)
        if options.window_stride >= content:
            raise BadConfig(
                f"model.window_stride is {options.window_stride}, but a window has {content} tokens. Give less"
            )
        pieces.enable_truncation(max_tokens, stride=options.window_stride)
    else:
        pieces.enable_truncation(max_tokens)


def encode(
    pieces: Tokenizer, texts: Sequence[str], max_tokens: int, options: LongTexts
) -> tuple[Ints, Ints, Ints | None, frozenset[int]]:
    """Return the ids of all windows, their lengths, the windows of each text, and the positions of the texts cut.

    Args:
        pieces: a tokenizer that was prepared.
        texts: normalised texts.
        max_tokens: longest window, special tokens included.
        options: head_tail or windows; with head_tail each text is one, and no number of windows is returned.
    """
    read = _head_and_tail if options.long_texts == "head_tail" else _windows
    parts, windows, cut = read(pieces, texts, max_tokens, options)
    lengths = np.fromiter(map(len, parts), np.int64, len(parts))
    return flat(parts, int(lengths.sum())), lengths, windows, cut


def _head_and_tail(
    pieces: Tokenizer, texts: Sequence[str], max_tokens: int, options: LongTexts
) -> tuple[list[list[int]], None, frozenset[int]]:
    limit = max_tokens * CHARACTERS_PER_TOKEN
    short = [text if len(text) <= 2 * limit else f"{text[:limit]} {text[-limit:]}" for text in texts]
    whole = [encoding.ids for encoding in pieces.encode_batch_fast(short)]
    cut = frozenset(row for row, ids in enumerate(whole) if len(ids) > max_tokens)
    head = max_tokens // HEAD
    return [ids[:head] + ids[head - max_tokens :] if row in cut else ids for row, ids in enumerate(whole)], None, cut


def _windows(
    pieces: Tokenizer, texts: Sequence[str], max_tokens: int, options: LongTexts
) -> tuple[list[list[int]], Ints, frozenset[int]]:
    limit = options.max_windows * max_tokens * CHARACTERS_PER_TOKEN
    encodings = pieces.encode_batch_fast([text[:limit] for text in texts])
    windows = [windows_of(encoding, options.max_windows) for encoding in encodings]
    cut = frozenset(row for row, each in enumerate(encodings) if len(each.overflowing) >= options.max_windows)
    clipped = frozenset(row for row, text in enumerate(texts) if len(text) > limit)
    counts = np.fromiter(map(len, windows), np.int64, len(windows))
    return list(chain.from_iterable(windows)), counts, cut | clipped


def flat(lists: list[list[int]], total: int) -> Ints:
    """Return lists of numbers as one array."""
    result = np.empty(total, np.int64)
    start = 0
    for numbers in lists:
        result[start : start + len(numbers)] = numbers
        start += len(numbers)
    return result


def windows_of(encoding: Encoding, most: int) -> list[list[int]]:
    """Return the ids of the first `most` windows of a text."""
    return [part.ids for part in (encoding, *encoding.overflowing)[:most]]
