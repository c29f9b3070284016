"""Label texts with the linear model in this folder: `python load.py "I have not slept for days"`.

Needs Python, numpy and safetensors alone; if there is a folder `encoder`, torch, tokenizers and transformers, too. From
Python: `from load import Model; Model(folder).probabilities(texts)`.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

WORDS = re.compile(r"\w\w+")
NO_NGRAMS: dict[str, Any] = {
    "terms": [], "pieces": [], "ngrams": 1, "max_tokens": 0, "lowercase": False, "split_digits": False,
    "shortest_piece": 1, "longest_piece": 0,
}  # fmt: skip
SURROGATES = re.compile("[\ud800-\udfff]")


def tokenizer_and_model(folder: Path) -> tuple[Any, Any]:
    """Return the tokenizer and the encoder of a folder of transformers."""
    from tokenizers import Tokenizer
    from transformers import AutoModel

    origin = {"local_files_only": True, "use_safetensors": True, "dtype": "float32"}
    model = AutoModel.from_pretrained(str(folder), **origin).eval()
    return Tokenizer.from_file(str(folder / "tokenizer.json")), model


def vectors_of_tokens(model: Any, ids: Sequence[int]) -> NDArray[np.float32]:
    """Return the output of the last layer, [tokens, width]."""
    import torch

    with torch.inference_mode():
        batch = torch.tensor([ids])
        hidden = model(input_ids=batch, attention_mask=torch.ones_like(batch)).last_hidden_state
        result: NDArray[np.float32] = hidden[0].numpy()
        return result


class Encoder:
    """An encoder of transformers that turns a text into one vector."""

    def __init__(self, folder: Path, modes: Sequence[str], normalise: bool, max_tokens: int) -> None:  # noqa: FBT001
        self.modes, self.normalise = modes, normalise
        self.tokenizer, self.model = tokenizer_and_model(folder)
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_tokens)
        self.width = self.model.config.hidden_size * len(modes)

    def vector(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a text, [width]."""
        ids = self.tokenizer.encode(text).ids
        if not ids:
            return np.zeros(self.width, np.float32)
        tokens = vectors_of_tokens(self.model, ids)
        vector: NDArray[np.float32] = np.concatenate([self.pooled(tokens, mode) for mode in self.modes])
        return vector / max(float(np.linalg.norm(vector)), 1e-12) if self.normalise else vector

    def pooled(self, tokens: NDArray[np.float32], mode: str) -> NDArray[np.float32]:
        """Return one vector [width] from those of the tokens, [tokens, width]."""
        result: NDArray[np.float32]
        if mode == "max":
            result = tokens.max(axis=0)
        elif mode in ("cls", "lasttoken"):
            result = tokens[0 if mode == "cls" else -1]
        else:
            share = np.arange(1, len(tokens) + 1) if mode == "weightedmean" else np.ones(len(tokens))
            total = np.sqrt(len(tokens)) if mode == "mean_sqrt_len_tokens" else share.sum()
            result = (share / total).astype(np.float32) @ tokens
        return result


class Model:
    """A linear model over TF-IDF of words, of pairs and of pieces of words, over an encoder's vectors, or over both."""

    def __init__(self, folder: str | Path) -> None:
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        self.settings = NO_NGRAMS
        if (Path(folder) / "tfidf.json").exists():
            self.settings = json.loads((Path(folder) / "tfidf.json").read_text(encoding="utf-8"))
        self.encoder = None
        if "pooling" in config:
            self.encoder = Encoder(Path(folder) / "encoder", **config["pooling"], max_tokens=config["max_tokens"])
        self.labels = [config["id2label"][str(number)] for number in range(len(config["id2label"]))]
        self.replaced = [(re.compile(pattern), mark) for pattern, mark in config["replaced"]]
        self.invisible = re.compile(config["invisible"])
        self.terms = {term: number for number, term in enumerate(self.settings["terms"], 1)}
        self.pieces = {piece: number for number, piece in enumerate(self.settings["pieces"], 1 + len(self.terms))}
        numbers = load_file(Path(folder) / "model.safetensors")
        self.bias, self.dense = numbers["bias"], numbers.get("dense", numbers["bias"][None])
        self.weight, self.rarity = numbers.get("weight", self.bias[None]), numbers.get("rarity", self.bias[:1])

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the probability of each label for each text, [texts, labels]."""
        logits = np.stack([self.logits(text) for text in texts])
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        result: NDArray[np.float32] = odds / odds.sum(axis=1, keepdims=True)
        return result

    def logits(self, text: str) -> NDArray[np.float32]:
        """Return the score of each label, [labels]."""
        text = self.cleaned(text)
        parts = self.split(text)
        words = [word for part in parts for word in WORDS.findall(part)]
        longest = range(1, self.settings["ngrams"] + 1)
        terms = [" ".join(words[at : at + size]) for size in longest for at in range(len(words) - size + 1)]
        result = self.bias + self.weighted(terms, self.terms)
        if self.encoder is not None:
            result = result + self.encoder.vector(text) @ self.dense
        return result + self.weighted([piece for part in parts for piece in self.cut(part)], self.pieces)

    def cleaned(self, text: str) -> str:
        """Return a text as in training, before masking; the tokenizer of an encoder masks by itself."""
        text = SURROGATES.sub("\ufffd", text)
        return " ".join(self.invisible.sub("", unicodedata.normalize("NFC", text)).split())

    def split(self, text: str) -> list[str]:
        """Return the parts of a text between white space, masked as in training."""
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
