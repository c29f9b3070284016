"""Reduce what a bundle says about its run: the record, the config and the decision, without anything private.

A bundle is made to leave this machine. It has no uncommitted changes, no credentials, no absolute paths, and not the
process of the training. The names of classes stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from mhc import config_file, redaction
from mhc.record import Content, RunRecord

T = TypeVar("T", bound=msgspec.Struct)

CLASSES = ("labels", "high_risk", "label_map", "f1", "precision", "recall")
"""Keys whose values are about classes, by name."""


def reduced(record: RunRecord) -> RunRecord:
    """Return the record of a run as its bundle has it."""
    lineage = record.lineage
    code = [change for change in lineage.git_changes if change.content == Content.KEPT]
    lineage = replace(lineage, git_diff=None, git_changes=code)
    failure = record.failure and replace(record.failure, traceback=None)
    return cleaned(replace(record, lineage=lineage, failure=failure, process=None))


def cleaned(struct: T) -> T:
    """Return a record or a decision without credentials and absolute paths in its texts."""
    values = msgspec.to_builtins(struct)
    if "imported" in values:
        values |= {"imported": redaction.values(values["imported"])}
    return msgspec.convert(_cleaned(values), type(struct))


def _cleaned(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: item if key in CLASSES else _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return redaction.without_local_paths(redaction.texts(value))


def reduced_config(text: str) -> str:
    """Return the recorded config of a run, `.hydra/config.yaml`, as its bundle has it: `training.yaml`."""
    return config_file.yaml_of(redaction.without_local_paths(redaction.values(config_file.plain_values(text))))
