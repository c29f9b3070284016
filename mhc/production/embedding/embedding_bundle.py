"""A frozen encoder with its linear layer in a bundle: a folder of transformers, safetensors, vocabulary and script.

torch and transformers are imported inside the functions, because most of `mhc.production` does not need them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mhc import files
from mhc.data import cleaning, masking
from mhc.data.embedding.tokenizer import ENCODER, FILE, EmbeddingTokenizer
from mhc.errors import Unreadable
from mhc.model.weights import fill, json_object, safe_weights
from mhc.production.bundle import LOAD_SCRIPT, WEIGHTS
from mhc.production.linear_bundle import SCRIPT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from mhc.model.embedding.encoder import FrozenEncoder
    from mhc.model.embedding.network import EmbeddingLinear
    from mhc.model.embedding.pooling import Pooling
    from mhc.model.weights import Loaded

MODEL_TYPE = "mhc_embedding"


def is_embedding(network: object) -> bool:
    """Return whether a network is an `EmbeddingLinear`, without importing torch."""
    return type(network).__module__ == "mhc.model.embedding.network"


def has_config(folder: Path) -> bool:
    """Return whether a run has saved the config of an `EmbeddingLinear` in this folder."""
    return (folder / FILE).is_file()


def empty_network(config: Path, labels: Sequence[str], tokenizer_folder: Path) -> nn.Module:
    """Build the network of a run from the config that its training saved, with random weights.

    Raises:
        Unreadable: if a file is damaged.
    """
    from mhc.model.embedding.network import from_config

    tokenizer = EmbeddingTokenizer(tokenizer_folder)
    return from_config(config, len(labels), len(tokenizer), terms=tokenizer.terms is not None)


def write(trained: Loaded, folder: Path, temperature: float) -> None:
    """Write the model into the folder; the weights of the linear layer are divided by the temperature."""
    from safetensors.torch import save_file

    network: EmbeddingLinear = trained.network  # type: ignore[assignment]
    tokenizer = EmbeddingTokenizer(trained.tokenizer_folder)
    tokenizer.save_pretrained(folder)
    network.encoder.model.save_pretrained(str(folder / ENCODER))
    numbers = {"dense": network.dense / temperature, "bias": network.bias / temperature}
    if tokenizer.terms:
        padding = tokenizer.first_term - 1  # the place of id 0 in the vocabulary of the n-grams
        numbers |= {"weight": network.weight[padding:] / temperature, "rarity": network.rarity[padding:]}
    tensors = {name: value.detach().float().cpu().contiguous() for name, value in numbers.items()}
    save_file(tensors, str(folder / WEIGHTS), metadata={"format": "pt"})
    config = {
        "model_type": MODEL_TYPE,
        "architectures": ["EmbeddingLinear"],
        "id2label": dict(enumerate(trained.labels)),
        "label2id": {label: number for number, label in enumerate(trained.labels)},
        "pooling": network.encoder.pooling.plain(),
        "max_tokens": tokenizer.max_tokens,
        "replaced": [[mask.pattern, mask.mark] for mask in masking.MASKS] if tokenizer.mask else [],
        "invisible": cleaning.INVISIBLE.pattern,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(SCRIPT, folder / LOAD_SCRIPT)


def read(folder: Path, labels: Sequence[str]) -> nn.Module:
    """Return the network of a bundle.

    Raises:
        NotFound: if there are no weights.
        Unreadable: if they are damaged, or do not fit the vocabulary and the labels.
    """
    import torch

    from mhc.model.embedding.network import EmbeddingLinear
    from mhc.model.embedding.pooling import Pooling

    path = folder / "config.json"
    with files.reading(path):
        how = Pooling.of_plain(json_object(path)["pooling"])
    tokenizer = EmbeddingTokenizer(folder)
    encoder = encoder_of(folder / ENCODER, how)
    network = EmbeddingLinear(encoder, len(labels), len(tokenizer) if tokenizer.terms else 0)
    numbers = checked(safe_weights(folder / WEIGHTS), network, tokenizer, folder / WEIGHTS)
    with torch.no_grad():
        network.dense.copy_(numbers["dense"])
        network.bias.copy_(numbers["bias"])
        network.first_term.fill_(tokenizer.first_term)
        network.first_piece.fill_(tokenizer.first_piece)
        if tokenizer.terms:
            network.weight[tokenizer.first_term - 1 :] = numbers["weight"]
            network.rarity[tokenizer.first_term - 1 :] = numbers["rarity"]
    return network.eval()


def checked(
    numbers: dict[str, Tensor], network: EmbeddingLinear, tokenizer: EmbeddingTokenizer, path: Path
) -> dict[str, Tensor]:
    """Return the numbers of a linear layer if they have the right shapes.

    Raises:
        Unreadable: if they have not.
    """
    classes = len(network.bias)
    shapes: dict[str, tuple[int, ...]] = {"dense": (network.encoder.width, classes), "bias": (classes,)}
    if tokenizer.terms:
        shapes |= {"weight": (len(tokenizer.terms), classes), "rarity": (len(tokenizer.terms),)}
    if {name: tuple(value.shape) for name, value in numbers.items()} != shapes:
        raise Unreadable(f"The weights in {path} do not fit the encoder, the vocabulary and the labels")
    return numbers


def encoder_of(folder: Path, how: Pooling) -> FrozenEncoder:
    """Return the encoder of a bundle; the loader of transformers is slower, and used only if names differ.

    Raises:
        NotFound: if there are no weights.
        Unreadable: if they, or the config, are damaged.
    """
    from transformers import AutoModel

    from mhc.model.embedding.encoder import FrozenEncoder, empty

    encoder = empty(folder, how)
    weights = safe_weights(folder / WEIGHTS)
    if set(weights) == set(encoder.model.state_dict()):
        fill(encoder.model, weights, folder / WEIGHTS)
        return encoder
    with files.reading(f"The encoder of the bundle {folder.parent}"):
        model = AutoModel.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype="float32"
        )
    return FrozenEncoder(model, how)
