"""Label texts with the models in this folder: `python load.py "I have not slept for days"`.

Their probabilities are averaged. Needs what the members need: each has its own folder in `members`, with a `load.py` of
its own if transformers has no class for it. From Python: `from load import Model; Model(folder).probabilities(texts)`.
"""

from __future__ import annotations

import json
import re
import runpy
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SURROGATES = re.compile("[\ud800-\udfff]")
BATCH = 16
Scorer = Callable[[Sequence[str]], NDArray[np.float32]]


class Model:
    """Several models, their weights, and the temperature of their mean."""

    def __init__(self, folder: str | Path) -> None:
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        calibration = json.loads((Path(folder) / "calibration.json").read_text(encoding="utf-8"))
        self.labels = [config["id2label"][str(number)] for number in range(len(config["id2label"]))]
        self.invisible, self.temperature = re.compile(config["invisible"]), calibration["temperature"]
        used = {name: weight for name, weight in config["weights"].items() if weight}
        self.weights = list(used.values())
        self.members = [scorer_of(Path(folder) / "members" / name) for name in used]

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the probability of each label for each text, [texts, labels]."""
        clean = [self.cleaned(text) for text in texts]
        parts = [member(clean).astype(np.float64) for member in self.members]
        mean = sum(weight * part for weight, part in zip(self.weights, parts, strict=True))
        scaled = np.log(np.maximum(mean, 1e-12)) / self.temperature
        odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        result: NDArray[np.float32] = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
        return result

    def cleaned(self, text: str) -> str:
        """Return a text as in training; the members replace what was replaced in training."""
        text = SURROGATES.sub("\ufffd", text)
        return " ".join(self.invisible.sub("", unicodedata.normalize("NFC", text)).split())


def scorer_of(folder: Path) -> Scorer:
    """Return the function of a member that gives the probabilities of texts."""
    calibration = json.loads((folder / "calibration.json").read_text(encoding="utf-8"))
    if calibration["temperature"] != 1:
        raise ValueError(f"{folder} has a temperature that is not part of its weights")
    script = folder / "load.py"
    if not script.exists():
        return by_transformers(folder)
    scorer: Scorer = runpy.run_path(str(script))["Model"](folder).probabilities
    return scorer


def by_transformers(folder: Path) -> Scorer:
    """Return the function of a member that transformers can load."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    network = AutoModelForSequenceClassification.from_pretrained(
        str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)

    def probabilities(texts: Sequence[str]) -> NDArray[np.float32]:
        batches = []
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                part = list(texts[start : start + BATCH])
                batch = tokenizer(part, truncation=True, padding=True, return_tensors="pt")
                batches.append(torch.softmax(network(**batch).logits, dim=-1).numpy())
        return np.concatenate(batches)

    return probabilities


if __name__ == "__main__":
    model = Model(Path(__file__).parent)
    for row in model.probabilities(sys.argv[1:]).tolist():
        shares = dict(zip(model.labels, row, strict=True))
        sys.stdout.write(json.dumps({"label": max(shares, key=shares.__getitem__), "probabilities": shares}) + "\n")
