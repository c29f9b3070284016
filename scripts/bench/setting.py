"""The inputs that all contenders share: data as tokenised by mhc, initial weights, hyper-parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, open_dict
from torch import Tensor
from transformers import PretrainedConfig

from mhc.data.datamodule import TextDataModule
from mhc.model.classifier import TextClassifier
from mhc.policy import CONF
from mhc.training import job
from mhc.training.config import register_config

GRADIENT_NORM = 1.0


@dataclass
class Setting:
    """One model on one data set."""

    name: str
    """Name of the result."""
    model: str
    train: Path | None
    """A CSV with the columns text and label; None: the embedded data."""
    work: Path
    """A folder for runs and caches."""
    precision: str
    """Precision of the contenders that use the best one of the hardware: bf16-mixed or 32-true."""
    extra: list[str] = field(default_factory=list)
    """Further overrides of mhc, such as data.batching.tokens=8192."""

    def overrides(self, seed: int) -> list[str]:
        """Return the command-line overrides of `python -m mhc.train`."""
        return [
            f"model={self.model}",
            *(["data=files", f"data.train={self.train}"] if self.train else ["data=synthetic"]),
            f"paths.outputs={self.work / 'outputs'}",
            f"paths.models={self.work / 'models'}",
            f"paths.cache={self.work / 'cache'}",
            f"seed={seed}",
            "test=false",
            "data.near_duplicates=null",
            *self.extra,
        ]

    def config(self, seed: int, further: list[str] | None = None) -> DictConfig:
        """Return the config including its `hydra` node, composed as Hydra does."""
        register_config()
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            return compose("train", [*self.overrides(seed), *(further or [])], return_hydra_config=True)

    @cached_property
    def plain(self) -> DictConfig:
        """The config without its `hydra` node."""
        cfg = self.config(0)
        with open_dict(cfg):
            del cfg["hydra"]
        cfg.paths.run = str(self.work)
        return cfg

    @cached_property
    def data(self) -> TextDataModule:
        """The tokenised data."""
        module: TextDataModule = job.build(self.plain.data)
        module.prepare()
        return module

    def classifier(self) -> TextClassifier:
        """Return a classifier with the initial weights that all contenders share."""
        return job.build_model(self.plain, self.data)

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The initial weights."""
        return {name: value.clone() for name, value in self.classifier().network.state_dict().items()}

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Layers, size of a token's vector, and heads of the encoder."""
        config = cast(PretrainedConfig, self.classifier().network.config)
        return config.num_hidden_layers, config.hidden_size, config.num_attention_heads

    @property
    def lengths(self) -> list[int]:
        """Number of tokens of each text of the training split."""
        return [int(length) for length in self.data.tokens["train"].lengths]

    @property
    def rows_per_step(self) -> int:
        """Average number of texts per step of mhc; the batch size of the other contenders."""
        batches = len(self.data.loader("train", train=True))
        return max(1, round(len(self.lengths) / batches))

    def rows(self) -> list[dict[str, object]]:
        """Return the training split as a dict of lists per text, the input of the other contenders."""
        split = self.data.tokens["train"]
        ids = np.asarray(split.ids)
        return [
            {"input_ids": ids[start : start + length].tolist(), "labels": int(label), "length": int(length)}
            for start, length, label in zip(split.starts, split.lengths, split.labels, strict=True)
        ]
