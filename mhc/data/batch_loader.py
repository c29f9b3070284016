"""Padded batches from tokens on disk, built with array operations: no Python work per row."""

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
"""input_ids [B, T], attention_mask [B, T] (not for n-grams), labels [B], rows [B] (position within the split).

If texts are read in windows, input_ids and attention_mask are [W, T], and texts [W] are positions within the batch.
"""


@dataclass(frozen=True)
class RankInfo:
    """Position of this process among the processes of a distributed training."""

    rank: int = 0
    ranks: int = 1


class Epochs:
    """The current epoch; Lightning sets it through `loader.batch_sampler.sampler`."""

    def __init__(self) -> None:
        self.epoch = 0
        self.sampler = self

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that comes next."""
        self.epoch = epoch


class BatchLoader:
    """Iterable over the padded batches of one split; Lightning accepts it as a data loader.

    It is not a `torch.utils.data.DataLoader`: building a batch takes less time than sending it between processes.
    """

    def __init__(
        self,
        split: TokenSplit,
        options: Batching,
        *,
        seed: int,
        train: bool,
        masked: bool,
        rank_info: RankInfo,
        pin: bool,
    ) -> None:
        self.split = split
        self.options = options
        self.seed = seed
        self.train = train
        self.masked = masked
        self.rank_info = rank_info
        self.pin = pin
        self.shuffle = train
        self.batch_sampler = Epochs()
        self.lengths = batching.padded(split.lengths, options.pad_multiple)
        self.first = first_windows(split)

    def __len__(self) -> int:
        """Return the number of batches of this process; the same in every epoch."""
        return len(self.plan(0))

    def plan(self, epoch: int) -> list[Rows]:
        """Return the rows of each batch of this process."""
        shuffle = batching.generator(self.seed, epoch) if self.shuffle else None
        make_batches = batching.by_length if self.options.bucketing or not self.train else batching.mixed
        tokens = self.options.tokens if self.train else self.options.eval_tokens
        max_rows = (
            self.options.max_rows if self.train else max(1, self.options.eval_tokens // self.options.pad_multiple)
        )
        batches = make_batches(self.lengths[self.first], tokens, max_rows, shuffle, self.split.windows)
        return batching.share_of(batches, self.rank_info.rank, self.rank_info.ranks)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of an epoch: the one that `set_epoch` last set before the first batch is requested.

        A resumed Lightning creates the iterator before it sets the epoch.
        """
        plan = self.plan(self.batch_sampler.epoch)
        depth = self.options.prefetch
        yield from prefetch(plan, self.build, depth) if depth else map(self.build, plan)

    def build(self, rows: Rows) -> Batch:
        """Return one padded batch."""
        parts, texts = windows_of(rows, self.first, self.split.windows)
        lengths = self.split.lengths[parts]
        width = int(self.lengths[parts].max())
        columns = np.arange(width)
        mask = columns < lengths[:, None]
        positions = np.where(mask, self.split.starts[parts][:, None] + columns, 0)
        ids = np.where(mask, self.split.ids[positions] if len(self.split.ids) else 0, self.split.pad_id)
        batch = {
            "input_ids": torch.from_numpy(ids.astype(np.int64, copy=False)),
            "labels": torch.from_numpy(self.split.labels[rows].astype(np.int64)),
            "rows": torch.from_numpy(rows),
        }
        if texts is not None:
            batch["texts"] = torch.from_numpy(texts)
        if self.masked:
            batch["attention_mask"] = torch.from_numpy(mask.astype(np.int64))
        return {name: tensor.pin_memory() for name, tensor in batch.items()} if self.pin else batch


def first_windows(split: TokenSplit) -> Rows:
    """Return [rows]: the position of the first window of each text, which is its longest."""
    if split.windows is None:
        return np.arange(len(split.lengths))
    return np.cumsum(split.windows) - split.windows


def windows_of(rows: Rows, first: Rows, windows: Rows | None) -> tuple[Rows, Rows | None]:
    """Return the positions of all windows of some texts, and the position in `rows` of the text of each window."""
    if windows is None:
        return rows, None
    counts = windows[rows]
    texts = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(len(texts)) - np.repeat(np.cumsum(counts) - counts, counts)
    return first[rows][texts] + within, texts


def prefetch(plan: list[Rows], build: Callable[[Rows], Batch], depth: int) -> Iterator[Batch]:
    """Yield the batches of a plan in order, built by a thread that is `depth` batches ahead."""
    pending: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        for rows in plan:
            pending.append(thread.submit(build, rows))
            if len(pending) > depth:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
