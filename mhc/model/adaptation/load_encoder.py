"""Label texts with the encoder in this folder: `python load.py "I have not slept for days"`.

Needs torch and transformers alone. From Python: `from load import Model; Model(folder).probabilities(texts)`.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

SURROGATES = re.compile("[\ud800-\udfff]")
BATCH = 16


class Model:
    """An encoder, and its own head or a linear layer on its pooled last layer."""

    def __init__(self, folder: str | Path) -> None:
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        self.settings = settings = json.loads((Path(folder) / "load.json").read_text(encoding="utf-8"))
        self.labels = [config["id2label"][str(number)] for number in range(len(config["id2label"]))]
        self.invisible, self.pad_id = re.compile(settings["invisible"]), config["pad_token_id"]
        self.tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        if settings["long_texts"] != "head_tail":
            shared = settings["window_stride"] if settings["long_texts"] == "windows" else 0
            self.tokenizer.enable_truncation(settings["max_tokens"], stride=shared)
        if config["model_type"] != "mhc_pooled":
            self.network = AutoModelForSequenceClassification.from_pretrained(str(folder), local_files_only=True).eval()
            return
        self.network, self.pooling = None, config.pop("pooling")
        config.pop("model_type")
        self.encoder = AutoModel.from_config(AutoConfig.for_model(config.pop("encoder_type"), **config)).eval()
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None
        weights = load_file(Path(folder) / "model.safetensors")
        own = {name.removeprefix("encoder."): value for name, value in weights.items() if name.startswith("encoder.")}
        self.encoder.load_state_dict(own)
        self.weight, self.bias = weights["classifier.weight"], weights["classifier.bias"]

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the probability of each label for each text, [texts, labels]."""
        windows = [self.windows(self.cleaned(text)) for text in texts]
        rows = [row for own in windows for row in own]
        with torch.inference_mode():
            logits = torch.cat([self.logits(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)])
        parts = torch.split(logits, [len(own) for own in windows])
        means = torch.stack([part.mean(0) for part in parts])
        result: NDArray[np.float32] = means.softmax(dim=1).numpy()
        return result

    def windows(self, text: str) -> list[list[int]]:
        """Return the token ids of the parts of a text whose scores are averaged."""
        encoding, longest = self.tokenizer.encode(text), self.settings["max_tokens"]
        if self.settings["long_texts"] == "windows":
            return [part.ids for part in (encoding, *encoding.overflowing)[: self.settings["max_windows"]]]
        ids: list[int] = encoding.ids
        head = longest // 4
        return [ids if len(ids) <= longest else ids[:head] + ids[head - longest :]]

    def cleaned(self, text: str) -> str:
        """Return a text as in training; the tokenizer replaces what was replaced in training."""
        text = SURROGATES.sub("\ufffd", text)
        return " ".join(self.invisible.sub("", unicodedata.normalize("NFC", text)).split())

    def logits(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Return the score of each label for each row of token ids, [rows, labels]."""
        longest = max(1, max(map(len, rows)))
        ids = torch.tensor([[*row, *[self.pad_id] * (longest - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        if self.network is not None:
            result: Tensor = self.network(input_ids=ids, attention_mask=mask).logits
            return result
        first = {"global_attention_mask": (torch.arange(longest) == 0).long().expand_as(mask)}
        extra = first if self.encoder.config.model_type == "longformer" else {}
        hidden = self.encoder(input_ids=ids, attention_mask=mask, **extra).last_hidden_state
        return self.pool(hidden, mask) @ self.weight.T + self.bias

    def pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return one vector per row, [rows, width], from those of its tokens, [rows, tokens, width]."""
        if self.pooling == "cls":
            return hidden[:, 0]
        real = mask[:, :, None].bool()
        if self.pooling == "max":
            return hidden.masked_fill(~real, -torch.inf).amax(1)
        return (hidden * real).sum(1) / real.sum(1).clamp(min=1)


if __name__ == "__main__":
    model = Model(Path(__file__).parent)
    for shares in model.probabilities(sys.argv[1:]).tolist():
        scores = dict(zip(model.labels, shares, strict=True))
        sys.stdout.write(json.dumps({"label": max(scores, key=scores.__getitem__), "probabilities": scores}) + "\n")
