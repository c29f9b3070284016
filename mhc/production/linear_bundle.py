"""A linear model in a bundle: vocabulary as JSON, numbers as safetensors, and a script that loads it without mhc."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mhc import files
from mhc.data import cleaning, masking
from mhc.data.tfidf.tokenizer import FILE, TfidfTokenizer
from mhc.errors import NotFound, Unreadable
from mhc.production import load_linear
from mhc.production.bundle import LOAD_SCRIPT, WEIGHTS

if TYPE_CHECKING:
    from mhc.model.tfidf.model import TfidfModel

MODEL_TYPE = "mhc_tfidf"
SCRIPT = Path(load_linear.__file__)


def write(model: TfidfModel, tokenizer_folder: Path, labels: Sequence[str], folder: Path, temperature: float) -> None:
    """Write the model into the folder; its weights are divided by the temperature."""
    from safetensors.numpy import save_file

    numbers = {
        "weight": np.ascontiguousarray(model.weight / temperature, np.float32),
        "bias": np.ascontiguousarray(model.bias / temperature, np.float32),
        "rarity": np.ascontiguousarray(model.rarity, np.float32),
    }
    save_file(numbers, str(folder / WEIGHTS))
    masks = TfidfTokenizer.from_pretrained(tokenizer_folder).mask
    config = {
        "model_type": MODEL_TYPE,
        "architectures": ["TfidfLinear"],
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
        "replaced": [[mask.pattern, mask.mark] for mask in masking.MASKS] if masks else [],
        "invisible": cleaning.INVISIBLE.pattern,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    shutil.copyfile(tokenizer_folder / FILE, folder / FILE)
    shutil.copyfile(SCRIPT, folder / LOAD_SCRIPT)


def read(folder: Path, labels: Sequence[str]) -> TfidfModel:
    """Return the model of a bundle, without importing torch.

    Raises:
        NotFound: if there are no weights.
        Unreadable: if they are damaged, or do not fit the vocabulary and the labels.
    """
    from safetensors.numpy import load_file

    from mhc.model.tfidf.model import TfidfModel

    path = folder / WEIGHTS
    vocabulary = TfidfTokenizer.from_pretrained(folder)
    try:
        with files.reading(f"The file of weights {path}"):
            files.require_regular(path)
            numbers = load_file(path)
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}. The weights of a bundle are always in {WEIGHTS}") from None
    size, classes = len(vocabulary), len(labels)
    shapes = {"weight": (size, classes), "bias": (classes,), "rarity": (size,)}
    if {name: (value.shape, value.dtype.name) for name, value in numbers.items()} != {
        name: (shape, "float32") for name, shape in shapes.items()
    }:
        raise Unreadable(f"The weights in {path} do not fit the vocabulary of {size - 1:,} n-grams and the labels")
    return TfidfModel(**numbers, first_piece=vocabulary.first_piece)
