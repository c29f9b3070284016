"""Lengths of texts in tokens, on a sample, and how many rows each model cuts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mhc.audit.findings import Cut, Lengths
from mhc.audit.texts import lengths
from mhc.data.options import Tokenizing
from mhc.policy import CONF

LEARNED, COUNTED = 5_000, 20_000
"""Texts from which a vocabulary is learned, and whose tokens are counted."""
VOCABULARY = 8_000


def token_counts(texts: Sequence[str]) -> list[int]:
    """Return the tokens of at most `COUNTED` of the texts, evenly spaced, with a WordPiece vocabulary of their own."""
    from mhc.data import tokenizer_training

    sample = spaced(texts, COUNTED)
    options = Tokenizing(kind="wordpiece", max_tokens=1 << 20, vocab_size=VOCABULARY, split_digits=True)
    pieces = tokenizer_training.train(options, spaced(sample, LEARNED))
    return [len(encoding.ids) for encoding in pieces.encode_batch_fast(sample)]


def spaced(texts: Sequence[str], most: int) -> list[str]:
    """Return at most so many texts, evenly spaced."""
    return [texts[place * len(texts) // most] for place in range(most)] if len(texts) > most else list(texts)


def cuts(counts: Sequence[int], conf: Path = CONF) -> list[Cut]:
    """Return the share of texts that each model of `conf/model` cuts, shortest limit first, without bags of words."""
    limits = {path.stem: limit for path in sorted((conf / "model").glob("[!_]*.yaml")) if (limit := limit_of(path))}
    return [
        Cut(model=name, max_tokens=limit, share=round(sum(count > limit for count in counts) / max(1, len(counts)), 4))
        for name, limit in sorted(limits.items(), key=lambda pair: pair[1])
    ]


def limit_of(path: Path) -> int:
    """Return `tokenizer.max_tokens` of a model; 0 for a bag of words."""
    import yaml

    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    tokenizer = values.get("tokenizer") if isinstance(values, dict) else None
    if not isinstance(tokenizer, dict) or tokenizer.get("kind") in ("ngrams", "tfidf"):
        return 0
    limit = tokenizer.get("max_tokens", 0)
    return limit if isinstance(limit, int) else 0


def of_texts(texts: Sequence[str]) -> tuple[Lengths | None, list[Cut]]:
    """Return the lengths in tokens and the cuts; None and nothing without texts."""
    filled = [text for text in texts if text]
    if not filled:
        return None, []
    counts = token_counts(filled)
    return lengths(counts), cuts(counts)
