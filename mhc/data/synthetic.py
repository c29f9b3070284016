"""The embedded data set: generated posts, the same for the same options on every machine.

A post mentions the topics of several labels, but only one of them as true of its author now; the others are about other
people, about the past, or negated. So the label depends on the order of the words, not on the words alone. Some
fillings of the phrases never occur in train, so that val and test are not copies of it. Lengths follow a log-normal
distribution, as those of real posts do, and a share of the labels is wrong on purpose.
"""

from __future__ import annotations

import random
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from mhc.data import synthetic_phrases as phrases
from mhc.data.cleaning import Rows
from mhc.data.sources import Raw
from mhc.errors import BadConfig

LABELS = tuple(phrases.PREDICATES)

VERSION = 2
"""Version of the generator; a new version invalidates older folders of the cache."""

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}

MEDIAN_WORDS, SPREAD = 58.0, 0.6
"""Length of a post: median in words, and standard deviation of the logarithm."""

SHORTEST, LONGEST = 8, 400
"""Limits of the length of a post, in words."""

COMES_TO_THE_POINT = 0.85
"""Share of posts that begin with the sentence that decides the label."""

SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Synthetic:
    """Source of `rows` generated posts, each label equally often."""

    rows: int
    label_noise: float
    """Share of rows whose label does not match the text."""
    edition: int
    """Part of the random seed; each number gives different texts."""

    name = "synthetic"
    synthetic = True

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            BadConfig: if a number is out of its range.
        """
        if self.rows < 1:
            raise BadConfig(f"data.rows={self.rows} is not positive. Give the number of texts of all splits together")
        random_labels = 1 - 1 / len(LABELS)
        if not 0 <= self.label_noise <= random_labels:
            raise BadConfig(f"data.label_noise={self.label_noise} is not between 0 and {random_labels:g}")

    def key(self) -> dict[str, object]:
        """Return the values that determine the rows: the options and the phrases."""
        words = {name: repr(value) for name, value in vars(phrases).items() if name.isupper()}
        numbers = [SHARES, MEDIAN_WORDS, SPREAD, SHORTEST, LONGEST, COMES_TO_THE_POINT]
        return {"source": "synthetic", "version": VERSION, **asdict(self), "phrases": words, "numbers": numbers}

    def read(self, cache: Path) -> Raw:
        """Generate the posts of all splits."""
        splits = {name: self.split(name, round(share * self.rows)) for name, share in SHARES.items()}
        return Raw(splits=splits, origin=f"synthetic texts, edition {self.edition}", names=LABELS)

    def split(self, name: str, rows: int) -> Rows:
        """Generate one split."""
        writer = Writer(random.Random(f"{self.edition}/{name}"), held_out=name != "train")
        true_labels = [LABELS[row % len(LABELS)] for row in range(rows)]
        texts = [writer.post(label) for label in true_labels]
        noise = random.Random(f"{self.edition}/{name}/noise")
        rate = self.label_noise * 4 / 3  # one in four random labels is the true one
        labels = [noise.choice(LABELS) if noise.random() < rate else label for label in true_labels]
        order = random.Random(f"{self.edition}/{name}/order").sample(range(rows), rows)
        return Rows(texts=[texts[row] for row in order], labels=[labels[row] for row in order])


@dataclass(frozen=True)
class Writer:
    """Generator of posts with its own random state."""

    random: random.Random
    held_out: bool
    """Whether fillings that train never has may be used."""

    def post(self, label: str) -> str:
        """Return a post whose author goes through the topic of `label`."""
        words = min(LONGEST, max(SHORTEST, self.random.lognormvariate(0.0, SPREAD) * MEDIAN_WORDS))
        first, sentences = self.positive(label), [self.distractor(label)]
        while sum(sentence.count(" ") + 1 for sentence in (first, *sentences)) < words:
            sentences.append(self.sentence(label))
        self.random.shuffle(sentences)
        opening = 0 if self.random.random() < COMES_TO_THE_POINT else self.random.randint(1, len(sentences))
        sentences.insert(opening, first)
        return " ".join(f"{sentence.capitalize()}." for sentence in sentences)

    def sentence(self, label: str) -> str:
        """Return a sentence for a post of this label."""
        kinds = {self.positive: 12, self.distractor: 30, self.contrast: 10, self.aside: 48}
        return self.random.choices(list(kinds), weights=list(kinds.values()))[0](label)

    def aside(self, label: str) -> str:
        """Return a sentence about everyday things; independent of the label."""
        return self.fill(self.random.choice(phrases.SLOTS["filler"]))

    def contrast(self, label: str) -> str:
        """Return a sentence that contrasts this label, true of the author, with another one that is not."""
        frame = self.random.choice(phrases.CONTRAST)
        return self.fill(frame, it=self.predicate(label), away=self.predicate(self.another(label)))

    def distractor(self, label: str) -> str:
        """Return a sentence with another label, about other people, about the past, or negated."""
        frames = self.random.choice((phrases.OTHERS, phrases.PAST, phrases.NEGATED))
        return self.fill(self.random.choice(frames), it=self.predicate(self.another(label)))

    def another(self, label: str) -> str:
        """Return a random label other than this one."""
        return self.random.choice([other for other in LABELS if other != label])

    def positive(self, label: str) -> str:
        """Return a sentence in which this label is true of the author now."""
        return self.fill(self.random.choice(phrases.NOW), it=self.predicate(label))

    def predicate(self, label: str) -> str:
        """Return a random filled predicate; about a fifth of them are held out of train."""
        while True:
            frame = self.random.choice(phrases.PREDICATES[label])
            predicate = self.fill(frame)
            if self.held_out or not is_held_out(predicate):
                return predicate

    def fill(self, frame: str, **values: str) -> str:
        """Fill every `{...}` of a frame: with the given value, else with a random word of that kind."""

        def word(match: re.Match[str]) -> str:
            kind = match.group(1)
            if kind in values:
                return values[kind]
            return self.fill(self.random.choice(phrases.OFTEN if kind == "often" else phrases.SLOTS[kind]))

        return SLOT.sub(word, frame)


def is_held_out(predicate: str) -> bool:
    """Return whether this filled predicate is held out of train."""
    return sum(predicate.encode()) % 5 == 0
