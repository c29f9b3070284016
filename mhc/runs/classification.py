"""Decide the category of a run, debug or baseline, with the reason. Pure: nothing here touches a disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from mhc.policy import ClassificationPolicy
from mhc.record import Category, RunRecord


class Verdict(NamedTuple):
    """A category and its reason."""

    category: Category
    reason: str


Rule = Callable[[RunRecord, ClassificationPolicy], Verdict | None]


def set_by_user(record: RunRecord, policy: ClassificationPolicy) -> Verdict | None:
    """Return the category that the user set with `category=` or `reclassify --to`."""
    if record.category_said is None:
        return None
    return Verdict(record.category_said, "the user said so")


def smoke_test(record: RunRecord, policy: ClassificationPolicy) -> Verdict | None:
    """Return debug if the Trainer was limited to a few batches."""
    if record.smoke.fast_dev_run:
        return Verdict(Category.DEBUG, "smoke test: fast_dev_run")
    if record.smoke.limited:
        return Verdict(Category.DEBUG, f"smoke test: {', '.join(record.smoke.limited)}")
    return None


def partial_data(record: RunRecord, policy: ClassificationPolicy) -> Verdict | None:
    """Return debug if too small a part of the training split was used."""
    if record.data is None or record.data.train_fraction >= policy.min_train_fraction:
        return None
    used = f"{record.data.train_fraction:.3g}"
    return Verdict(
        Category.DEBUG, f"only {used} of the training split was used, less than {policy.min_train_fraction:g}"
    )


def debug_word(record: RunRecord, policy: ClassificationPolicy) -> Verdict | None:
    """Return debug if the name, a tag or the name of the model contains a debug word of the policy."""
    texts = [("name", record.name), *(("tag", tag) for tag in record.tags)]
    if record.model is not None:
        texts.append(("model", record.model.name))
    for kind, text in texts:
        word = find_word(text, policy.debug_words)
        if word:
            return Verdict(Category.DEBUG, f"the {kind} {text!r} has the debug word {word!r}")
    return None


RULES: tuple[Rule, ...] = (set_by_user, smoke_test, partial_data, debug_word)
"""First match wins."""


def classify(record: RunRecord, policy: ClassificationPolicy) -> Verdict:
    """Return the verdict of the first rule that applies; baseline if none does."""
    verdicts = (rule(record, policy) for rule in RULES)
    default = Verdict(Category.BASELINE, "no rule makes it a debug run")
    return next((verdict for verdict in verdicts if verdict is not None), default)


def reclassify(record: RunRecord, policy: ClassificationPolicy) -> RunRecord:
    """Return `record` with the category that follows from its facts under `policy`."""
    verdict = classify(record, policy)
    return msgspec.structs.replace(record, category=verdict.category, category_reason=verdict.reason)


def find_word(text: str, words: Sequence[str]) -> str | None:
    """Return the first of `words` that `text` contains as a whole word, or in a regular inflection."""
    text_words = split_words(text)
    for word in words:
        parts = split_words(word)
        width = len(parts)
        for start in range(len(text_words) - width + 1):
            *head, last = text_words[start : start + width]
            if width and head == list(parts[:-1]) and last in inflections(parts[-1]):
                return word
    return None


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of `text` in lower case, split at characters other than letters and at changes of camelCase.

    >>> split_words("myTest_run-2 HTTPServer")
    ('my', 'test', 'run', 'http', 'server')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    return tuple(word.casefold() for word in re.findall(r"[^\W\d_]+", spaced))


@cache
def inflections(word: str) -> frozenset[str]:
    """Return `word` with its regular inflections: s, es, ed, ing; with the last letter doubled, or its e dropped.

    >>> sorted(inflections("debug"))
    ['debug', 'debuged', 'debugged', 'debugging', 'debuging', 'debugs']
    """
    return frozenset(_inflections(word))


def _inflections(word: str) -> Iterator[str]:
    yield word
    yield word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")
    stems = [word[:-1] if word.endswith("e") else word]
    if re.search(r"[^aeiou][aeiou][^aeiouwxy]$", word):
        stems.append(word + word[-1])
    for stem in stems:
        yield stem + "ed"
        yield stem + "ing"
