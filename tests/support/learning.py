"""A task that a tiny network learns in seconds, with its data in memory and a real Trainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from mhc.model import build
from mhc.model.classifier import Batch, TextClassifier
from mhc.model.encoder import from_config
from mhc.model.losses import CrossEntropy
from mhc.model.optimizers import adamw, warmup_then

LABELS = ["anxiety", "depression", "normal"]
VOCABULARY = 60
NETWORK = partial(from_config, layers=1, width=32, heads=2, max_tokens=16, dropout=0.1)


class Rows:
    """Batches of ids; the class determines the id that is repeated. Served from the last row to the first."""

    def __init__(self, rows: int, seed: int, size: int = 8, rank: int = 0, ranks: int = 1) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.labels = torch.randint(0, len(LABELS), (rows,), generator=draw)
        self.ids = torch.randint(10, VOCABULARY, (rows, 12), generator=draw)
        self.ids[:, 2:7] = 2 + self.labels[:, None]
        self.lengths = torch.randint(7, 13, (rows,), generator=draw)
        batches = list(torch.arange(rows).flip(0).split(size))
        each = -(-len(batches) // ranks)  # the last ranks serve some rows a second time
        self.batches = [batches[(rank + ranks * number) % len(batches)] for number in range(each)]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for rows in self.batches:
            mask = (torch.arange(12) < self.lengths[rows, None]).long()
            yield {
                "input_ids": self.ids[rows] * mask,
                "attention_mask": mask,
                "labels": self.labels[rows],
                "rows": rows,
            }


class Data(pl.LightningDataModule):
    """68 rows of train, 37 of val, 29 of test: neither fills its batches."""

    def part(self, rows: int, seed: int) -> Rows:
        rank, ranks = (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
        return Rows(rows, seed, rank=rank, ranks=ranks)

    def train_dataloader(self) -> Rows:
        return self.part(68, 1)

    def val_dataloader(self) -> Rows:
        return self.part(37, 2)

    def test_dataloader(self) -> Rows:
        return self.part(29, 3)


def a_classifier(seed: int = 1, network: Any = NETWORK, **changes: Any) -> TextClassifier:
    parts = {
        "name": "tiny",
        "network": network,
        "tokenizer": {"max_tokens": 16},
        "optimizer": partial(adamw, lr=5e-3, weight_decay=0.01),
        "schedule": partial(warmup_then, warmup=0.1, decay="linear"),
        "loss": CrossEntropy,
    }
    return build.classifier(
        parts | changes,  # type: ignore[arg-type]
        labels=LABELS,
        class_counts=[20, 24, 24],
        vocab_size=VOCABULARY,
        pad_id=0,
        seed=seed,
    )


def a_trainer(folder: Path, *callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    values: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 5,
        "gradient_clip_val": 1.0,
        "log_every_n_steps": 3,
        "num_sanity_val_steps": 0,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "enable_progress_bar": any(isinstance(callback, pl.callbacks.ProgressBar) for callback in callbacks),
        "use_distributed_sampler": False,
        "logger": False,
    }
    return pl.Trainer(default_root_dir=folder, callbacks=list(callbacks), **(values | options))


class Uneven(pl.LightningDataModule):
    """Rows of train in batches of given sizes, dealt out to the processes in turn."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = list(sizes)

    def train_dataloader(self) -> Rows:
        rows = Rows(sum(self.sizes), 1)
        batches = torch.arange(sum(self.sizes)).split(self.sizes)
        rank, ranks = (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
        rows.batches = list(batches[rank::ranks])
        return rows

    def val_dataloader(self) -> Rows:
        return Rows(8, 2)


def a_step(
    folder: Path, sizes: Sequence[int], accumulate: int, weights: str = "none", devices: int = 1
) -> tuple[dict[str, torch.Tensor], int]:
    """Return the weights after one step of plain descent over batches of these sizes, and the number of the process."""
    model = a_classifier(
        network=partial(NETWORK, dropout=0.0),
        optimizer=lambda network: torch.optim.SGD(network.parameters(), lr=0.5),
        schedule=lambda optimizer, steps: torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0),
        loss=partial(CrossEntropy, weights=weights),
    )
    options = {"max_epochs": 1, "accumulate_grad_batches": accumulate}
    trainer = a_trainer(folder, devices=devices, **options | ({"strategy": "ddp"} if devices > 1 else {}))
    trainer.fit(model, datamodule=Uneven(sizes))
    assert trainer.global_step == 1
    return {name: value.detach().clone() for name, value in model.network.state_dict().items()}, trainer.global_rank
