"""Encoders in a bundle: those that transformers loads, and those with a head of ours, with a script that loads them.

torch and transformers are imported inside the functions, because most of `mhc.production` does not need them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mhc import files
from mhc.data import cleaning
from mhc.data.options import LongTexts
from mhc.model.weights import fill, json_object, safe_weights
from mhc.production.bundle import LOAD_SCRIPT, WEIGHTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from mhc.model.adaptation.pooled import PooledEncoder
    from mhc.model.weights import Loaded

SETTINGS = "load.json"
SCRIPT = Path(__file__).parents[2] / "model" / "adaptation" / "load_encoder.py"


def empty_network(folder: Path) -> nn.Module:
    """Build an encoder without its weights from the config in a folder; torch's random state is unchanged.

    The source of a pretrained encoder is not needed.

    Raises:
        Unreadable: if the config is damaged.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    from mhc.model.adaptation import pooled

    with files.reading(f"The network in {folder}", "Choose another run"), torch.random.fork_rng(devices=[]):
        files.require_regular_files(folder)
        values = json_object(folder / "config.json")
        if values.get("model_type") == pooled.MODEL_TYPE:
            return pooled.from_values(values)
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        network: nn.Module = AutoModelForSequenceClassification.from_config(config)
    return network


def read(folder: Path) -> nn.Module:
    """Return the encoder of a bundle.

    It is built from its config; the loader of transformers is 30 times slower, and used only if names differ.

    Raises:
        NotFound: if there are no weights.
        Unreadable: if config or weights are damaged, or transformers cannot build the network.
    """
    path = folder / WEIGHTS
    network = empty_network(folder)
    weights = safe_weights(path)
    if set(weights) == set(network.state_dict()):
        return fill(network.float(), weights, path)
    return _by_transformers(folder)


def _by_transformers(folder: Path) -> nn.Module:
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    from mhc.model.log_filters import quieten

    quieten()
    logging.disable_progress_bar()
    with files.reading(f"The network of the bundle {folder}"):
        network: nn.Module = AutoModelForSequenceClassification.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype="float32",
        )
    return network.eval()


def write(network: PooledEncoder, trained: Loaded, folder: Path) -> None:
    """Write the network and its tokenizer into the folder, with the script that loads them."""
    from safetensors.torch import save_file

    from mhc.model.adaptation import pooled

    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, str(folder / WEIGHTS), metadata={"format": "pt"})
    pooled.save_config(network, folder)
    write_script(trained, folder)


def write_script(trained: Loaded, folder: Path) -> None:
    """Write the script that loads the network, and its settings."""
    reading = msgspec.to_builtins(trained.reading)
    settings = {"max_tokens": trained.max_tokens, **reading, "invisible": cleaning.INVISIBLE.pattern}
    (folder / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(SCRIPT, folder / LOAD_SCRIPT)


def reading_of(folder: Path) -> LongTexts:
    """Return how the model of a bundle reads long texts.

    Raises:
        Unreadable: if its settings are damaged.
    """
    path = folder / SETTINGS
    if not path.is_file():
        return LongTexts()
    with files.reading(path):
        values = json_object(path)
        return msgspec.convert(
            {name: values[name] for name in LongTexts.__struct_fields__ if name in values}, LongTexts
        )


def score_network(trained: Loaded, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return probabilities [n, k] of normalised texts by the network of a run, in float32, without a temperature."""
    encoded = trained.encoder()(texts)
    return trained.scorer(precision="fp32", device="cpu").probabilities(encoded, len(trained.labels))
