"""The options of the command group: the folders of runs and bundles, and the policy. Every command receives them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mhc.policy import LivenessPolicy
    from mhc.production.api import Registry


class Context(NamedTuple):
    """The options `--outputs`, `--models` and `--policy`; commands receive it through `@click.pass_obj`."""

    outputs: Path
    models: Path
    policy: str
    """Name of an option of conf/policy, or a path to a YAML file."""

    @classmethod
    def from_options(cls, outputs: Path | None, models: Path | None, policy: str, cwd: Path) -> Context:
        """Return the given folders, by default `outputs` and `models` of the project that contains `cwd`."""
        project = project_folder(cwd)
        return cls(outputs or project / "outputs", models or project / "models", policy)

    def liveness(self) -> LivenessPolicy:
        """Return the policy that decides whether a run with the status `running` is alive.

        Raises:
            BadConfig: if there is no such policy, or a value in it does not fit.
        """
        from mhc.policy import load

        return load(self.policy).liveness

    def registry(self) -> Registry:
        """Return the registry of the bundles.

        Raises:
            BadConfig: if there is no such policy, or a value in it does not fit.
        """
        from mhc.production.api import Registry

        return Registry(self.models, self.outputs, self.policy)


def project_folder(cwd: Path) -> Path:
    """Return the nearest folder, from `cwd` upwards, that has a `conf/train.yaml` or an `outputs`; else `cwd`."""
    for folder in (cwd, *cwd.parents):
        if (folder / "conf" / "train.yaml").is_file() or (folder / "outputs").is_dir():
            return folder
    return cwd
