"""Label texts with the linear model in this folder: `python load.py "I have not slept for days"`.

Needs Python, numpy and safetensors alone. From Python: `from load import Model; Model(folder).probabilities(texts)`.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

WORDS = re.compile(r"\w\w+")
SURROGATES = re.compile("[\ud800-\udfff]")


class Model:
    """A linear model over the TF-IDF weights of words, of pairs of words, and of pieces of words."""

    def __init__(self, folder: str | Path) -> None:
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        self.settings = json.loads((Path(folder) / "tfidf.json").read_text(encoding="utf-8"))
        self.labels = [config["id2label"][str(number)] for number in range(len(config["id2label"]))]
        self.replaced = [(re.compile(pattern), mark) for pattern, mark in config["replaced"]]
        self.invisible = re.compile(config["invisible"])
        self.terms = {term: number for number, term in enumerate(self.settings["terms"], 1)}
        self.pieces = {piece: number for number, piece in enumerate(self.settings["pieces"], 1 + len(self.terms))}
        numbers = load_file(Path(folder) / "model.safetensors")
        self.weight, self.bias, self.rarity = (numbers[name] for name in ("weight", "bias", "rarity"))

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the probability of each label for each text, [texts, labels]."""
        logits = np.stack([self.logits(text) for text in texts])
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        result: NDArray[np.float32] = odds / odds.sum(axis=1, keepdims=True)
        return result

    def logits(self, text: str) -> NDArray[np.float32]:
        """Return the score of each label, [labels]."""
        parts = self.split(text)
        words = [word for part in parts for word in WORDS.findall(part)]
        longest = range(1, self.settings["ngrams"] + 1)
        terms = [" ".join(words[at : at + size]) for size in longest for at in range(len(words) - size + 1)]
        result = self.bias + self.weighted(terms, self.terms)
        return result + self.weighted([piece for part in parts for piece in self.cut(part)], self.pieces)

    def split(self, text: str) -> list[str]:
        """Return the parts of a text between white space, cleaned and masked as in training."""
        text = SURROGATES.sub("\ufffd", text)
        text = " ".join(self.invisible.sub("", unicodedata.normalize("NFC", text)).split())
        for pattern, mark in self.replaced:
            text = pattern.sub(mark, text)
        text = text.lower() if self.settings["lowercase"] else text
        text = re.sub(r"(\d)", r" \1 ", text) if self.settings["split_digits"] else text
        return text.split()[: self.settings["max_tokens"]]

    def cut(self, part: str) -> list[str]:
        """Return the pieces of a part of a text, with a space at each border."""
        padded, result = f" {part} ", []
        for size in range(self.settings["shortest_piece"], self.settings["longest_piece"] + 1):
            result += [padded[at : at + size] for at in range(max(0, len(padded) - size) + 1)]
            if len(padded) <= size:
                break
        return result

    def weighted(self, ngrams: Sequence[str], vocabulary: dict[str, int]) -> NDArray[np.float32]:
        """Return the sum of the weights of n-grams, in the shares of a TF-IDF vector of length 1."""
        counts = Counter(vocabulary[ngram] for ngram in ngrams if ngram in vocabulary)
        ids = np.fromiter(counts, np.int64, len(counts))
        values = (1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))) * self.rarity[ids]
        result: NDArray[np.float32] = values @ self.weight[ids] / max(float(np.sqrt(values @ values)), 1e-9)
        return result


if __name__ == "__main__":
    model = Model(Path(__file__).parent)
    for row in model.probabilities(sys.argv[1:]).tolist():
        shares = dict(zip(model.labels, row, strict=True))
        sys.stdout.write(json.dumps({"label": max(shares, key=shares.__getitem__), "probabilities": shares}) + "\n")
