from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from mhc import policy
from mhc.errors import BadConfig

VALUES: dict[str, Any] = yaml.safe_load((policy.CONF / "policy" / "default.yaml").read_text())


def changed(section: str, **values: object) -> dict[str, Any]:
    """Return the default policy's values with changes in one section."""
    return VALUES | {section: VALUES[section] | values}


def test_default_policy_has_the_documented_rules() -> None:
    default = policy.load()
    assert default.archiving.keep_debug == 3
    assert default.archiving.failed_after_days == 7
    assert default.classification.debug_words == [
        "debug", "test", "mock", "micro", "ultra-micro", "minimal", "tiny", "smoke",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (changed("archiving", keep_debug="three"), "at archiving.keep_debug: expected `int`, got `str`"),
        (changed("archiving", keep_debug=-1), "at archiving.keep_debug: expected `int` >= 0"),
        (changed("archiving", keep_debgu=3), "at archiving: object contains unknown field `keep_debgu`"),
        (changed("archiving", failed_statuses=["broken"]), r"at archiving.failed_statuses\[0\]: invalid enum value"),
        (changed("archiving", rules=[{"name": "x", "to": "bin"}]), r"at archiving.rules\[0\].to: invalid enum value"),
        (changed("classification", min_train_fraction=1.5), "at classification.min_train_fraction: expected `float`"),
        (changed("liveness", timeout=0), "at liveness.timeout: expected `float` > 0"),
        (changed("liveness", heartbeat=200), "at liveness.timeout: 300 s must be more than twice liveness.heartbeat"),
        ({"archiving": VALUES["archiving"]}, "at the top level: object missing required field"),
    ],
)
def test_invalid_value_is_named_by_its_key(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadConfig, match=f"The policy mine is invalid {sentence}"):
        policy.from_values(values, "mine")


def test_missing_option_lists_the_existing_ones() -> None:
    with pytest.raises(BadConfig, match=r"There is no policy .*strickt.yaml. That folder has: default, strict"):
        policy.load("strickt")


def test_file_with_defaults_changes_only_its_own_values(tmp_path: Path) -> None:
    shutil.copytree(policy.CONF / "policy", tmp_path / "policy")
    (tmp_path / "policy" / "mine.yaml").write_text("defaults: [default, _self_]\narchiving:\n  keep_debug: 9\n")
    mine = policy.load("mine", tmp_path)
    assert mine.archiving.keep_debug == 9
    assert mine.archiving.failed_after_days == 7
    assert policy.load(tmp_path / "policy" / "mine.yaml") == mine


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("- a\n", "is not a mapping"),
        ("a: [", "cannot be read"),
        ("defaults: [mine]\n", "names itself in its defaults"),
    ],
)
def test_file_that_is_not_a_policy_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(BadConfig, match=sentence):
        policy.load(tmp_path / "mine.yaml")
