"""Where the runs and the bundles lie, and which policy holds: the options of the group, handed to every command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mhc.policy import LivenessPolicy


class Place(NamedTuple):
    """The options `--outputs`, `--models` and `--policy`; commands take it with `@click.pass_obj`."""

    outputs: Path
    models: Path
    policy: str
    """Name of an option of conf/policy, or a path to a YAML file."""

    @classmethod
    def choose(cls, outputs: Path | None, models: Path | None, policy: str, cwd: Path) -> Place:
        """What was said, else the folders `outputs` and `models` of the project that `cwd` lies in."""
        project = project_of(cwd)
        return cls(outputs or project / "outputs", models or project / "models", policy)

    def liveness(self) -> LivenessPolicy:
        """When a run that says `running` is believed.

        Raises:
            BadConfig: where there is no such policy, or a value in it does not fit.
        """
        from mhc.policy import load

        return load(self.policy).liveness


def project_of(cwd: Path) -> Path:
    """The nearest folder, from `cwd` upwards, with a `conf/train.yaml` or an `outputs`; else `cwd`."""
    for folder in (cwd, *cwd.parents):
        if (folder / "conf" / "train.yaml").is_file() or (folder / "outputs").is_dir():
            return folder
    return cwd
