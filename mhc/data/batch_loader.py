"""From tokens on the disk to padded batches, on whole arrays: no work per row."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from mhc.data import batching
from mhc.data.options import Batching
from mhc.data.token_cache import TokenSplit

Rows = npt.NDArray[np.int64]
"""[B]: positions within the split."""

Batch = dict[str, torch.Tensor]
"""input_ids [B, T], attention_mask [B, T] (not for n-grams), labels [B], rows [B] (position within the split)."""


@dataclass(frozen=True)
class Place:
    """Which of the processes of a distributed training this is."""

    rank: int = 0
    ranks: int = 1


class Epochs:
    """Knows the epoch; Lightning tells it through `loader.batch_sampler.sampler`."""

    def __init__(self) -> None:
        self.epoch = 0
        self.sampler = self

    def set_epoch(self, epoch: int) -> None:
        """Take note of the epoch that comes next."""
        self.epoch = epoch


class BatchLoader:
    """Iterates over the padded batches of one split; what Lightning takes for a data loader.

    It is no `torch.utils.data.DataLoader`: cutting out a batch takes less time than sending it between processes.
    """

    def __init__(
        self, split: TokenSplit, options: Batching, *, seed: int, train: bool, masked: bool, place: Place, pin: bool
    ) -> None:
        self.split = split
        self.options = options
        self.seed = seed
        self.train = train
        self.masked = masked
        self.place = place
        self.pin = pin
        self.shuffle = train
        self.batch_sampler = Epochs()
        self.lengths = batching.padded(split.lengths, options.pad_multiple)

    def __len__(self) -> int:
        """Return the number of batches of this process; the same in every epoch."""
        return len(self.plan(0))

    def plan(self, epoch: int) -> list[Rows]:
        """Return the rows of each batch of this process."""
        shuffle = batching.generator(self.seed, epoch) if self.shuffle else None
        cut = batching.by_length if self.options.bucketing or not self.train else batching.mixed
        tokens = self.options.tokens if self.train else self.options.eval_tokens
        max_rows = (
            self.options.max_rows if self.train else max(1, self.options.eval_tokens // self.options.pad_multiple)
        )
        return batching.share_of(cut(self.lengths, tokens, max_rows, shuffle), self.place.rank, self.place.ranks)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the epoch that `set_epoch` named last before the first of them is asked for.

        A resumed Lightning makes the iterator before it names the epoch.
        """
        plan = self.plan(self.batch_sampler.epoch)
        yield from ahead(plan, self.build, self.options.prefetch) if self.options.prefetch else map(self.build, plan)

    def build(self, rows: Rows) -> Batch:
        """Return one padded batch."""
        lengths = self.split.lengths[rows]
        width = int(self.lengths[rows].max())
        columns = np.arange(width)
        inside = columns < lengths[:, None]
        at = np.where(inside, self.split.starts[rows][:, None] + columns, 0)
        ids = np.where(inside, self.split.ids[at] if len(self.split.ids) else 0, self.split.pad_id)
        batch = {
            "input_ids": torch.from_numpy(ids.astype(np.int64, copy=False)),
            "labels": torch.from_numpy(self.split.labels[rows].astype(np.int64)),
            "rows": torch.from_numpy(rows),
        }
        if self.masked:
            batch["attention_mask"] = torch.from_numpy(inside.astype(np.int64))
        return {name: tensor.pin_memory() for name, tensor in batch.items()} if self.pin else batch


def ahead(plan: list[Rows], build: Callable[[Rows], Batch], depth: int) -> Iterator[Batch]:
    """Yield the batches of a plan, built in their order by a thread that is `depth` batches ahead."""
    waiting: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        for rows in plan:
            waiting.append(thread.submit(build, rows))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
