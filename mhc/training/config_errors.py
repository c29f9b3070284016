"""One sentence for an override that does not fit: what was typed, what exists, the nearest to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from mhc.policy import CONF

SHOW_ALL = "Print all keys with: python -m mhc.train --cfg job"


def explain(error: HydraException | OmegaConfBaseException, typed: Sequence[str]) -> str:
    """Return the sentence for an error of Hydra or OmegaConf about the words `typed` on the command line."""
    if isinstance(error, MissingConfigException):
        return missing_option(str(error))
    key = unknown_key(error)
    if key:
        return misspelt_key(key, typed)
    missing = re.search(r"Missing mandatory value: ([\w.]*\w)", str(error))
    if missing:
        return f"{missing[1]} has no value, and none can be guessed. Give it one: {missing[1]}=..."
    first_line, *rest = [line.strip(" .") for line in str(error.__cause__ or error).splitlines() if line.strip()]
    at = next((line.split(":", 1)[1].strip() for line in rest if line.startswith("full_key:")), "")
    where = f"{at}: " if at else ""
    return f"{where}{first_line}. {SHOW_ALL}"


def missing_option(message: str) -> str:
    """Return which options a group has, for `model=mdium`."""
    found = re.search(r"Could not find '([^']+)/([^'/]+)'", message)
    options = re.findall(r"^\t(\S+)$", message, flags=re.MULTILINE)
    if not found or not options:
        return message.splitlines()[0]
    group, option = found.groups()
    return f"{group} has no option {option!r}{nearest(option, options)}. It has: {', '.join(sorted(options))}"


def unknown_key(error: Exception) -> str | None:
    """Return the key that the config does not have, or None when the error is another one."""
    found = re.search(r"(?:Key|Could not override) '([^']+)'", str(error))
    full = re.search(r"full_key: (\S+)", str(error.__cause__ or error))
    said = f"{error} {error.__cause__}"
    unknown = "not in struct" in said or "No match in the defaults list" in said
    if not unknown:
        return None
    return full.group(1) if full else (found.group(1) if found else None)


def misspelt_key(key: str, typed: Sequence[str]) -> str:
    """Return the nearest keys to one that does not exist."""
    chosen = [word for word in typed if "=" in word and not word.startswith(("+", "~", "-", key + "="))]
    existing = keys_of(composed(chosen))
    parent, dot, _ = key.rpartition(".")
    start = parent + dot
    beside = sorted({name[len(start) :].partition(".")[0] for name in existing if name.startswith(start)})
    listed = f" {parent or 'The config'} has: {', '.join(beside)}." if len(beside) <= 40 else ""
    return f"There is no key {key!r}{nearest(key, existing)}.{listed} {SHOW_ALL}"


def nearest(word: str, names: Sequence[str]) -> str:
    """Return `; did you mean 'x'` for the closest name, or nothing."""
    close = get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}" if close else ""


def composed(overrides: list[str]) -> DictConfig:
    """Return the config with the other words that were typed, or the plain one when they do not fit either."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        try:
            return compose("train", overrides=overrides)
        except (HydraException, OmegaConfBaseException):
            return compose("train")


def keys_of(node: DictConfig, prefix: str = "") -> list[str]:
    """Return all dotted keys of a config, groups included."""
    keys = []
    for key in map(str, node):
        keys.append(f"{prefix}{key}")
        child = node._get_node(key)
        if isinstance(child, DictConfig):
            keys += keys_of(child, f"{prefix}{key}.")
    return keys
