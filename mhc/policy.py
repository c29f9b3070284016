"""The policy: the rules for classifying, archiving and promoting runs, and for telling whether one is alive.

The values are in `conf/policy/*.yaml`; none has a default here.
"""

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
"""The number that is compared with a threshold: the measured value, or the lower bound of its interval."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One gate's section."""

    why: Annotated[str, msgspec.Meta(min_length=1)]
    """Why the policy has this gate; part of every verdict."""


class AtLeast(_Section, frozen=True, kw_only=True):
    """A minimum of accuracy or macro-F1 on the test split."""

    at_least: Share
    judged_on: Judged


class RecallFloor(_Section, frozen=True, kw_only=True):
    """A minimum of every class's recall on the test split."""

    at_least: Share
    high_risk_at_least: Share
    """For the classes that the data config marks `high_risk`."""
    judged_on: Judged


class Reference(_Section, frozen=True, kw_only=True):
    """Better than the majority class, and than the `linear` model if there is such a run."""

    by_more_than: Share
    """Of macro-F1."""
    judged_on: Judged


class AgainstChampion(_Section, frozen=True, kw_only=True):
    """Not worse than the champion on the same test examples."""

    margin: Share
    """Of macro-F1: a difference smaller than this does not count as worse. 0 requires a proven improvement or tie."""
    level: Level
    """How often a model that is worse by the margin may pass, before the correction for best of N."""
    picked_from: Literal["sweep", "test_set"]
    """The runs that N counts: those of the same sweep, or all recorded runs that were scored on this test split."""


class HighRiskRecall(_Section, frozen=True, kw_only=True):
    """No class that the data marks as high-risk is recognised less often than by the champion, paired."""

    margin: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    """Of recall: a fall by less than this does not count. 0 requires a proven improvement."""
    level: Level
    """How often a model whose recall is lower by the margin may pass, before the correction for best of N."""


class Leakage(_Section, frozen=True, kw_only=True):
    """No texts and no authors that are both in train and in test."""

    similarity: Annotated[float, msgspec.Meta(gt=0, le=1)]
    """Jaccard similarity of word pairs from which two texts are near copies."""
    near_copies_at_most: Share
    """Share of the test rows that are near copies of a train row."""
    shared_groups_at_most: Annotated[int, msgspec.Meta(ge=0)]
    """Authors that are both in train and in test, if the data has a group column."""


class TestTexts(_Section, frozen=True, kw_only=True):
    """The test split is texts, and different ones."""

    placeholders_at_most: Share
    """Share of the test rows whose text is a placeholder such as [removed], nan or #NAME?."""
    one_text_at_most: Share
    """Share of the test rows that have the most frequent text."""


class Plausibility(_Section, frozen=True, kw_only=True):
    """A result that is implausibly good needs an explanation from the user."""

    f1_macro_below: Share


class Calibration(_Section, frozen=True, kw_only=True):
    """Confidence means frequency, after temperature scaling fitted on validation."""

    ece_at_most: Share


class Origin(_Section, frozen=True, kw_only=True):
    """A completed run, not debug, on real data, with recorded code and a complete checkpoint."""

    git: Literal["clean", "recorded", "any"]
    """clean: no uncommitted change; recorded: a change is stored as a diff with the run; any: not checked."""


class GitOption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Use of git for the models folder."""

    commit: bool
    """Whether each change of production is committed to the repository that contains the models folder."""


class PromotionPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `promotion:`."""

    require_manual_approval: bool
    """false: a run that passes every gate is promoted at the end of its test, with the policy as the actor."""
    confidence: Annotated[float, msgspec.Meta(ge=0.5, lt=1)]
    """Of every interval that is shown or compared with a threshold."""
    resamples: Annotated[int, msgspec.Meta(ge=1000)]
    origin: Origin
    accuracy: AtLeast
    f1_macro: AtLeast
    recall: RecallFloor
    reference: Reference
    champion: AgainstChampion
    high_risk_recall: HighRiskRecall
    leakage: Leakage
    test_texts: TestTexts
    plausibility: Plausibility
    calibration: Calibration
    git: GitOption


class ClassificationPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `classification:`; the criteria of a debug run."""

    debug_words: list[str]
    """Whole words, with their plain inflections, in name, tags or model."""
    min_train_fraction: Share
    """A run that used less than this share of the training split is a debug run."""


class ArchivingRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule for ended runs. A missing value (null) does not restrict the rule."""

    name: str
    """Part of the reason that is recorded with an archived run."""
    to: Archive
    category: Category | None = None
    statuses: list[Status] = []
    """Empty: any."""
    older_than_days: Amount | None = None
    larger_than_mb: Amount | None = None
    keep: Count | None = None
    """Number of the newest matching runs that are not archived."""


class ArchivingPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `archiving:`; which runs are moved from `outputs/` to an archive."""

    keep_debug: Count
    """Number of the newest debug runs that stay; older ones are moved to archive_debug."""
    failed_after_days: Amount
    """Runs with one of `failed_statuses` that ended longer ago are moved to archive_baseline, debug ones to
    archive_debug."""
    failed_statuses: list[Status]
    rules: list[ArchivingRule]
    """Further rules, after the two above; first match wins."""


class LivenessPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `liveness:`; when a run whose record has the status `running` counts as alive."""

    heartbeat: Seconds
    """Seconds between two heartbeats."""
    timeout: Seconds
    """Seconds without a heartbeat after which a run of another host, or of an earlier boot, is lost."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of `conf/policy/<name>.yaml`."""

    classification: ClassificationPolicy
    archiving: ArchivingPolicy
    liveness: LivenessPolicy
    promotion: PromotionPolicy


LATER_SECTIONS = ("high_risk_recall", "test_texts")
"""Sections of `promotion:` that the configs of earlier versions do not have; they get those of the default policy."""


def load(name_or_path: str | Path = "default", conf_dir: Path | None = None) -> Policy:
    """Return the policy of that name in `conf_dir`/policy, or in the YAML file at that path.

    Raises:
        BadConfig: if there is none, or a value is invalid; names the key.
    """
    folder = (conf_dir or CONF) / "policy"
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = folder / f"{path.name}.yaml"
    return from_values(_merged(path, ()), str(path))


def from_values(values: Mapping[str, Any], name: str = "policy") -> Policy:
    """Return the policy of plain mappings and lists.

    Raises:
        BadConfig: if a value is invalid; names the key.
    """
    try:
        policy = msgspec.convert(_with_later_sections(values), Policy)
    except msgspec.ValidationError as problem:
        message, _, path = str(problem).partition(" - at ")
        key = path.strip("`").removeprefix("$.") or "the top level"
        raise BadConfig(f"The policy {name} is invalid at {key}: {message[:1].lower()}{message[1:]}") from None
    if policy.liveness.timeout <= 2 * policy.liveness.heartbeat:
        raise BadConfig(
            f"The policy {name} is invalid at liveness.timeout: {policy.liveness.timeout:g} s must be more than "
            f"twice liveness.heartbeat ({policy.liveness.heartbeat:g} s), or live runs are taken for lost"
        )
    return policy


def _with_later_sections(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the later sections of `promotion:` that they lack."""
    promotion = values.get("promotion")
    missing = [name for name in LATER_SECTIONS if isinstance(promotion, Mapping) and name not in promotion]
    if not missing or not isinstance(promotion, Mapping):
        return dict(values)
    default = _merged(CONF / "policy" / "default.yaml", ())["promotion"]
    return {**values, "promotion": {**promotion, **{name: default[name] for name in missing}}}


def name_of(policy: PromotionPolicy) -> str:
    """Return the option of conf/policy with the same values, or `custom` with a hash of the values."""
    for option in sorted((CONF / "policy").glob("*.yaml")):
        if load(option.stem).promotion == policy:
            return option.stem
    return f"custom {hashlib.sha256(msgspec.json.encode(policy)).hexdigest()[:12]}"


def _merged(path: Path, parents: tuple[Path, ...]) -> dict[str, Any]:
    """Return the values of `path`, merged over those of the files in its `defaults:`, as Hydra does.

    `parents` are the files whose defaults led to this one.
    """
    if path in parents:
        raise BadConfig(f"The policy {path} names itself in its defaults")
    values = _read_yaml(path)
    merged: dict[str, Any] = {}
    defaults = values.pop("defaults", [])
    for entry in [*defaults, *([] if "_self_" in defaults else ["_self_"])]:
        layer = values if entry == "_self_" else _merged(path.parent / f"{entry}.yaml", (*parents, path))
        merged = _overlay(merged, layer)
    return merged


def _overlay(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _overlay(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        options = ", ".join(sorted(option.stem for option in path.parent.glob("*.yaml"))) or "none"
        raise BadConfig(f"There is no policy {path}. That folder has: {options}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise BadConfig(f"The policy {path} cannot be read: {problem}") from None
    if not isinstance(values, dict):
        raise BadConfig(f"The policy {path} is not a mapping of keys to values")
    return {str(key): value for key, value in values.items()}
