"""The policy of promotion: thresholds and why they stand. Values come from `conf/policy/*.yaml`, none from here."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
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


def name_of(policy: PromotionPolicy) -> str:
    """The option of conf/policy that says the same, or `custom` with a hash of what it says."""
    from mhc.policy import CONF, load

    for option in sorted((CONF / "policy").glob("*.yaml")):
        if load(option.stem).promotion == policy:
            return option.stem
    return f"custom {hashlib.sha256(msgspec.json.encode(policy)).hexdigest()[:12]}"
