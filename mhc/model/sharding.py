"""Sharding of a model that does not fit on one GPU."""

from __future__ import annotations

from functools import partial

from pytorch_lightning.strategies import FSDPStrategy
from torch.distributed.fsdp.wrap import size_based_auto_wrap_policy


def fsdp(min_parameters: int = 1_000_000) -> FSDPStrategy:
    """Return FSDP that shards each module of at least `min_parameters` parameters.

    A checkpoint is one file with the complete state.
    """
    policy = partial(size_based_auto_wrap_policy, min_num_params=min_parameters)
    return FSDPStrategy(auto_wrap_policy=policy, state_dict_type="full")
