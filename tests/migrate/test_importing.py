"""Import of runs from the files of other trackers."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mhc.errors import NotFound
from mhc.migrate import importing
from mhc.migrate.importing import Action, Plan
from mhc.record import Category, Location, RunRecord, Status
from mhc.runs import folders, store
from tests.support.old_files import (
    FIRST_LAYOUT,
    second_layout,
    third_layout,
    whole_project,
    write_experiment,
    write_hydra_job,
    write_log,
    write_registry,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LEGACY = Path(__file__).resolve().parents[3] / "shared" / "data" / "legacy"
real = pytest.mark.skipif(not LEGACY.is_dir(), reason="the folder with the files of the old trackers is missing")


def import_runs(source: Path, outputs: Path, split: str | None = None) -> Plan:
    plan = importing.plan(source, outputs, now=NOW, zone=UTC, split=split)
    importing.carry_out(plan.steps, now=NOW)
    return plan


def runs_in(outputs: Path) -> dict[str, tuple[RunRecord, Location]]:
    """Return the runs by the name of their experiment."""
    runs = [(store.read(folder), place) for folder, place in folders.iter_runs(outputs)]
    return {record.imported["experiment"]: (record, place) for record, place in runs}


def fingerprint(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_experiment_becomes_one_run_and_the_sources_stay(tmp_path: Path) -> None:
    experiments = whole_project(tmp_path / "old")
    before = fingerprint(tmp_path / "old")
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert (plan.experiments, plan.complete, plan.problems) == (experiments, True, [])
    assert plan.descriptions == 16
    runs = runs_in(tmp_path / "outputs")
    assert len(runs) == experiments == len(list(folders.iter_runs(tmp_path / "outputs")))
    assert fingerprint(tmp_path / "old") == before


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    whole_project(tmp_path / "old")
    import_runs(tmp_path / "old", tmp_path / "outputs")
    before = fingerprint(tmp_path / "outputs")
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert plan.count(Action.KEEP) == 9
    assert fingerprint(tmp_path / "outputs") == before


def test_copy_of_the_source_gives_the_same_ids(tmp_path: Path) -> None:
    whole_project(tmp_path / "old")
    whole_project(tmp_path / "elsewhere" / "copy")
    import_runs(tmp_path / "old", tmp_path / "a")
    import_runs(tmp_path / "elsewhere", tmp_path / "b")
    assert {r.id for r, _ in runs_in(tmp_path / "a").values()} == {r.id for r, _ in runs_in(tmp_path / "b").values()}


def test_plan_writes_nothing(tmp_path: Path) -> None:
    whole_project(tmp_path / "old")
    importing.plan(tmp_path / "old", tmp_path / "outputs", now=NOW, zone=UTC)
    assert not (tmp_path / "outputs").exists()


def test_experiment_in_the_log_and_the_registry_is_one_run(tmp_path: Path) -> None:
    whole_project(tmp_path / "old")
    import_runs(tmp_path / "old", tmp_path / "outputs", split="test")
    record, place = runs_in(tmp_path / "outputs")["simple_20250102_090000"]
    assert (record.status, record.name, record.category, record.seed) == (
        Status.COMPLETED, "simple", Category.BASELINE, 42)  # fmt: skip
    assert record.started_at == "2025-01-02T09:00:00.500000Z"
    assert record.ended_at == "2025-01-02T09:30:00Z"
    assert record.metrics.test is not None
    assert (record.metrics.test.accuracy, record.metrics.test.loss) == (0.6, 0.7)
    assert record.note == "good"
    assert place is Location.ACTIVE
    places = [p["place"] for d in record.imported["descriptions"] for p in d["stands_in"]]
    assert sorted(places) == ["active_experiments", "folder", "log"]
    assert record.lineage.imported_from is not None
    assert "experiments_log.jsonl" in record.lineage.imported_from


def test_content_of_every_description_is_stored_unchanged(tmp_path: Path) -> None:
    entry = third_layout("wide_20250102_090000", odd={"deep": [1, {"a": None}]}, big=10**30, small=-1.5e-9)
    write_log(tmp_path / "old", entry)
    import_runs(tmp_path / "old", tmp_path / "outputs")
    record, _ = runs_in(tmp_path / "outputs")["wide_20250102_090000"]
    assert record.imported["descriptions"][0]["content"] == {**entry, "big": str(10**30)}


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        (FIRST_LAYOUT, Status.UNKNOWN),
        (second_layout("a_20250101_000000", status="running"), Status.LOST),
        (second_layout("a_20250101_000000", status="failed"), Status.FAILED),
        (second_layout("a_20250101_000000", status="interrupted"), Status.INTERRUPTED),
        (second_layout("a_20250101_000000", status=None), Status.UNKNOWN),
        (third_layout("a_20250101_000000", status="completed"), Status.COMPLETED),
    ],
    ids=["preserved", "running", "failed", "interrupted", "none", "completed"],
)
def test_status_is_imported_or_unknown_and_running_is_lost(
    tmp_path: Path, entry: dict[str, object], status: Status
) -> None:
    write_log(tmp_path / "old", entry)
    import_runs(tmp_path / "old", tmp_path / "outputs")
    ((record, _),) = runs_in(tmp_path / "outputs").values()
    assert record.status is status
    assert record.status_reason
    assert record.ended_at is None


def test_values_that_no_source_gives_are_unknown(tmp_path: Path) -> None:
    write_log(tmp_path / "old", second_layout("a_20250101_000000"))
    import_runs(tmp_path / "old", tmp_path / "outputs")
    ((record, _),) = runs_in(tmp_path / "outputs").values()
    values = (record.category, record.seed, record.data, record.model, record.metrics.val, record.metrics.test,
              record.promotion.candidate, record.ended_at, record.lineage.git_commit, record.process)  # fmt: skip
    assert values == (None,) * len(values)


def test_metrics_without_a_split_are_not_those_of_the_test_split(tmp_path: Path) -> None:
    whole_project(tmp_path / "old")
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    record, _ = runs_in(tmp_path / "outputs")["simple_20250102_090000"]
    assert (record.metrics.val, record.metrics.test) == (None, None)
    assert sum(step.run.splitless for step in plan.steps) == 2


def test_metrics_that_name_their_split_are_imported(tmp_path: Path) -> None:
    values = {"val_f1_macro": 0.4, "test_accuracy": 0.5, "test_recall_normal": 0.9, "test_f1_weighted": 0.1}
    write_registry(tmp_path / "old", active_experiments={"a_20250101_000000": {"final_metrics": values}})
    import_runs(tmp_path / "old", tmp_path / "outputs")
    ((record, _),) = runs_in(tmp_path / "outputs").values()
    assert record.metrics.val is not None
    assert record.metrics.val.f1_macro == 0.4
    assert record.metrics.test is not None
    assert (record.metrics.test.accuracy, record.metrics.test.recall, record.metrics.test.f1) == (
        0.5, {"normal": 0.9}, {})  # fmt: skip


def test_archived_experiments_come_into_the_same_archive(tmp_path: Path) -> None:
    whole_project(tmp_path / "old")
    import_runs(tmp_path / "old", tmp_path / "outputs")
    places = {key: place for key, (_, place) in runs_in(tmp_path / "outputs").items() if place is not Location.ACTIVE}
    assert places == {
        "small_20250101_070000": Location.ARCHIVED,
        "mini_20250101_130000": Location.ARCHIVE_DEBUG,
        "micro_20250101_080000": Location.ARCHIVE_DEBUG,
        "deep_20250104_020000": Location.ARCHIVE_BASELINE,
        "wide_20250103_010000": Location.ARCHIVE_BASELINE,
    }


def test_newer_source_adds_facts_and_leaves_user_annotations(tmp_path: Path) -> None:
    write_log(tmp_path / "old", second_layout("a_20250101_000000", tags=["old"]))
    import_runs(tmp_path / "old", tmp_path / "outputs")
    (folder,) = (folder for folder, _ in folders.iter_runs(tmp_path / "outputs"))
    annotations = {"tags": ["mine"], "note": "mine", "pinned": True}
    store.update(
        folder, lambda record: RunRecord(**{**{f: getattr(record, f) for f in record.__struct_fields__}, **annotations})
    )
    entries = {"a_20250101_000000": {"status": "completed", "completed_at": "2025-01-01T01:00:00"}}
    write_registry(tmp_path / "old", active_experiments=entries)
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    record = store.read(folder)
    assert plan.count(Action.EXTEND) == 1
    assert (record.status, record.tags, record.note, record.pinned) == (Status.COMPLETED, ["mine"], "mine", True)
    assert [event.what for event in record.history] == ["imported", "imported again"]
    assert len(record.imported["descriptions"]) == 2


def test_older_state_of_the_source_removes_nothing(tmp_path: Path) -> None:
    whole_project(tmp_path / "new")
    write_log(tmp_path / "old", FIRST_LAYOUT, second_layout("small_20250101_070000"))
    import_runs(tmp_path / "new", tmp_path / "outputs")
    before = fingerprint(tmp_path / "outputs")
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert plan.count(Action.KEEP) == 2
    assert fingerprint(tmp_path / "outputs") == before


def test_run_archived_after_the_import_is_recognised(tmp_path: Path) -> None:
    write_log(tmp_path / "old", second_layout("a_20250101_000000"))
    import_runs(tmp_path / "old", tmp_path / "outputs")
    (folder,) = (folder for folder, _ in folders.iter_runs(tmp_path / "outputs"))
    folders.archive(folder, tmp_path / "outputs", Location.ARCHIVED)
    assert import_runs(tmp_path / "old", tmp_path / "outputs").count(Action.KEEP) == 1
    assert len(list(folders.iter_runs(tmp_path / "outputs"))) == 1


def test_times_without_a_zone_are_in_the_given_zone(tmp_path: Path) -> None:
    write_log(tmp_path / "old", second_layout("a_20250701_000000"))
    plan = importing.plan(tmp_path / "old", tmp_path / "out", now=NOW, zone=ZoneInfo("Europe/Berlin"))
    record = plan.steps[0].run.record
    assert record.created_at == "2025-06-30T22:00:00.500000Z"
    assert record.id.startswith("a_20250701_000000_")


def test_rest_of_a_damaged_log_is_imported_and_bad_lines_named(tmp_path: Path) -> None:
    path = write_log(tmp_path / "old", second_layout("a_20250101_000000"))
    good = json.dumps(second_layout("b_20250101_000000")).encode()
    bad = [b'{"experiment_id": "c_2025', b"[1, 2]", b'"text"', b'{"tags": []}', b'{"experiment_id": 7}', b"\xff\xfe{}",
           b'{"experiment_id": "\\ud800"}', b"[" * 100_000]  # fmt: skip
    path.write_bytes(b"\n".join([path.read_bytes(), b"", *bad, good, good[:40]]))
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert plan.experiments == 2 == len(runs_in(tmp_path / "outputs"))
    assert [problem.line for problem in plan.problems] == [3, 4, 5, 6, 7, 8, 9, 10, 12]
    assert str(plan.problems[0]).startswith("experiments_log.jsonl:3: the line is not valid JSON")


def test_complete_entries_of_a_truncated_registry_are_imported(tmp_path: Path) -> None:
    entries = {f"run{n}_2025010{n}_000000": {"experiment_name": f"run{n}", "status": "running"} for n in range(1, 6)}
    path = write_registry(tmp_path / "old", active_experiments=entries)
    text = path.read_text()
    path.write_text(text[: text.index("run4_") + 40])
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert sorted(runs_in(tmp_path / "outputs")) == [f"run{n}_2025010{n}_000000" for n in (1, 2, 3)]
    assert [str(problem).partition(" (")[0] for problem in plan.problems] == [
        f"models_registry_consolidated.json:{path.read_text().count(chr(10)) + 1}: it is not valid JSON"
    ]


def test_registry_truncated_at_any_byte_never_breaks_the_import(tmp_path: Path) -> None:
    whole_project(tmp_path / "old")
    path = tmp_path / "old" / "models_registry_consolidated.json"
    whole = path.read_bytes()
    for end in range(0, len(whole), 37):
        path.write_bytes(whole[:end])
        plan = importing.plan(path, tmp_path / "outputs", now=NOW, zone=UTC)
        assert plan.problems
        assert plan.complete


@pytest.mark.parametrize(
    "content", ["null", "[]", '"x"', "{}", '{"active_experiments": [1]}', '{"active_experiments": {"a": 1}}']
)
def test_malformed_registries_are_reported_and_give_no_run(tmp_path: Path, content: str) -> None:
    write_log(tmp_path / "old", second_layout("a_20250101_000000"))
    (tmp_path / "old" / "models_registry_consolidated.json").write_text(content)
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert (plan.experiments, len(plan.problems)) == (1, 0 if content == "{}" else 1)


def test_metadata_file_of_another_tool_is_reported(tmp_path: Path) -> None:
    write_log(tmp_path / "old", second_layout("a_20250101_000000"))
    (tmp_path / "old" / "package").mkdir()
    (tmp_path / "old" / "package" / "metadata.json").write_text('{"title": "something"}')
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert plan.experiments == 1
    assert "package/metadata.json: it names no experiment_id" in str(plan.problems[0])


def test_hydra_jobs_and_sweeps_become_runs_of_unknown_status(tmp_path: Path) -> None:
    day = tmp_path / "old" / "outputs" / "2025-01-04"
    write_hydra_job(day / "23-32-41", "/home/someone/old/outputs/2025-01-04/23-32-41")
    write_hydra_job(day / "23-40-00", "/home/someone/old/outputs/2025-01-04/23-40-00")
    for num in range(3):
        sweep = "multirun/2025-01-05/10-00-00"
        write_hydra_job(tmp_path / "old" / sweep / str(num), f"/home/someone/old/{sweep}/{num}", num=num)
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    runs = [record for record, _ in runs_in(tmp_path / "outputs").values()]
    assert (plan.experiments, len(runs), plan.complete) == (5, 5, True)
    assert {record.status for record in runs} == {Status.UNKNOWN}
    assert {record.seed for record in runs} == {7}
    singles = sorted(record.created_at for record in runs if record.sweep is None)
    assert singles == ["2025-01-04T23:32:41Z", "2025-01-04T23:40:00Z"]
    sweeps = {record.sweep.id: record.sweep.job for record in runs if record.sweep}
    assert len(sweeps) == 1
    assert sorted(r.sweep.job for r in runs if r.sweep) == [0, 1, 2]
    assert all(folders.RUN_ID.fullmatch(record.id) for record in runs)
    configs = [folder / ".hydra" / "config.yaml" for folder, _ in folders.iter_runs(tmp_path / "outputs")]
    assert {path.read_text() for path in configs} == {"seed: 7\n"}


def test_hydra_job_with_invalid_yaml_is_imported_and_reported(tmp_path: Path) -> None:
    folder = write_hydra_job(tmp_path / "old" / "outputs" / "2025-01-04" / "23-32-41", "/x/2025-01-04/23-32-41")
    (folder / ".hydra" / "config.yaml").write_text("a: 1\nb: [1, 2\n")
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert len(runs_in(tmp_path / "outputs")) == 1
    assert ".hydra/config.yaml:3: it is not valid YAML" in str(plan.problems[0])


def test_yaml_with_exponential_aliases_is_harmless(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    write_hydra_job(tmp_path / "old" / "23-32-41", "/x/2025-01-04/23-32-41", config="\n".join([*lines, "seed: *a11"]))
    import_runs(tmp_path / "old", tmp_path / "outputs")
    ((record, _),) = runs_in(tmp_path / "outputs").values()
    assert record.seed is None


def test_runs_with_our_record_are_not_imported(tmp_path: Path) -> None:
    write_log(tmp_path / "old", second_layout("a_20250101_000000"))
    write_hydra_job(tmp_path / "old" / "ours", "/x/2025-01-04/23-32-41")
    (tmp_path / "old" / "ours" / "run.json").write_text("{}")
    import_runs(tmp_path / "old", tmp_path / "old" / "outputs")
    assert importing.plan(tmp_path / "old", tmp_path / "old" / "outputs", now=NOW, zone=UTC).experiments == 1


@pytest.mark.parametrize(
    "key",
    ["../../../x_20250101_000000", "/etc/x_20250101_000000", "..", "a/b\\c", "\x1b[31mred\x1b[0m", "a\n\r\tb",
     "x" * 10_000, "\u202eabc", "con|out>", " "],
)  # fmt: skip
def test_hostile_experiment_id_stays_inside_outputs(tmp_path: Path, key: str) -> None:
    outputs = tmp_path / "deep" / "er" / "outputs"
    hostile = {"experiment_id": key, "experiment_name": key, "tags": [key], "description": key, "status": "running"}
    write_log(tmp_path / "old", hostile, second_layout("a_20250101_000000"))
    plan = import_runs(tmp_path / "old", outputs)
    created = [folder for folder, _ in folders.iter_runs(outputs)]
    assert len(created) == plan.experiments
    assert all(folder.parent == outputs and folders.RUN_ID.fullmatch(folder.name) for folder in created)
    outside = {path.name for path in tmp_path.rglob("*") if outputs not in path.parents}
    assert outside == {"deep", "er", "outputs", "old", "experiments_log.jsonl"}
    for folder in created:
        record = store.read(folder)
        assert all(character.isprintable() for character in record.name + "".join(record.tags))
        assert max(len(record.name), *(len(tag) for tag in [*record.tags, ""])) <= 120


@pytest.mark.parametrize("place", ["../..", "/tmp", "archive_debug/../..", "nowhere"])
def test_hostile_archive_location_is_ignored(tmp_path: Path, place: str) -> None:
    write_experiment(tmp_path / "old", "a_20250101_000000", archive_location=place)
    import_runs(tmp_path / "old", tmp_path / "deep" / "outputs")
    ((_, location),) = runs_in(tmp_path / "deep" / "outputs").values()
    assert location is Location.ACTIVE


def test_link_out_of_the_source_is_not_followed(tmp_path: Path) -> None:
    secret = write_log(tmp_path / "secret", second_layout("secret_20250101_000000"))
    write_log(tmp_path / "old" / "in", second_layout("a_20250101_000000"))
    (tmp_path / "old" / "experiments_log.jsonl").symlink_to(secret)
    (tmp_path / "old" / "folder").symlink_to(tmp_path / "secret")
    job = write_hydra_job(tmp_path / "old" / "23-32-41", "/x/2025-01-04/23-32-41")
    (job / ".hydra" / "overrides.yaml").unlink()
    (job / ".hydra" / "overrides.yaml").symlink_to(secret)
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert "secret_20250101_000000" not in runs_in(tmp_path / "outputs")
    assert sum("link to a file outside" in problem.why for problem in plan.problems) == 2


def test_link_in_outputs_is_not_followed(tmp_path: Path) -> None:
    write_log(tmp_path / "old", second_layout("a_20250101_000000"))
    name = importing.plan(tmp_path / "old", tmp_path / "outputs", now=NOW, zone=UTC).steps[0].folder.name
    (tmp_path / "outputs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "outputs" / name).symlink_to(tmp_path / "elsewhere")
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert not any((tmp_path / "elsewhere").iterdir())
    assert not plan.complete


def test_record_with_an_edited_import_is_reported_and_unchanged(tmp_path: Path) -> None:
    write_log(tmp_path / "old", second_layout("a_20250101_000000"))
    import_runs(tmp_path / "old", tmp_path / "outputs")
    (folder,) = (folder for folder, _ in folders.iter_runs(tmp_path / "outputs"))
    content = json.loads((folder / "run.json").read_bytes())
    content["imported"]["descriptions"] = [7]
    (folder / "run.json").write_text(json.dumps(content))
    before = fingerprint(tmp_path / "outputs")
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert (plan.complete, "not as the import wrote it" in plan.rejected[0].why) == (False, True)
    assert fingerprint(tmp_path / "outputs") == before


def test_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    write_log(tmp_path / "old", second_layout("a_20250101_000000"))
    os.mkfifo(tmp_path / "old" / "models_registry_consolidated.json")
    plan = import_runs(tmp_path / "old", tmp_path / "outputs")
    assert [str(problem) for problem in plan.problems] == [
        "models_registry_consolidated.json: it is not a regular file"
    ]


@pytest.mark.parametrize("where", ["missing", "empty"])
def test_source_without_known_files_names_the_known_ones(tmp_path: Path, where: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match=r"nothing at|experiments_log\.jsonl"):
        importing.plan(tmp_path / where, tmp_path / "outputs", now=NOW, zone=UTC)


@real
@pytest.mark.parametrize(
    ("source", "experiments"),
    [("mhc_v1/v01_df65a4c", 4), ("mhc_v1/v02_4fb63bf", 14), ("mhc_v1/v03_2789adb", 28), ("mhc_v1/v08_c209731", 39),
     ("mhc_v1", 39), ("hydra_outputs_road_signs", 9)],
)  # fmt: skip
def test_recorded_files_of_the_old_trackers_import_completely(tmp_path: Path, source: str, experiments: int) -> None:
    plan = import_runs(LEGACY / source, tmp_path / "outputs")
    assert (plan.experiments, plan.complete, plan.problems) == (experiments, True, [])
    assert len(runs_in(tmp_path / "outputs")) == experiments
    assert import_runs(LEGACY / source, tmp_path / "outputs").count(Action.KEEP) == experiments


@real
def test_no_imported_run_of_the_old_tracker_is_running(tmp_path: Path) -> None:
    import_runs(LEGACY / "mhc_v1", tmp_path / "outputs")
    statuses = [record.status for record, _ in runs_in(tmp_path / "outputs").values()]
    counts = {status: statuses.count(status) for status in set(statuses)}
    assert counts == {Status.LOST: 30, Status.COMPLETED: 7, Status.UNKNOWN: 2}
