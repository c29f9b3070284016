"""The policy: what happens to runs by rule. Values come from `conf/policy/*.yaml`; none has a default here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from mhc.errors import BadConfig
from mhc.production.policy import PromotionPolicy
from mhc.runs.record import Category, Status

CONF = Path(__file__).resolve().parent.parent / "conf"

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Archive = Literal["archive_debug", "archive_baseline", "archived"]


class ClassificationPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a run a debug run."""

    debug_words: list[str]
    """Whole words, with their plain inflections, in name or tags."""
    min_train_fraction: Share
    """A run that saw less of the training split is a debug run."""


class ArchivingRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule for ended runs. What is left out (null) does not limit the rule."""

    name: str
    """Said in the reason."""
    to: Archive
    category: Category | None = None
    statuses: list[Status] = []
    """Empty: any."""
    older_than_days: Amount | None = None
    larger_than_mb: Amount | None = None
    keep: Count | None = None
    """So many of the newest runs that fit are left where they are."""


class ArchivingPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs leave `outputs/` for an archive."""

    keep_debug: Count
    """Debug runs that stay; the oldest beyond go to archive_debug."""
    failed_after_days: Amount
    """Runs with one of `failed_statuses` that ended longer ago go to archive_baseline, debug ones to archive_debug."""
    failed_statuses: list[Status]
    rules: list[ArchivingRule]
    """Further rules, after the two above; first match wins."""


class LivenessPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a run that says `running` is believed."""

    heartbeat: Seconds
    """Seconds between two signs of life."""
    timeout: Seconds
    """Seconds without one after which a run of another host, or of an earlier boot, is lost."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of `conf/policy/<name>.yaml`."""

    classification: ClassificationPolicy
    archiving: ArchivingPolicy
    liveness: LivenessPolicy
    promotion: PromotionPolicy


def load(name_or_path: str | Path = "default", conf_dir: Path | None = None) -> Policy:
    """Return the policy of that name in `conf_dir`/policy, or in the YAML file at that path.

    Raises:
        BadConfig: where there is none, or a value does not fit; names the key.
    """
    folder = (conf_dir or CONF) / "policy"
    given = Path(name_or_path)
    path = given if given.suffix in (".yaml", ".yml") else folder / f"{given.name}.yaml"
    return from_values(_merged(path, ()), str(path))


def from_values(values: Mapping[str, Any], name: str = "policy") -> Policy:
    """Return the policy that `values`, plain mappings and lists, describe.

    Raises:
        BadConfig: where a value does not fit; names the key.
    """
    try:
        policy = msgspec.convert(dict(values), Policy)
    except msgspec.ValidationError as problem:
        what, _, where = str(problem).partition(" - at ")
        key = where.strip("`").removeprefix("$.") or "the top level"
        raise BadConfig(f"The policy {name} does not fit at {key}: {what[:1].lower()}{what[1:]}") from None
    if policy.liveness.timeout <= 2 * policy.liveness.heartbeat:
        raise BadConfig(
            f"The policy {name} does not fit at liveness.timeout: {policy.liveness.timeout:g} s must be more than "
            f"twice liveness.heartbeat ({policy.liveness.heartbeat:g} s), or live runs are taken for lost"
        )
    return policy


def _merged(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Return the values of `path` over those of the files that its `defaults:` name, as Hydra would."""
    if path in seen:
        raise BadConfig(f"The policy {path} names itself in its defaults")
    values = _yaml(path)
    merged: dict[str, Any] = {}
    defaults = values.pop("defaults", [])
    for entry in [*defaults, *([] if "_self_" in defaults else ["_self_"])]:
        layer = values if entry == "_self_" else _merged(path.parent / f"{entry}.yaml", (*seen, path))
        merged = _over(merged, layer)
    return merged


def _over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = ", ".join(sorted(option.stem for option in path.parent.glob("*.yaml"))) or "none"
        raise BadConfig(f"There is no policy {path}. In that folder there are: {there}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise BadConfig(f"The policy {path} cannot be read: {problem}") from None
    if not isinstance(values, dict):
        raise BadConfig(f"The policy {path} holds no mapping of keys to values")
    return {str(key): value for key, value in values.items()}
