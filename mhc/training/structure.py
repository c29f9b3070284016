"""Nodes of the configuration that build an object: they must stay mappings, whatever is typed in their place."""

from __future__ import annotations

from collections.abc import Iterator

from omegaconf import DictConfig, OmegaConf

from mhc.errors import BadConfig
from mhc.terminal import clean

COLLABORATORS = ("run", "policy")
"""Arguments of callbacks that are objects of mhc."""

KINDS: dict[str, tuple[type, str]] = {
    "_target_": (str, "the name of a class or function"),
    "_partial_": (bool, "true or false"),
    "_recursive_": (bool, "true or false"),
    "_args_": (list, "a list"),
}
"""Hydra's keys: the type of the value, and what the type is called."""

SHOW_ALL = "Print the whole config with: python -m mhc.train --cfg job"
LONGEST = 60
"""Characters of a value in a message."""


def check(cfg: DictConfig) -> None:
    """Check what Hydra builds: the parts of the model, the callbacks, and Hydra's own keys.

    Raises:
        BadConfig: if another value has taken the place of a node; the message has key and value.
    """
    for key, node in objects(cfg):
        if not isinstance(node, DictConfig) or "_target_" not in node:
            raise BadConfig(f"{key} is {shown(node)}; it must be a mapping with _target_. {SHOW_ALL}")
    check_keys(cfg, "")


def objects(cfg: DictConfig) -> Iterator[tuple[str, object]]:
    """Yield the dotted keys of the nodes that must build an object, with their values."""
    fitted = cfg.model.get("solver") is not None
    for part in ("network", "loss", *(("solver",) if fitted else ("optimizer", "schedule"))):
        yield f"model.{part}", cfg.model.get(part)
    for name, callback in cfg.callbacks.items():
        if callback is None:
            continue
        yield f"callbacks.{name}", callback
        if OmegaConf.is_dict(callback):
            yield from ((f"callbacks.{name}.{key}", callback[key]) for key in COLLABORATORS if key in callback)


def check_keys(node: DictConfig, prefix: str) -> None:
    """Check Hydra's keys in a node and below it.

    Raises:
        BadConfig: if one has a value of another type.
    """
    for key in map(str, node):
        value = node[key] if key in KINDS else node._get_node(key)
        if key in KINDS:
            kind, name = KINDS[key]
            plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            if not isinstance(plain, kind):
                raise BadConfig(f"{prefix}{key} is {shown(value)}; it must be {name}. {SHOW_ALL}")
        elif isinstance(value, DictConfig) and not value._is_none() and not value._is_interpolation():
            check_keys(value, f"{prefix}{key}.")


def shown(value: object) -> str:
    """Return a value for a message."""
    text = "null" if value is None else clean(str(value))
    return f"{text[:LONGEST]}..." if len(text) > LONGEST else text or "empty"
