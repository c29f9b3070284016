from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mhc.errors import Refused
from mhc.provenance.recipe import (
    Difference,
    count_comparable,
    differences,
    environment_differences,
    recipe,
    shell_lines,
)
from mhc.record import Event, Lineage, RunRecord
from tests.support.builders import NOW, a_record, data_facts, iso

replace = msgspec.structs.replace


def with_lineage(**changes: Any) -> RunRecord:
    record = a_record()
    return replace(record, lineage=replace(record.lineage, **changes))


def test_command_leaves_out_paths_and_output_options() -> None:
    words = ["model=micro", "name=a b", "paths.outputs=/x", "hydra.sweep.dir=/y", "+hydra.job.name=z", "resume=abc"]
    instructions = recipe(with_lineage(overrides=[*words, "summary=true", "auto_archive=false"]), Path("f"), None)
    assert instructions.command == ["python", "-m", "mhc.train", "model=micro", "name=a b", "seed=1"]
    assert shell_lines(instructions, Path("../t")) == [
        "git worktree add --detach ../t 0123456789abcdef0123456789abcdef01234567",
        "PYTHONSAFEPATH=1 PYTHONPATH=../t python -m mhc.train model=micro 'name=a b' seed=1",
    ]


def test_seed_given_by_the_user_is_not_added_again() -> None:
    assert recipe(with_lineage(overrides=["seed=7"]), Path("f"), None).command[3:] == ["seed=7"]


def test_uncommitted_changes_are_applied(tmp_path: Path) -> None:
    instructions = recipe(with_lineage(git_diff="git.diff", git_dirty=True), tmp_path, b"diff --git a/x b/x\n")
    assert instructions.diff == tmp_path / "git.diff"
    assert shell_lines(instructions, Path("../t"))[1] == f"git -C ../t apply --whitespace=nowarn {tmp_path}/git.diff"
    assert instructions.caveats == []


def test_file_of_comments_is_not_applied(tmp_path: Path) -> None:
    diff = b"# 1 untracked, not in this diff:\n#   models/ledger.jsonl\n"
    instructions = recipe(with_lineage(git_diff="git.diff", git_dirty=True), tmp_path, diff)
    assert instructions.diff is None
    assert not any("apply" in line for line in shell_lines(instructions, Path("../t")))


def test_repository_is_named_outside_of_it(tmp_path: Path) -> None:
    lines = shell_lines(recipe(with_lineage(), tmp_path, None), Path("/a b/t"), Path("/a b/code"))
    assert lines[0].startswith("git -C '/a b/code' worktree add --detach '/a b/t' 0123")
    assert lines[1].startswith("PYTHONSAFEPATH=1 PYTHONPATH='/a b/t' python -m mhc.train ")


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "other.diff"])
def test_diff_of_another_name_is_not_used(name: str) -> None:
    assert recipe(with_lineage(git_diff=name), Path("f"), b"diff --git a/x b/x\n").diff is None


@pytest.mark.parametrize(
    ("lineage", "diff", "text"),
    [
        ({"git_commit": None}, None, "commit is not recorded"),
        ({"git_diff": "git.diff"}, None, "no longer in the run's folder"),
        ({"git_diff": "git.diff"}, b"# 2 untracked, not in this diff:\n#   x\n", "untracked files"),
        ({"git_diff": "git.diff"}, b"diff\n# cut off here: 9 bytes in all\n", "too large"),
    ],
)
def test_caveat_names_what_is_missing(lineage: dict[str, Any], diff: bytes | None, text: str) -> None:
    (caveat,) = recipe(with_lineage(**lineage), Path("f"), diff).caveats
    assert text in caveat


def test_resumed_run_has_a_caveat() -> None:
    record = a_record()
    resumed = replace(record, history=[*record.history, Event(at=iso(NOW), what="resumed", by="training")])
    assert recipe(resumed, Path("f"), None).caveats == ["the run was interrupted and resumed"]


@pytest.mark.parametrize("word", ["--config-dir=/evil", "-m", "name=a\x1b[31m", "name=a\nb"])
def test_invalid_override_is_refused(word: str) -> None:
    with pytest.raises(Refused, match="not one that Hydra accepts"):
        recipe(with_lineage(overrides=[word]), Path("f"), None)


def test_imported_run_cannot_be_reproduced() -> None:
    with pytest.raises(Refused, match="another tracker"):
        recipe(replace(a_record(), lineage=Lineage(imported_from="mhc_v1: x")), Path("f"), None)


def test_repetition_with_the_same_values_has_no_differences() -> None:
    record = a_record()
    assert differences(record, replace(record, id="again"), 0.0) == []
    assert count_comparable(record) == 8


def test_metrics_that_differ_beyond_the_tolerance_are_named() -> None:
    again = a_record(accuracy=0.6205)
    assert differences(a_record(), again, 1e-3) == []
    assert differences(a_record(), again, 1e-4) == [
        Difference("val.accuracy", "0.620000", "0.620500"),
        Difference("test.accuracy", "0.620000", "0.620500"),
    ]


def test_different_data_config_and_status_are_named() -> None:
    record = a_record()
    splits = data_facts().splits
    other = replace(data_facts(), splits={**splits, "train": replace(splits["train"], fingerprint="ff" * 16)})
    again = replace(a_record(status="failed"), data=other, group="g1")
    assert [difference.name for difference in differences(record, again, 1.0)][:3] == ["status", "config", "data.train"]


def test_missing_metric_is_a_difference() -> None:
    names = [difference.name for difference in differences(a_record(), a_record(f1_macro=None), 1.0)]
    assert "test.f1_macro" in names


def test_different_packages_and_machine_are_named() -> None:
    again = with_lineage(packages={"torch": "2.14.0"}, python="3.12.0", hardware={"cores": 8})
    assert environment_differences(a_record(), again) == [
        Difference("torch", "2.13.0", "2.14.0"),
        Difference("python", "3.11.7", "3.12.0"),
        Difference("cores", "none", "8"),
    ]
