"""The policy: what happens to runs by rule. Values come from `conf/policy/*.yaml`; none has a default here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from mhc.errors import BadConfig
from mhc.record import Category, Status

CONF = Path(__file__).resolve().parent.parent / "conf"
"""The folder of the configuration groups."""

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Archive = Literal["archive_debug", "archive_baseline", "archived"]
Level = Annotated[float, msgspec.Meta(gt=0, lt=0.5)]
Judged = Literal["point", "lower_bound"]
"""On what a threshold is held against: the measured value, or the lower bound of its interval."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One gate's section."""

    why: Annotated[str, msgspec.Meta(min_length=1)]
    """Why the policy has this gate; goes with every verdict."""


class AtLeast(_Section, frozen=True, kw_only=True):
    """A floor under accuracy or macro-F1 on the test split."""

    at_least: Share
    judged_on: Judged


class RecallFloor(_Section, frozen=True, kw_only=True):
    """A floor under every class's recall on the test split."""

    at_least: Share
    high_risk_at_least: Share
    """For the classes that the data config marks `high_risk`."""
    judged_on: Judged


class Reference(_Section, frozen=True, kw_only=True):
    """Better than the majority class, and than the `linear` model where such a run is on record."""

    by_more_than: Share
    """Of macro-F1."""
    judged_on: Judged


class AgainstChampion(_Section, frozen=True, kw_only=True):
    """Not worse than the champion on the same test examples."""

    margin: Share
    """Of macro-F1: a difference smaller than this does not count as worse. 0 asks for a proven improvement or tie."""
    level: Level
    """How often a model that is worse by the margin may pass, before the correction for best of N."""
    picked_from: Literal["sweep", "test_set"]
    """What N counts: the runs of the same sweep, or all runs on record that were scored on this test split."""


class Leakage(_Section, frozen=True, kw_only=True):
    """Train and test share neither texts nor authors."""

    similarity: Annotated[float, msgspec.Meta(gt=0, le=1)]
    """Jaccard similarity of word pairs from which two texts are near copies."""
    near_copies_at_most: Share
    """Share of the test rows that are near copies of a train row."""
    shared_groups_at_most: Annotated[int, msgspec.Meta(ge=0)]
    """Authors on both sides, where the data has a group column."""


class Plausibility(_Section, frozen=True, kw_only=True):
    """A result too good to be true asks for an answer from a person."""

    f1_macro_below: Share


class Calibration(_Section, frozen=True, kw_only=True):
    """Confidence means frequency, after temperature scaling fitted on validation."""

    ece_at_most: Share


class Origin(_Section, frozen=True, kw_only=True):
    """A completed run, not debug, on real data, of known code, with a whole checkpoint."""

    git: Literal["clean", "recorded", "any"]
    """clean: no uncommitted change; recorded: a change is kept as a diff beside the run; any: not looked at."""


class GitOption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a change of production does to the git repository that holds the models folder."""

    commit: bool


class PromotionPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `promotion:`."""

    require_manual_approval: bool
    """false: a run that passes every gate is promoted at the end of its test, with the policy as the actor."""
    confidence: Annotated[float, msgspec.Meta(ge=0.5, lt=1)]
    """Of every interval that is shown or judged on."""
    resamples: Annotated[int, msgspec.Meta(ge=1000)]
    origin: Origin
    accuracy: AtLeast
    f1_macro: AtLeast
    recall: RecallFloor
    reference: Reference
    champion: AgainstChampion
    leakage: Leakage
    plausibility: Plausibility
    calibration: Calibration
    git: GitOption


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


def name_of(policy: PromotionPolicy) -> str:
    """The option of conf/policy that says the same, or `custom` with a hash of what it says."""
    for option in sorted((CONF / "policy").glob("*.yaml")):
        if load(option.stem).promotion == policy:
            return option.stem
    return f"custom {hashlib.sha256(msgspec.json.encode(policy)).hexdigest()[:12]}"


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
