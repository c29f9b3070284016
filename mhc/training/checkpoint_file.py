"""Write the checkpoints of a run: completely or not at all, and only into the run's own folder."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from mhc import files
from mhc.runs import atomic, own_folder


def on_cpu(storage: torch.UntypedStorage, location: str) -> torch.UntypedStorage:
    """Leave the tensors of a checkpoint on the CPU, as Lightning does."""
    return storage


class CheckpointFile(TorchCheckpointIO):
    """Writes a draft beside each checkpoint and renames it; a folder of the user's choice is left to Lightning.

    Lightning would create the run's folder again if it was moved, and its temporary files lie on another disk, so that
    a full one ends with half of a checkpoint in the place of the last whole one.
    """

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.run = run.absolute()

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint.

        Raises:
            FolderMoved: if the folder of the run is not at its path any more.
            BadInput: if the disk is full or read-only; the checkpoint of that name is unchanged.
        """
        file = Path(path)
        if storage_options is not None or self.run not in file.parents:
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        content = io.BytesIO()
        torch.save(checkpoint, content)
        own_folder.make(self.run, file.parent)
        atomic.write(file, content.getbuffer(), synced=False)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = on_cpu,
        weights_only: bool | None = None,  # noqa: FBT001 (Lightning's signature)
    ) -> dict[str, Any]:
        """Return the content of a checkpoint; of one of the run, only tensors and plain values are constructed.

        Raises:
            Unreadable: if the file is damaged, or is not a checkpoint.
        """
        if self.run not in Path(path).parents:
            return super().load_checkpoint(path, map_location, weights_only)
        with files.reading(f"The checkpoint {path}", "Restore it, remove it to use an older one, or start a new run"):
            files.require_regular(Path(path))
            checkpoint = super().load_checkpoint(path, map_location, weights_only=True)
            if "state_dict" not in checkpoint:
                raise KeyError("state_dict")
            return checkpoint


def use_checkpoint_file(trainer: pl.Trainer, run: Path) -> None:
    """Let `trainer` write its checkpoints by `CheckpointFile`, unless the config names a plug-in for them."""
    if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
        trainer.strategy.checkpoint_io = CheckpointFile(run)
