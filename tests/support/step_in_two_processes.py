"""A program for a test: take steps with ddp on two CPU processes, and write the weights after each to argv[1].

Each further argument is one step: the batches of it, the weights of the loss, and the numbers of rows of the batches,
which both processes share: `3,none,13,27,4`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from tests.support.learning import a_step

if __name__ == "__main__":
    for number, step in enumerate(sys.argv[2:]):
        accumulate, loss, *sizes = step.split(",")
        folder = Path(sys.argv[1])
        weights, rank = a_step(folder, [int(size) for size in sizes], int(accumulate), loss, devices=2)
        torch.save(weights, folder / f"step{number}_rank{rank}.pt")
    torch.distributed.barrier()  # the test reads the files of both when rank 0 ends
