"""The folder of an ensemble, in a run and in a bundle: the members as bundles in `members/`, and their weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from mhc.data import cleaning
from mhc.errors import Unreadable
from mhc.model.ensemble import Ensemble
from mhc.model.weights import Loaded, json_object
from mhc.production.bundle import LOAD_SCRIPT
from mhc.production.ensemble import load_members

MODEL_TYPE = "mhc_ensemble"
MEMBERS = "members"
IN_RUN = "ensemble"
"""The folder of an ensemble in the folder of its run."""
SCRIPT = Path(load_members.__file__)


def is_ensemble(config: dict[str, object]) -> bool:
    """Return whether a `config.json` is that of an ensemble."""
    return config.get("model_type") == MODEL_TYPE


def write_config(folder: Path, labels: Sequence[str], weights: dict[str, float]) -> None:
    """Write the weights of the members, by the names of their folders, and the script that loads them."""
    config = {
        "model_type": MODEL_TYPE,
        "architectures": ["Ensemble"],
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
        "weights": weights,
        "invisible": cleaning.INVISIBLE.pattern,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(SCRIPT, folder / LOAD_SCRIPT)


def copy(network: Ensemble, folder: Path) -> None:
    """Copy members, weights and script of an ensemble into the folder of a bundle."""
    for name in ("config.json", LOAD_SCRIPT):
        shutil.copyfile(network.folder / name, folder / name)
    shutil.copytree(network.folder / MEMBERS, folder / MEMBERS)


def read(folder: Path, labels: Sequence[str], load: Callable[[Path], Loaded]) -> Ensemble:
    """Return the ensemble in a folder; `load` reads the folder of a member.

    Raises:
        Unreadable: if the weights are not those of a mean, or a member has other labels.
    """
    weights = json_object(folder / "config.json").get("weights")
    if not isinstance(weights, dict) or not weights or not all(_is_share(weight) for weight in weights.values()):
        raise Unreadable(f"{folder / 'config.json'} has no valid weights of members")
    if abs(sum(weights.values()) - 1) > 1e-6:
        raise Unreadable(f"The weights in {folder / 'config.json'} are {sum(weights.values()):g} together instead of 1")
    names = [str(name) for name in weights]
    if any("/" in name or name.startswith(".") for name in names):
        raise Unreadable(f"{folder / 'config.json'} names a member outside of the folder")
    members = tuple(load(folder / MEMBERS / name) for name in names)
    for name, member in zip(names, members, strict=True):
        if member.labels != list(labels):
            raise Unreadable(f"The member {name} of {folder} has other labels than the ensemble")
    return Ensemble(members=members, weights=tuple(map(float, weights.values())), folder=folder)


def _is_share(weight: object) -> bool:
    return isinstance(weight, int | float) and 0 <= weight <= 1
