"""Which words moved a prediction: exactly for a linear model, else by leaving out one word after another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from mhc.data.cleaning import clean_text
from mhc.data.tfidf.tokenizer import TfidfTokenizer
from mhc.data.tokenizer_training import CHARACTERS_PER_TOKEN
from mhc.inference.predictor import Predictor
from mhc.model.tfidf.contributions import contributions
from mhc.model.tfidf.model import TfidfModel
from mhc.serve.prediction.bundles import Bundles, Served

MOST_LEFT_OUT = 100
"""Words that are left out one by one: each is a further text to compute."""
MOST_SHOWN = 15
EXACT = "Share of the log odds"
EXACT_MEANING = (
    "The score of the label above the average of all labels is the sum of these shares over all words, and of the "
    "share of the label itself, which every text has. The share of an n-gram is divided among the words that it covers."
)
LEFT_OUT = "Change of the probability"
LEFT_OUT_MEANING = (
    "How much less probable the label is if the text lacks this one word. Words that only matter together do not show."
)


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word of the text, as the model reads it."""

    text: str
    effect: float
    """Above 0: it speaks for the label; below: against it."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The words that moved a label most, the strongest first."""

    label: str
    words: list[Word]
    unit: str
    meaning: str
    tested: int
    """Words whose effect was computed, the first ones of the text."""
    total: int
    base: float | None = None
    """The share that every text has; None if the words were left out."""

    @property
    def largest(self) -> float:
        """The largest effect in either direction; 1 if there is none."""
        return max((abs(word.effect) for word in self.words), default=0.0) or 1.0


async def explanation(bundles: Bundles, served: Served, text: str, label: str) -> Explanation:
    """Return which words of a text moved the probability of a label.

    Raises:
        Full: if too many texts wait.
    """
    predictor = served.predictor
    model, tokenizer = predictor.scorer, predictor.encode.bag
    if isinstance(model, TfidfModel) and isinstance(tokenizer, TfidfTokenizer):
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(bundles.computing, exact, predictor, model, tokenizer, text, label)
    clean = clean_text(text, repair=predictor.repairs)
    words = clean[: predictor.encode.max_tokens * CHARACTERS_PER_TOKEN].split()  # the rest is never read
    shorter = without_each(words, MOST_LEFT_OUT) if len(words) > 1 else []
    answer = await asyncio.wrap_future(served.batches.submit([" ".join(words), *shorter]))
    column = predictor.label_names.index(label)
    whole, *rest = answer.probabilities[:, column].tolist()
    effects = [Word(text=word, effect=whole - without) for word, without in zip(words, rest, strict=False)]
    return Explanation(
        label=label,
        words=strongest(effects),
        unit=LEFT_OUT,
        meaning=LEFT_OUT_MEANING,
        tested=len(rest),
        total=len(clean.split()),
    )


def exact(predictor: Predictor, model: TfidfModel, tokenizer: TfidfTokenizer, text: str, label: str) -> Explanation:
    """Return the share of each word in the score of a label, above the average of all labels."""
    shares = contributions(model, tokenizer, clean_text(text, repair=predictor.repairs))
    column = predictor.label_names.index(label)
    above = (shares.values[:, column] - shares.values.mean(axis=1)) / predictor.temperature
    words = [Word(text=word, effect=effect) for word, effect in zip(shares.words, above.tolist(), strict=True)]
    return Explanation(
        label=label,
        words=strongest(words),
        unit=EXACT,
        meaning=EXACT_MEANING,
        tested=len(words),
        total=len(words),
        base=float(shares.bias[column] - shares.bias.mean()) / predictor.temperature,
    )


def without_each(words: Sequence[str], most: int) -> list[str]:
    """Return the text without its first word, without its second, and so on, for at most `most` words."""
    return [" ".join([*words[:place], *words[place + 1 :]]) for place in range(min(most, len(words)))]


def strongest(words: Sequence[Word]) -> list[Word]:
    """Return the words with the largest effects; a word that occurs several times once, with their sum."""
    sums: dict[str, float] = {}
    for word in words:
        sums[word.text] = sums.get(word.text, 0.0) + word.effect
    ranked = sorted(sums.items(), key=lambda item: -abs(item[1]))
    return [Word(text=text, effect=effect) for text, effect in ranked[:MOST_SHOWN] if effect]
