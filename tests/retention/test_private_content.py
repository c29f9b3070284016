"""`mhc doctor` finds what earlier versions wrote: credentials and data in runs, bundles and the ledger."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from mhc.production import bundle, consistency, ledger, state, verify
from mhc.production.api import Registry
from mhc.production.decision import Request
from mhc.production.ledger import Entry
from mhc.production.promote import promote
from mhc.record import RunRecord, encode
from mhc.runs import store
from tests.support.builders import a_record, a_run
from tests.support.promotions import NOW, World, a_trained_run, make_world, policy
from tests.support.typed import typed

ROOT = Path(__file__).resolve().parents[2]
ID = "attention_20261120_120000_a1b2"
OLD_DIFF = (
    "diff --git a/.env b/.env\n--- a/.env\n+++ b/.env\n@@ -1 +1 @@\n-a\n+PLANTED\n"
    "diff --git a/mhc/x.py b/mhc/x.py\n--- a/mhc/x.py\n+++ b/mhc/x.py\n@@ -1 +1 @@\n-a = 1\n+key = 'kept'\n"
    "diff --git a/posts.csv b/posts.csv\n--- a/posts.csv\n+++ b/posts.csv\n@@ -1 +1 @@\n-a\n+PLANTED,sad\n"
)
CONFIG = "tracker:\n  api_key: PLANTED\n  token: ${oc.env:TOKEN}\ndata:\n  train: /home/ada/clinic/train.csv\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


def with_old_lineage(record: RunRecord) -> RunRecord:
    """Return the record with what an earlier version recorded."""
    words = ["model=micro", "+tracker.api_key=PLANTED", "data.train=/home/ada/clinic/train.csv"]
    lineage = replace(record.lineage, overrides=words, command=["python", *words], git_diff="git.diff", git_dirty=True)
    return replace(record, lineage=lineage)


def an_old_run(outputs: Path) -> Path:
    """Write a run as an earlier version did."""
    folder = a_run(outputs, ID)
    (folder / "run.json").write_bytes(encode(with_old_lineage(a_record(ID))))
    (folder / ".hydra" / "config.yaml").write_text(CONFIG)
    (folder / ".hydra" / "overrides.yaml").write_text("- +tracker.api_key=PLANTED\n")
    (folder / "train.log").write_text("2026 INFO pushed to https://ada:PLANTED@host/x\n")
    (folder / "git.diff").write_text(OLD_DIFF)
    return folder


def places_of(needle: str, folders: Iterable[Path]) -> list[str]:
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path.name for path in paths if needle.encode() in path.read_bytes()]


def test_credentials_of_an_old_run_are_found_and_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = an_old_run(tmp_path / "outputs")
    answer = typed(capsys, tmp_path, "doctor")
    assert answer.code == 1
    assert "run.json, .hydra/config.yaml, .hydra/overrides.yaml, train.log, git.diff" in answer.out
    assert "PLANTED" not in answer.out
    assert places_of("PLANTED", [folder])
    assert typed(capsys, tmp_path, "doctor", "--fix").code == 0
    assert places_of("PLANTED", [tmp_path]) == []
    assert "${oc.env:TOKEN}" in (folder / ".hydra" / "config.yaml").read_text()
    diff = (folder / "git.diff").read_text()
    assert (diff.count("diff --git"), "+key = 'kept'" in diff) == (1, True)
    record = store.read(folder)
    assert (record.history[-1].what, record.history[-1].by) == ("redacted", "doctor")
    assert typed(capsys, tmp_path, "doctor").code == 0


def test_other_file_with_a_credential_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = an_old_run(tmp_path / "outputs")
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard" / "events.out.tfevents.1").write_bytes(b"\0\1PLANTED\0")
    assert "tensorboard/events.out.tfevents.1" in typed(capsys, tmp_path, "doctor").out


def test_plan_of_an_old_sweep_is_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = "seeds_20261120_120000_a1b2_sweep"
    a_run(tmp_path / "outputs", ID, sweep=sweep)
    plan = tmp_path / "outputs" / sweep / "multirun.yaml"
    plan.write_text("hydra:\n  overrides:\n    task:\n    - +tracker.api_key=PLANTED,PLANTED\n    - seed=1,2\n")
    assert typed(capsys, tmp_path, "doctor", "--fix").code == 0
    assert "+tracker.api_key=***masked***\n" in plan.read_text()
    assert "seed=1,2" in plan.read_text()


def write_ledger(models: Path, entries: Sequence[Entry]) -> None:
    """Write a valid chain of these entries, as they are."""
    chain: list[Entry] = []
    for entry in entries:
        linked = replace(entry, prev=chain[-1].hash if chain else ledger.START, hash="")
        chain.append(replace(linked, hash=ledger.digest(linked)))
    (models / ledger.FILE).write_bytes(b"".join(ledger.canonical(entry) + b"\n" for entry in chain))
    (models / consistency.REGISTRY).write_bytes(state.snapshot(chain))


def an_old_bundle(world: World, home: Path) -> Path:
    """Promote a run, and give its bundle and the ledger what an earlier version wrote."""
    run = a_trained_run(home / "outputs", home / "models", world)
    request = Request(run=run, by="ada", reason="x")
    promote(request, outputs=home / "outputs", models=home / "models", policy=policy(), now=NOW)
    models = home / "models"
    folder = models / "production" / "attention_v1"
    record = store.decode((folder / "run.json").read_bytes(), folder)
    (folder / "run.json").write_bytes(encode(with_old_lineage(record)))
    (folder / "training.yaml").write_text(CONFIG)
    (folder / "git.diff").write_text(OLD_DIFF)
    checksums = bundle.seal(folder)
    write_ledger(models, [replace(entry, checksums=checksums) for entry in ledger.verified_entries(models)])
    assert verify.check(models).ok
    return folder


def test_old_bundle_is_masked_with_an_entry(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = an_old_bundle(world, tmp_path)
    answer = typed(capsys, tmp_path, "doctor")
    assert (answer.code, "git.diff, run.json, training.yaml" in answer.out) == (1, True)
    assert typed(capsys, tmp_path, "doctor", "--fix").code == 0
    for needle in ("PLANTED", "/home/ada", "diff --git"):
        assert places_of(needle, [folder]) == []
    assert not (folder / "git.diff").exists()
    last = ledger.verified_entries(tmp_path / "models")[-1]
    assert (last.what, last.bundle, last.by) == ("redacted", "attention_v1", "mhc")
    assert verify.check(tmp_path / "models").ok
    assert Registry(tmp_path / "models").folder("champion") == folder
    assert typed(capsys, tmp_path, "doctor").code == 0


def test_bundle_that_was_changed_is_not_masked(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = an_old_bundle(world, tmp_path)
    (folder / "calibration.json").write_text("{}")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert "calibration.json was changed" in typed(capsys, tmp_path, "doctor", "--fix").out
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


KILLED = """
import os, signal, sys
from pathlib import Path
from mhc.policy import load
from mhc.retention import bundle_redaction
from mhc.runs import atomic
sys.path.insert(0, "")
left = int(sys.argv[2])

def stop(event, arguments):
    global left
    if event == "os.rename" and "attention_v1" in str(arguments[1]):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(stop)
bundle_redaction.redact(Path(sys.argv[1]), "attention_v1", load().promotion)
"""


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_masking_that_was_killed_is_completed_later(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], renames: int
) -> None:
    folder = an_old_bundle(world, tmp_path)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "models"), str(renames)]
    killed = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert killed.returncode == -signal.SIGKILL
    typed(capsys, tmp_path, "doctor", "--fix")
    assert places_of("PLANTED", [folder]) == []
    assert [entry.what for entry in ledger.verified_entries(tmp_path / "models")] == ["promoted", "redacted"]
    assert verify.check(tmp_path / "models").wrong == []


def test_credential_in_the_ledger_is_named_and_shown_masked(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    an_old_bundle(world, tmp_path)
    entries = ledger.verified_entries(tmp_path / "models")
    published = replace(ledger.draft("published", "ada", "x"), seq=2, at=entries[-1].at, bundle="attention_v1",
                        to="https://ada:PLANTED@host/models")  # fmt: skip
    write_ledger(tmp_path / "models", [*entries, published])
    before = (tmp_path / "models" / "ledger.jsonl").read_bytes()
    answer = typed(capsys, tmp_path, "doctor", "--fix")
    assert answer.code == 1
    assert "Entry 2 of" in answer.out
    assert "Revoke the credential" in answer.out
    assert (tmp_path / "models" / "ledger.jsonl").read_bytes().startswith(before)
    for words in (["history"], ["history", "--json"]):
        shown = typed(capsys, tmp_path, *words).out
        assert ("PLANTED" in shown, "https://***masked***@host/models" in shown) == (False, True)


def test_new_entries_and_records_hold_no_credential(tmp_path: Path) -> None:
    with ledger.changing(tmp_path, NOW) as writer:
        draft = replace(ledger.draft("published", "ada", "token=PLANTED"), to="https://a:PLANTED@host/x?sig=PLANTED")
        writer.append(draft, NOW)
    assert "PLANTED" not in (tmp_path / ledger.FILE).read_text()
    (tmp_path / ID).mkdir()
    written = store.create(tmp_path / ID, replace(with_old_lineage(a_record(ID)), note="password: PLANTED7"))
    assert places_of("PLANTED", [tmp_path / ID]) == []
    assert json.loads((tmp_path / ID / "run.json").read_bytes())["note"] == written.note == "password: ***masked***"
