"""A program for a test: fit with ddp on two CPU processes, and write the results of each to argv[1]."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from tests.support.learning import Data, a_classifier, a_trainer


def main(folder: Path) -> None:
    model = a_classifier()
    trainer = a_trainer(folder, devices=2, strategy="ddp", max_epochs=2)
    trainer.fit(model, datamodule=Data())
    logged = {"val": float(trainer.callback_metrics["val/f1_macro"])}
    trainer.test(model, datamodule=Data(), verbose=False)
    logged["test"] = float(trainer.callback_metrics["test/f1_macro"])
    arrays = {}
    for split, result in model.results.items():
        arrays |= {
            f"{split}_rows": result.rows,
            f"{split}_labels": result.labels,
            f"{split}_probabilities": result.probabilities,
            f"{split}_f1_macro": np.array(result.metrics.f1_macro),
            f"{split}_logged": np.array(logged[split]),
        }
    np.savez(folder / f"rank{trainer.global_rank}.npz", **arrays)
    torch.distributed.barrier()  # the test reads the files of both when rank 0 ends


if __name__ == "__main__":
    main(Path(sys.argv[1]))
