"""The types of the configuration: the type that each value of `conf/train.yaml` and its groups is converted to.

A value that is not listed may have any type; it is checked where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omegaconf import BooleanNode, DictConfig, FloatNode, IntegerNode, OmegaConf, StringNode

NODES: dict[type, Callable[[str], object]] = {bool: BooleanNode, float: FloatNode, int: IntegerNode, str: StringNode}

TYPES: dict[str, type] = {
    "name": str,
    "description": str,
    "note": str,
    "seed": int,
    "category": str,
    "auto_archive": bool,
    "report": bool,
    "summary": bool,
    "check_promotion": bool,
    "resume": str,
    "resume_sweep": str,
    "refit": str,
    "test": bool,
    "reuse_memory": bool,
    "paths.outputs": str,
    "paths.models": str,
    "paths.cache": str,
    "paths.run": str,
    "data.seed": int,
    "data.near_duplicates": float,
    "data.cleaning.min_rows_per_label": int,
    "data.splitting.val": float,
    "data.splitting.test": float,
    "data.splitting.train_fraction": float,
    "data.splitting.max_train_rows": int,
    "data.folds": int,
    "data.fold_repeats": int,
    "data.batching.tokens": int,
    "data.batching.eval_tokens": int,
    "data.batching.max_rows": int,
    "data.batching.bucketing": bool,
    "data.batching.pad_multiple": int,
    "data.batching.prefetch": int,
    "model.name": str,
    "model.epochs": int,
    "model.min_epochs": int,
    "model.min_steps": int,
    "model.fast": str,
    "model.tokenizer.kind": str,
    "model.tokenizer.max_tokens": int,
    "model.optimizer.lr": float,
    "model.optimizer.weight_decay": float,
    "model.schedule.warmup": float,
    "model.schedule.decay": str,
    "model.schedule.floor": float,
    "trainer.accelerator": str,
    "trainer.num_nodes": int,
    "trainer.max_epochs": int,
    "trainer.max_steps": int,
    "trainer.gradient_clip_val": float,
    "trainer.accumulate_grad_batches": int,
    "trainer.log_every_n_steps": int,
    "trainer.check_val_every_n_epoch": int,
    "trainer.num_sanity_val_steps": int,
    "trainer.enable_model_summary": bool,
    "trainer.use_distributed_sampler": bool,
    "trainer.deterministic": bool,
}
"""Dotted key to type; null is allowed if the YAML has null. Keys with two types of different meaning are not listed,
such as `limit_train_batches`: a whole number is a number of batches, a fraction is a share of them."""

GROUPS = ("paths", "data", "model", "trainer", "callbacks", "logger", "policy")


def schema() -> DictConfig:
    """Return a config of typed, missing values; Hydra merges the YAMLs into it."""
    values: dict[str, Any] = {group: {} for group in GROUPS}
    for key, kind in TYPES.items():
        *parents, last = key.split(".")
        node = values
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = NODES[kind]("???")
    return OmegaConf.create(values)
