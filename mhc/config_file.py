"""The text of a recorded config, `.hydra/*.yaml` or `multirun.yaml`, with credentials masked and references kept."""

from __future__ import annotations

from functools import lru_cache

from mhc import redaction


def masked(text: str) -> str:
    """Return the YAML of a config with credentials masked; the same text if it has none.

    Raises:
        Exception: of any kind, if it is not YAML; see `mhc.files.reading`.
    """
    values = plain_values(text)
    clean = redaction.values(values)
    return text if clean == values else yaml_of(clean)


@lru_cache(maxsize=32)  # `mhc doctor` asks for the values of one config several times
def plain_values(text: str) -> object:
    """Return the plain values of a config, with its references as texts; they are shared, so do not change them.

    Raises:
        Exception: of any kind, if it is not YAML.
    """
    from omegaconf import OmegaConf  # here: it takes longer to import than a command takes

    return OmegaConf.to_container(OmegaConf.create(text), resolve=False)


def yaml_of(values: object) -> str:
    """Return plain values as the YAML of a config."""
    from omegaconf import OmegaConf

    config: object = OmegaConf.create(values)  # type: ignore[call-overload]
    return OmegaConf.to_yaml(config)
