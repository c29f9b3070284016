"""The embedded data set: posts written by a program, the same for the same options on every machine.

A post mentions what several labels are about, but only one of them of its writer and of now; the rest is said of
others, of the past, or denied. So the words alone do not tell the label, their order does. Some fillings of the
phrases are kept out of train: val and test are no copies of it. Lengths follow a log-normal distribution as real posts
do, and a share of the labels is wrong on purpose.
"""

from __future__ import annotations

import random
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from mhc.data import synthetic_phrases as phrases
from mhc.data.cleaning import Rows
from mhc.data.sources import Raw

LABELS = tuple(phrases.PREDICATES)

VERSION = 2
"""Of the way that posts are put together: a new one makes what is in the cache useless."""

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}

MEDIAN_WORDS, SPREAD = 58.0, 0.6
"""Of the length of a post: the median in words, and the standard deviation of its logarithm."""

SHORTEST, LONGEST = 8, 400
"""In words."""

COMES_TO_THE_POINT = 0.85
"""Share of posts that open with what their writer goes through; the others come to it later."""

SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Synthetic:
    """Writes `rows` posts, each label equally often."""

    rows: int
    label_noise: float
    """Share of rows whose label is another one than the text says."""
    edition: int
    """Another number, other texts."""

    name = "synthetic"
    synthetic = True

    def key(self) -> dict[str, object]:
        """Return what decides the rows: the options and the phrases."""
        words = {name: repr(value) for name, value in vars(phrases).items() if name.isupper()}
        numbers = [SHARES, MEDIAN_WORDS, SPREAD, SHORTEST, LONGEST, COMES_TO_THE_POINT]
        return {"source": "synthetic", "version": VERSION, **asdict(self), "phrases": words, "numbers": numbers}

    def read(self, cache: Path) -> Raw:
        """Write the posts of all splits."""
        splits = {name: self.split(name, round(share * self.rows)) for name, share in SHARES.items()}
        return Raw(splits=splits, origin=f"synthetic texts, edition {self.edition}", names=LABELS)

    def split(self, name: str, rows: int) -> Rows:
        """Write one split."""
        writer = Writer(random.Random(f"{self.edition}/{name}"), held_out=name != "train")
        said = [LABELS[row % len(LABELS)] for row in range(rows)]
        texts = [writer.post(label) for label in said]
        noise = random.Random(f"{self.edition}/{name}/noise")
        labels = [noise.choice(LABELS) if noise.random() < self.label_noise * 4 / 3 else label for label in said]
        order = random.Random(f"{self.edition}/{name}/order").sample(range(rows), rows)
        return Rows(texts=[texts[row] for row in order], labels=[labels[row] for row in order])


@dataclass(frozen=True)
class Writer:
    """Writes posts with its own randomness."""

    random: random.Random
    held_out: bool
    """Whether phrases that train never has may be used."""

    def post(self, label: str) -> str:
        """Write a post whose writer goes through what `label` is about."""
        words = min(LONGEST, max(SHORTEST, self.random.lognormvariate(0.0, SPREAD) * MEDIAN_WORDS))
        first, sentences = self.said_now(label), [self.said_away(label)]
        while sum(sentence.count(" ") + 1 for sentence in (first, *sentences)) < words:
            sentences.append(self.sentence(label))
        self.random.shuffle(sentences)
        opening = 0 if self.random.random() < COMES_TO_THE_POINT else self.random.randint(1, len(sentences))
        sentences.insert(opening, first)
        return " ".join(f"{sentence.capitalize()}." for sentence in sentences)

    def sentence(self, label: str) -> str:
        """Write a sentence that fits a post of this label."""
        kinds = {self.said_now: 12, self.said_away: 30, self.contrast: 10, self.aside: 48}
        return self.random.choices(list(kinds), weights=list(kinds.values()))[0](label)

    def aside(self, label: str) -> str:
        """Write about everyday things, whatever the label."""
        return self.filled(self.random.choice(phrases.SLOTS["filler"]))

    def contrast(self, label: str) -> str:
        """Write what the writer goes through beside what is not so."""
        frame = self.random.choice(phrases.CONTRAST)
        return self.filled(frame, it=self.predicate(label), away=self.predicate(self.another(label)))

    def said_away(self, label: str) -> str:
        """Write about another label, but of others, of the past, or denied."""
        frames = self.random.choice((phrases.OTHERS, phrases.PAST, phrases.NEGATED))
        return self.filled(self.random.choice(frames), it=self.predicate(self.another(label)))

    def another(self, label: str) -> str:
        """Choose a label that is not this one."""
        return self.random.choice([other for other in LABELS if other != label])

    def said_now(self, label: str) -> str:
        """Write what the writer goes through."""
        return self.filled(self.random.choice(phrases.NOW), it=self.predicate(label))

    def predicate(self, label: str) -> str:
        """Choose a predicate and its filling; train does without every fifth pair."""
        while True:
            frame = self.random.choice(phrases.PREDICATES[label])
            filled = self.filled(frame)
            if self.held_out or not is_held_out(filled):
                return filled

    def filled(self, frame: str, **given: str) -> str:
        """Fill every `{...}` of a frame: as given, else with a word of that kind."""

        def word(match: re.Match[str]) -> str:
            kind = match.group(1)
            if kind in given:
                return given[kind]
            return self.filled(self.random.choice(phrases.OFTEN if kind == "often" else phrases.SLOTS[kind]))

        return SLOT.sub(word, frame)


def is_held_out(predicate: str) -> bool:
    """Return whether train does without this filled predicate."""
    return sum(predicate.encode()) % 5 == 0
