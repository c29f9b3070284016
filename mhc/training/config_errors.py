"""One sentence for an invalid override: the value, the existing options or keys, and the closest one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from mhc.policy import CONF
from mhc.training.override_errors import explain_word, unparsable_word

SHOW_ALL = "Print all keys with: python -m mhc.train --cfg job"


def explain(error: HydraException | OmegaConfBaseException, overrides: Sequence[str]) -> str:
    """Return the sentence for an error of Hydra or OmegaConf about the `overrides` of the command line."""
    if isinstance(error, MissingConfigException):
        return missing_option(str(error))
    if isinstance(error, OverrideParseException):
        word = unparsable_word(overrides)
        if word is not None:
            return explain_word(word)
    ambiguous = re.match(r"Ambiguous value for argument '(.*)'$", str(error), flags=re.MULTILINE)
    if ambiguous:
        return f"{explain_word(ambiguous[1])}. To run one job for each value, add --multirun"
    key = unknown_key(error)
    if key:
        return misspelt_key(key, overrides)
    missing = re.search(r"Missing mandatory value: ([\w.]*\w)", str(error))
    if missing:
        return f"{missing[1]} has no value, and none can be guessed. Give it one: {missing[1]}=..."
    first_line, *rest = [line.strip(" .") for line in str(error.__cause__ or error).splitlines() if line.strip()]
    full_key = next((line.split(":", 1)[1].strip() for line in rest if line.startswith("full_key:")), "")
    prefix = f"{full_key}: " if full_key else ""
    return f"{prefix}{first_line}. {SHOW_ALL}"


def missing_option(message: str) -> str:
    """Return the options of a group, for `model=mdium`; files whose names begin with `_` are parts of options."""
    match = re.search(r"Could not find '([^']+)/([^'/]+)'", message)
    options = re.findall(r"^\t([^\s_]\S*)$", message, flags=re.MULTILINE)
    if not match or not options:
        return message.splitlines()[0]
    group, option = match.groups()
    return f"{group} has no option {option!r}{nearest(option, options)}. It has: {', '.join(sorted(options))}"


def unknown_key(error: Exception) -> str | None:
    """Return the key that the config does not have, or None if the error is another one."""
    message = f"{error} {error.__cause__}"
    if "not in struct" not in message and "No match in the defaults list" not in message:
        return None
    full_key = re.search(r"full_key: (\S+)", str(error.__cause__ or error))
    key = re.search(r"(?:Key|Could not override) '([^']+)'", str(error))
    match = full_key or key
    return match[1] if match else None


def misspelt_key(key: str, overrides: Sequence[str]) -> str:
    """Return the sentence for a key that does not exist, with the closest key and its siblings."""
    others = [word for word in overrides if "=" in word and not word.startswith(("+", "~", "-", key + "="))]
    keys = keys_of(composed(others))
    parent, dot, _ = key.rpartition(".")
    prefix = parent + dot
    siblings = sorted({name[len(prefix) :].partition(".")[0] for name in keys if name.startswith(prefix)})
    listing = f" {parent or 'The config'} has: {', '.join(siblings)}." if len(siblings) <= 40 else ""
    return f"There is no key {key!r}{nearest(key, keys)}.{listing} {SHOW_ALL}"


def nearest(word: str, names: Sequence[str]) -> str:
    """Return `; did you mean 'x'` for the closest name, or an empty string."""
    matches = get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}" if matches else ""


def composed(overrides: list[str]) -> DictConfig:
    """Return the config with these overrides, or the default config if they are invalid too."""
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
