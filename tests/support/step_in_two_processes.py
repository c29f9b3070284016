"""A program for a test: take one step with ddp on two CPU processes, and write the weights to argv[1].

The further arguments are the batches of a step, and the numbers of rows of the batches, which both processes share.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.support.learning import a_step

if __name__ == "__main__":
    path, accumulate, loss = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    weights, rank = a_step(path.parent, [int(size) for size in sys.argv[4:]], accumulate, loss, devices=2)
    torch.save(weights, path.with_name(f"{path.stem}{rank}.pt"))
