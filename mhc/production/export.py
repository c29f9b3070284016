"""Write a trained network as a Hugging Face folder, and score texts by such a folder or by the network itself.

torch and transformers are imported inside the functions, because most of `mhc.production` does not need them.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mhc.data import ngrams
from mhc.data.tokenizer import CUT
from mhc.errors import Refused, Unreadable
from mhc.model.calibration import apply_temperature
from mhc.model.ensemble import Ensemble
from mhc.model.tfidf.model import TfidfModel
from mhc.production import linear_bundle, load_linear
from mhc.production.bundle import CALIBRATION, LOAD_SCRIPT, WEIGHTS
from mhc.production.embedding import embedding_bundle
from mhc.production.encoders import encoder_bundle
from mhc.production.ensemble import folder as members
from mhc.production.ensemble import load_members

if TYPE_CHECKING:
    import torch

    from mhc.model.weights import Loaded

Probabilities = NDArray[np.float32]
BATCH = 16


def _class_of_user(network: object) -> type | None:
    """Return the class of a network, its encoder or its config that is neither of transformers nor of mhc, if any."""
    parts = (network, getattr(network, "base_model", network), getattr(network, "config", network))
    kinds = [type(part) for part in parts]
    return next((kind for kind in kinds if not kind.__module__.startswith(("mhc.", "transformers."))), None)


def standalone(trained: Loaded) -> bool:
    """Return whether transformers alone scores texts by the folder: it has a class for the network, and cuts texts."""
    network = trained.network
    if isinstance(network, TfidfModel | Ensemble) or trained.reading.long_texts != CUT.long_texts:
        return False
    from transformers import PreTrainedModel

    return isinstance(network, PreTrainedModel) and type(network.config).__module__.startswith("transformers.")


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Disable the progress bars of transformers, which would overwrite our output."""
    from transformers.utils import logging

    enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if enabled:
            logging.enable_progress_bar()


def write(trained: Loaded, folder: Path, temperature: float) -> None:
    """Write config.json, model.safetensors, the tokenizer and calibration.json.

    The temperature is folded into the last layer (softmax(z / T) is a layer with its weights divided by T), so that
    the folder gives calibrated probabilities with mhc and without. If there is no such layer, calibration.json has the
    temperature to be applied.

    Raises:
        Refused: if only the user's own code could load the folder.
    """
    own_class = _class_of_user(trained.network)
    if own_class:
        kind = f"{own_class.__module__}.{own_class.__qualname__}"
        raise Refused(
            f"the network {kind} is a class of your own, and a bundle contains no code: only networks of transformers "
            f"and of mhc can be served from one. Use the run itself: python -m mhc.predict run={trained.name}"
        )
    if isinstance(trained.network, Ensemble):
        members.copy(trained.network, folder)
        folded = False
    elif isinstance(trained.network, TfidfModel):
        linear_bundle.write(trained.network, trained.tokenizer_folder, trained.labels, folder, temperature)
        folded = True
    elif embedding_bundle.is_embedding(trained.network):
        embedding_bundle.write(trained, folder, temperature)
        folded = True
    else:
        network = copy.deepcopy(trained.network).cpu().float().eval()
        folded = _divide_last_layer(network, len(trained.labels), temperature)
        (_save_encoder if trained.masked else _save_bag)(network, trained, folder)
    calibration = {
        "temperature": 1.0 if folded else temperature,
        "fitted_temperature": temperature,
        "worked_into_weights": folded,
        "meaning": "divide the logits by `temperature`; 1 where the fitted one is already part of the weights",
    }
    (folder / CALIBRATION).write_text(json.dumps(calibration, indent=1) + "\n")


def _divide_last_layer(network: torch.nn.Module, classes: int, temperature: float) -> bool:
    """Divide the layer that outputs the logits by the temperature; return False if there is no such layer."""
    import torch

    encoder = getattr(network, "base_model", network)  # its layers may come after the head, as in xlm-roberta
    inner = set() if encoder is network else set(encoder.modules())
    layers = [module for module in network.modules() if isinstance(module, torch.nn.Linear) and module not in inner]
    if not layers or layers[-1].out_features != classes:
        return False
    with torch.no_grad():
        layers[-1].weight.div_(temperature)
        if layers[-1].bias is not None:
            layers[-1].bias.div_(temperature)
    return True


def _save_encoder(network: torch.nn.Module, trained: Loaded, folder: Path) -> None:
    """Save an encoder of transformers, with a head of its own or of ours, and its tokenizer."""
    from transformers import AutoTokenizer, PreTrainedModel

    from mhc.model.adaptation.pooled import PooledEncoder

    assert isinstance(network, PreTrainedModel | PooledEncoder)
    network.config.id2label = dict(enumerate(trained.labels))
    network.config.label2id = {label: number for number, label in enumerate(trained.labels)}
    if isinstance(network, PooledEncoder):
        encoder_bundle.write(network, trained, folder)
    else:
        network.save_pretrained(str(folder))
        if trained.reading.long_texts != CUT.long_texts:
            encoder_bundle.write_script(trained, folder)
    tokenizer = AutoTokenizer.from_pretrained(
        str(trained.tokenizer_folder), local_files_only=True, trust_remote_code=False
    )
    tokenizer.model_max_length = trained.max_tokens
    tokenizer.save_pretrained(str(folder))


def _save_bag(network: torch.nn.Module, trained: Loaded, folder: Path) -> None:
    """Save a network of `linear`: weights as safetensors, and a config that describes how the network is built."""
    from safetensors.torch import save_file

    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, str(folder / WEIGHTS), metadata={"format": "pt"})
    config = {
        "model_type": "mhc_bag",
        "architectures": [type(network).__name__],
        "id2label": dict(enumerate(trained.labels)),
        "label2id": {label: number for number, label in enumerate(trained.labels)},
        "max_tokens": trained.max_tokens,
        "shapes": {name: list(tensor.shape) for name, tensor in tensors.items()},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    shutil.copyfile(trained.tokenizer_folder / ngrams.FILE, folder / ngrams.FILE)


def scorer_of(trained: Loaded) -> tuple[Callable[[Path, Sequence[str], int], Probabilities], str]:
    """Return what scores a bundle of the network with as little of mhc as possible, and its name."""
    script = script_of(trained)
    if script is not None:
        return partial(score_by_script, script), "its load.py alone"
    return (score_with_transformers, "transformers alone") if standalone(trained) else (score_with_mhc, "mhc")


def script_of(trained: Loaded) -> ModuleType | None:
    """Return the module that is the `load.py` of a bundle of the network; None if it has none."""
    if isinstance(trained.network, Ensemble):
        return load_members
    if isinstance(trained.network, TfidfModel) or embedding_bundle.is_embedding(trained.network):
        return load_linear
    if trained.masked and not standalone(trained):
        from mhc.model.adaptation import load_encoder

        return load_encoder
    return None


def score_by_script(script: ModuleType, folder: Path, texts: Sequence[str], max_tokens: int) -> Probabilities:
    """Return probabilities [n, k] of texts as the script in the bundle computes them, in the order of its labels.

    Raises:
        Unreadable: if it cannot load the folder.
    """
    try:
        probabilities: Probabilities = script.Model(folder).probabilities(texts)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise Unreadable(f"{folder} cannot be loaded by its own {LOAD_SCRIPT} ({type(error).__name__})") from error
    return probabilities


def score_with_transformers(folder: Path, texts: Sequence[str], max_tokens: int) -> Probabilities:
    """Return probabilities [n, k] of normalised texts by a folder, with transformers alone, in the order of its labels.

    Raises:
        Unreadable: if transformers cannot load it, for example because it needs code of its own.
    """
    from transformers import AutoModelForSequenceClassification

    try:
        network = AutoModelForSequenceClassification.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
        return _by_transformers(network.eval(), folder, texts, max_tokens)
    except (OSError, ValueError, RuntimeError) as error:
        raise Unreadable(f"{folder} cannot be loaded by transformers ({type(error).__name__})") from error


def score_with_mhc(folder: Path, texts: Sequence[str], max_tokens: int) -> Probabilities:
    """Return calibrated probabilities [n, k] of normalised texts by a sealed folder that only mhc can load."""
    from mhc.production.loading import from_bundle

    loaded = from_bundle(folder)
    return apply_temperature(score_network(loaded, texts), loaded.temperature)


def score_network(trained: Loaded, texts: Sequence[str]) -> Probabilities:
    """Return probabilities [n, k] of normalised texts by a loaded network in float32, without a temperature."""
    if isinstance(trained.network, TfidfModel | Ensemble) or embedding_bundle.is_embedding(trained.network):
        return trained.probabilities(texts)
    network = trained.network.float().eval()
    if standalone(trained):
        return _by_transformers(network, trained.tokenizer_folder, texts, trained.max_tokens)
    if trained.masked:
        return encoder_bundle.score_network(trained, texts)
    return _by_ngrams(network, trained.tokenizer_folder, texts)


def _by_transformers(
    network: torch.nn.Module, tokenizer_folder: Path, texts: Sequence[str], max_tokens: int
) -> Probabilities:
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_folder), local_files_only=True, trust_remote_code=False)
    batches = []
    with torch.inference_mode():
        for start in range(0, len(texts), BATCH):
            batch = tokenizer(
                list(texts[start : start + BATCH]),
                truncation=True,
                max_length=max_tokens,
                padding=True,
                return_tensors="pt",
            )
            batches.append(torch.softmax(network(**batch).logits, dim=-1).numpy())
    return np.concatenate(batches).astype(np.float32)


def _by_ngrams(network: torch.nn.Module, tokenizer_folder: Path, texts: Sequence[str]) -> Probabilities:
    import torch

    ids, lengths, _ = ngrams.NgramTokenizer.from_pretrained(tokenizer_folder).encode(list(texts))
    padded = np.zeros((len(texts), max(1, int(lengths.max()))), np.int64)
    padded[np.arange(padded.shape[1])[None, :] < lengths[:, None]] = ids
    with torch.inference_mode():
        output = network(torch.from_numpy(padded))
    logits = output if isinstance(output, torch.Tensor) else output.logits
    return torch.softmax(logits, dim=-1).numpy().astype(np.float32)
