"""Tell from names and first values which columns are text, label, author and split. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mhc.data.sources import SPLITS

TEXT_NAME = re.compile(
    r"text|post|body|tweet|content|message|comment|sentence|utterance|statement|transcript|question|answer|narrative|"
    r"description|document|review|title|headline|subject|txt|note|entry|story|snippet|diary",
    re.IGNORECASE,
)
TITLE_NAME = re.compile(r"^(title|headline|subject|summary)$", re.IGNORECASE)
LABEL_NAME = re.compile(
    r"label|class|categor|sentiment|emotion|intent|target|status|topic|diagnos|condition|disorder|subreddit|polarity|"
    r"severity|stress|risk|annotation|gold|tag|^y$|issue|symptom",
    re.IGNORECASE,
)
AUTHOR_NAME = re.compile(
    r"author|user|writer|speaker|participant|patient|person|subject_?id|screen_?name|handle|nick|poster|client|^pid$",
    re.IGNORECASE,
)
SPLIT_NAME = re.compile(r"split|fold|partition|subset|^set$|usage", re.IGNORECASE)
IDENTITY_NAME = re.compile(
    r"(^|[_\W])(id|index|idx|no|nr|number|date|time|created|timestamp|url|link|score)([_\W]|$)", re.I
)

MOST_LABELS = 200
"""Values of a column of labels."""
SHORT = 40
"""Characters of a label."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A column as its first values show it."""

    name: str
    rows: int
    filled: float
    distinct: int
    """Different values that are not empty."""
    characters: float
    words: float
    longest: int
    numeric: float
    """Share of the filled values that are numbers."""
    values: frozenset[str]
    """The values, if they are few."""

    @property
    def share_distinct(self) -> float:
        """Share of the filled values that are different."""
        return self.distinct / max(1.0, self.filled * self.rows)


NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


def profile(name: str, values: Sequence[str]) -> Profile:
    """Return the profile of a column."""
    filled = [value.strip() for value in values if value.strip()]
    distinct = set(filled)
    count = max(1, len(filled))
    return Profile(
        name=name,
        rows=len(values),
        filled=len(filled) / max(1, len(values)),
        distinct=len(distinct),
        characters=sum(map(len, filled)) / count,
        words=sum(len(value.split()) for value in filled) / count,
        longest=max(map(len, filled), default=0),
        numeric=sum(bool(NUMBER.fullmatch(value)) for value in filled) / count,
        values=frozenset(distinct) if len(distinct) <= MOST_LABELS else frozenset(),
    )


def text_columns(profiles: Sequence[Profile]) -> list[str]:
    """Return the columns of texts: the likeliest one, preceded by a column of titles if it is a body; or nothing."""
    scores = {one.name: text_score(one) for one in profiles}
    best = max(profiles, key=lambda one: scores[one.name], default=None)
    if best is None or scores[best.name] <= 0:
        return []
    titles = [
        one.name for one in profiles if TITLE_NAME.search(one.name) and one.name != best.name and scores[one.name] > 0
    ]
    return [*titles[:1], best.name]


def text_score(column: Profile) -> float:
    """Return how much a column looks like texts."""
    if column.filled < 0.3 or column.numeric > 0.5 or IDENTITY_NAME.search(column.name):
        return 0.0
    long = min(column.characters, 400.0) * (0.2 + min(1.0, column.share_distinct))
    named = 3.0 if TEXT_NAME.search(column.name) else 1.0
    exact = 2.0 if column.name.strip().casefold() in ("text", "post", "tweet", "body", "selftext", "content") else 1.0
    prose = 1.0 if column.words >= 2 or column.characters >= 12 else 0.2
    return long * named * exact * prose


def label_column(profiles: Sequence[Profile], taken: Sequence[str]) -> str | None:
    """Return the likeliest column of labels that is not `taken`."""
    scores = {one.name: label_score(one) for one in profiles if one.name not in taken}
    best = max(scores, key=lambda name: scores[name], default=None)
    return best if best is not None and scores[best] > 0 else None


def label_score(column: Profile) -> float:
    """Return how much a column looks like labels: few values, each of several rows."""
    if not 2 <= column.distinct <= MOST_LABELS or column.share_distinct > 0.5 or is_split(column):
        return 0.0
    if column.longest > 2 * SHORT or column.characters > SHORT:
        return 0.0
    named = 10.0 if LABEL_NAME.search(column.name) else 1.0
    wrong = 0.1 if IDENTITY_NAME.search(column.name) or AUTHOR_NAME.search(column.name) else 1.0
    exact = 3.0 if column.name.strip().casefold() in ("label", "labels", "class") else 1.0
    return named * wrong * exact * column.filled / (1 + column.distinct / 20)


def author_column(profiles: Sequence[Profile], taken: Sequence[str]) -> str | None:
    """Return the likeliest column of authors: by its name, with several rows of some author."""
    fitting = [
        one
        for one in profiles
        if one.name not in taken and AUTHOR_NAME.search(one.name) and one.distinct >= 2 and one.share_distinct <= 0.95
    ]
    return fitting[0].name if fitting else None


def split_column(profiles: Sequence[Profile], taken: Sequence[str]) -> str | None:
    """Return the column that names splits."""
    fitting = [one for one in profiles if one.name not in taken and is_split(one)]
    return fitting[0].name if fitting else None


def is_split(column: Profile) -> bool:
    """Return whether all values are names of splits, train among them."""
    names = {SPLITS.get(value.lower()) for value in column.values}
    return "train" in names and len(names) > 1 and None not in names and column.filled == 1.0


def named_columns(names: Sequence[str], columns: Mapping[str, Sequence[str]]) -> list[Profile]:
    """Return the profiles of the columns that have a name."""
    return [profile(name, columns[name]) for name in names if name]
