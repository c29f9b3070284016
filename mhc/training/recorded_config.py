"""The config of a run as it is recorded: masked credentials are never written, and are asked for again at a resume.

Hydra itself writes nothing (`hydra.output_subdir` is null), except the plan of a sweep, which is masked at once. A
reference such as `${oc.env:WANDB_API_KEY}` is no credential: it is recorded as it is, and a resume needs nothing more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.conf import HydraConf
from omegaconf import DictConfig, OmegaConf

from mhc import config_file, files, redaction
from mhc.distributed import MASKED
from mhc.errors import BadConfig
from mhc.runs import atomic

FOLDER = ".hydra"
CONFIG = "config.yaml"
PLAN = "multirun.yaml"
"""The overrides of a sweep's jobs, in the folder of the sweep."""
RECORDED_ONLY = ("name", "description", "note", "tags")
"""Keys that have no effect on a resumed run."""


def write_config(folder: Path, cfg: DictConfig, hydra: HydraConf | None = None) -> None:
    """Write the config of the run in `folder`, and Hydra's own with the overrides, with credentials masked.

    Raises:
        BadInput: if the files cannot be written.
    """
    (folder / FOLDER).mkdir(exist_ok=True)
    contents: dict[str, object] = {CONFIG: cfg}
    if hydra is not None:
        contents |= {"hydra.yaml": {"hydra": hydra}, "overrides.yaml": hydra.overrides.task}
    for name, content in contents.items():
        text = config_file.masked(OmegaConf.to_yaml(content))
        atomic.write(folder / FOLDER / name, text.encode("utf-8", "replace"))


def mask_plan(sweep: Path) -> None:
    """Mask credentials in the plan of a sweep, which Hydra writes before the first job.

    Raises:
        Unreadable: if it is not YAML.
        BadInput: if it cannot be written.
    """
    path = sweep / PLAN
    try:
        with files.reading(path):
            text = files.yaml_text(path)
            masked = config_file.masked(text)
    except FileNotFoundError:
        return
    if masked != text:
        atomic.write(path, masked.encode())


def credentials(cfg: DictConfig) -> dict[str, object]:
    """Return the values of `cfg` that are masked in its record, by dotted key."""
    masked = redaction.values(OmegaConf.to_container(cfg, resolve=False))
    return {key: plain(OmegaConf.select(cfg, key)) for key in redaction.masked_keys(masked) if is_needed(key)}


def plain(value: object) -> object:
    """Return a value of a config as plain Python value."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def is_needed(key: str) -> bool:
    """Return whether a resumed run uses the value of this key."""
    return key.partition(".")[0] not in RECORDED_ONLY


def restore_masked(cfg: DictConfig, given: Mapping[str, str], run: str) -> None:
    """Put the masked values back into a recorded config: from the command line, else from the process of rank 0.

    Raises:
        BadConfig: if one is missing, or a value is given for a key that was not masked.
    """
    keys = [key for key in redaction.masked_keys(OmegaConf.to_container(cfg, resolve=False)) if is_needed(key)]
    inherited = json.loads(os.environ.get(MASKED, "{}"))
    for key in keys:
        if key not in given and key not in inherited:
            raise BadConfig(
                f"{key} of {run} is masked in its record. Give it again: resume={run} {key}=<value>. "
                f"A reference such as {key}=${{oc.env:NAME}} in the first command is recorded as it is"
            )
        OmegaConf.update(cfg, key, given.get(key, inherited.get(key)))
    for key, value in given.items():
        if key not in keys and may_be_masked(f"{key}={value}"):
            raise BadConfig(f"{key} of {run} is not masked in its record, and cannot be changed. Leave it out")


def restore_overrides(overrides: Sequence[str], given: Mapping[str, str], sweep: str) -> list[str]:
    """Return the overrides of a job of a sweep with the masked values put back.

    Raises:
        BadConfig: if one is missing.
    """
    words = []
    for word in overrides:
        sign_and_key, _, _ = word.partition("=")
        key = sign_and_key.lstrip("+~")
        if redaction.is_masked(word) and key not in given:
            raise BadConfig(
                f"{key} is masked in {PLAN} of {sweep}. Give it again with resume_sweep={sweep} {key}=<value>"
            )
        words.append(f"{sign_and_key}={given[key]}" if redaction.is_masked(word) else word)
    return words


def may_be_masked(word: str) -> bool:
    """Return whether a word `key=value` may give back a masked value."""
    return redaction.override(word) != word
