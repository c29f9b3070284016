"""What a run's checkpoints cannot be loaded without: its tokenizer, and the config of its network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mhc.runs import own_folder

if TYPE_CHECKING:
    from mhc.data.datamodule import TextDataModule
    from mhc.model.classifier import TextClassifier


def save(folder: Path, datamodule: TextDataModule, model: TextClassifier) -> None:
    """Save the tokenizer and the network's config with the checkpoints, which cannot be loaded without them.

    A run can then be loaded after the source of its pretrained encoder is gone.
    """
    from transformers import PreTrainedModel

    from mhc.model.adaptation.pooled import PooledEncoder, save_config
    from mhc.model.fitted_network import FittedNetwork

    own_folder.make(folder, folder / "tokenizer")
    datamodule.tokenizer.save_pretrained(folder / "tokenizer")
    network = model.network
    if isinstance(network, PooledEncoder):
        save_config(network, folder / "network")
    elif isinstance(network, PreTrainedModel) and type(network).__module__.startswith("transformers."):
        network.config.save_pretrained(folder / "network")
    elif isinstance(network, FittedNetwork):
        network.save_config(folder / "network")
