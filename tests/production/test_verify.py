from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mhc.errors import Unreadable
from mhc.production import aliases, bundle, change, consistency, ledger, snapshot, state, verify
from mhc.production.api import Registry
from mhc.production.decision import Request
from mhc.production.promote import promote
from tests.support.promotions import NOW, World, a_trained_run, policy

NUMBER_OF_CHANGES = 1200


@pytest.fixture(scope="module")
def populated(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a models folder with three bundles and a history: aliases, a rollback, a retirement."""
    outputs, models = (tmp_path_factory.mktemp("populated") / name for name in ("outputs", "models"))
    run = a_trained_run(outputs, models, world)
    for _ in range(3):
        promote(Request(run=run, by="ada", reason="x"), outputs=outputs, models=models, policy=policy(), now=NOW)
    registry = Registry(models, outputs)
    registry.set_alias("challenger", "attention_v2", by="ada", reason="to be compared")
    registry.rollback(by="bob", reason="worse in the field")
    registry.remove_alias("challenger", by="ada", reason="it is champion")
    registry.retire("attention_v3", by="bob", reason="worse in the field")
    registry.set_alias("challenger", "attention_v1", by="ada", reason="again")
    return models


@pytest.fixture
def models(populated: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may change."""
    return Path(shutil.copytree(populated, tmp_path / "models"))


def test_unchanged_models_folder_is_ok(models: Path) -> None:
    report = verify.check(models)
    assert (report.wrong, report.leftover) == ([], [])
    assert (report.entries, report.bundles) == (8, 3)


def flip(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]


def delete(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + content[at + chance.randrange(1, 9) :]


def insert(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.randbytes(chance.randrange(1, 9)) + content[at:]


def truncate(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def reorder(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def drop_lines(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return b"".join(lines[:at] + lines[at + chance.randrange(1, 4) :])


def double_a_line(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return b"".join([*lines[: at + 1], *lines[at:]])


Change = Callable[[bytes, random.Random], bytes]
CHANGES: tuple[Change, ...] = (flip, delete, insert, truncate, reorder, drop_lines, double_a_line)


def changed_files(models: Path, chance: random.Random) -> Iterator[str]:
    """Change one file at a time, yield a description of the change, and restore the file."""
    originals = {path: path.read_bytes() for path in sorted(models.rglob("*")) if path.is_file()}
    records = [models / ledger.FILE, models / consistency.REGISTRY]
    in_bundles = [path for path in originals if models / bundle.FOLDER in path.parents]
    for _ in range(NUMBER_OF_CHANGES):
        path = chance.choice(records) if chance.random() < 0.4 else chance.choice(in_bundles)
        change = chance.choice(CHANGES)
        content = change(originals[path], chance)
        if content == originals[path]:
            content = flip(originals[path], chance)
        path.write_bytes(content)
        yield f"{change.__name__} {path.relative_to(models)}"
        path.write_bytes(originals[path])


@pytest.mark.slow
def test_all_of_1200_random_changes_are_found(models: Path) -> None:
    missed = [description for description in changed_files(models, random.Random(5)) if verify.check(models).ok]
    assert missed == []
    assert verify.check(models).ok


def remove_a_file(models: Path) -> None:
    (models / "production" / "attention_v1" / "README.md").unlink()


def remove_a_bundle(models: Path) -> None:
    shutil.rmtree(models / "production" / "attention_v2")


def add_a_file(models: Path) -> None:
    (models / "production" / "attention_v1" / "notes.txt").write_text("hello")


def add_a_folder(models: Path) -> None:
    (models / "production" / "stranger").mkdir()


def swap_two_bundles(models: Path) -> None:
    production = models / "production"
    (production / "attention_v1").rename(production / "x")
    (production / "attention_v2").rename(production / "attention_v1")
    (production / "x").rename(production / "attention_v2")


def link_the_weights(models: Path) -> None:
    path = models / "production" / "attention_v1" / bundle.WEIGHTS
    path.rename(models / "elsewhere")
    path.symlink_to(models / "elsewhere")


def link_a_bundle(models: Path) -> None:
    path = models / "production" / "attention_v1"
    path.rename(models / "elsewhere")
    path.symlink_to(models / "elsewhere")


def reseal_a_changed_bundle(models: Path) -> None:
    folder = models / "production" / "attention_v1"
    (folder / "config.json").write_text("{}")
    bundle.seal(folder)


def cut_the_ledger(models: Path) -> None:
    lines = (models / ledger.FILE).read_bytes().splitlines(keepends=True)
    (models / ledger.FILE).write_bytes(b"".join(lines[:-1]))


def cut_the_ledger_before_the_last_bundle(models: Path) -> None:
    """Also write the matching registry.json."""
    lines = (models / ledger.FILE).read_bytes().splitlines(keepends=True)
    (models / ledger.FILE).write_bytes(b"".join(lines[:1]))
    snapshot.write(models, ledger.read(models).entries, None, "")


def remove_the_ledger(models: Path) -> None:
    (models / ledger.FILE).unlink()


def remove_the_snapshot(models: Path) -> None:
    (models / consistency.REGISTRY).unlink()


def forge_the_last_entry(models: Path) -> None:
    """Write it with a valid hash."""
    from msgspec.structs import replace

    entries = ledger.verified_entries(models)
    forged = replace(entries[-1], by="eve")
    forged = replace(forged, hash=ledger.digest(forged))
    lines = [ledger.canonical(entry) + b"\n" for entry in (*entries[:-1], forged)]
    (models / ledger.FILE).write_bytes(b"".join(lines))


TAMPERINGS = (
    remove_a_file, remove_a_bundle, add_a_file, add_a_folder, swap_two_bundles, link_the_weights, link_a_bundle,
    reseal_a_changed_bundle, cut_the_ledger, cut_the_ledger_before_the_last_bundle, remove_the_ledger,
    remove_the_snapshot, forge_the_last_entry,
)  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_tampering_is_found(models: Path, tamper: Callable[[Path], None]) -> None:
    tamper(models)
    report = verify.check(models)
    assert report.wrong
    with pytest.raises(Unreadable, match=r"Nothing was changed, because this is wrong|was changed"):
        verify.fix(models)


def test_newest_entries_and_all_references_cut_off_are_missed(models: Path) -> None:
    """Documented in the module's docstring; a git commit or tag of the ledger detects it."""
    cut_the_ledger(models)
    snapshot.write(models, ledger.read(models).entries, None, "")
    assert verify.check(models).ok


def test_clone_without_weights_can_be_verified(models: Path) -> None:
    for path in models.rglob("*.safetensors"):
        path.unlink()
    assert not verify.check(models).ok
    assert verify.check(models, without_weights=True).ok


def test_leftovers_of_kills_are_not_tampering_and_are_cleared(models: Path) -> None:
    (models / "production" / ".attention_v4.draft").mkdir()
    lines = (models / ledger.FILE).read_bytes()
    (models / ledger.FILE).write_bytes(lines + lines.splitlines(keepends=True)[0][:30])
    old = state.snapshot(ledger.read(models).entries[:-1])
    (models / consistency.REGISTRY).write_bytes(old)
    report = verify.check(models)
    assert report.wrong == []
    assert len(report.leftover) == 3
    assert verify.fix(models).ok


def test_broken_ledger_stops_changes_and_decisions(models: Path) -> None:
    path = models / ledger.FILE
    path.write_bytes(path.read_bytes().replace(b"bob", b"eve", 1))
    registry = Registry(models)
    for action in (
        registry.champion,
        lambda: registry.rollback(by="ada", reason="x"),
        lambda: aliases.set_alias(models, "x", "attention_v1", by="ada", reason="x", policy=policy()),
    ):
        with pytest.raises(Unreadable, match="was changed: line"):
            action()


def snapshot_of(models: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(models)): path.read_bytes()
        for path in models.rglob("*")
        if path.is_file() and path.name != "run.lock"
    }


LOST = (
    cut_the_ledger, cut_the_ledger_before_the_last_bundle, remove_the_ledger, remove_the_snapshot, forge_the_last_entry
)  # fmt: skip


@pytest.mark.parametrize("tamper", LOST, ids=lambda tamper: tamper.__name__)
def test_no_change_is_made_after_the_ledger_lost_entries(models: Path, tamper: Callable[[Path], None]) -> None:
    tamper(models)
    before = snapshot_of(models)
    registry = Registry(models)
    for action in (
        lambda: registry.rollback(by="ada", reason="x"),
        lambda: registry.set_alias("x", "attention_v1", by="ada", reason="x"),
        lambda: registry.remove_alias("challenger", by="ada", reason="x"),
        lambda: registry.retire("attention_v2", by="ada", reason="x"),
        lambda: change.rebuild_registry(models, by="", reason="", now=NOW),
        lambda: verify.fix(models),
    ):
        with pytest.raises(Unreadable, match=r"so nothing is changed now:\n  \S|was changed: line"):
            action()
    assert snapshot_of(models) == before


def test_missing_ledger_beside_bundles_is_named(models: Path) -> None:
    remove_the_ledger(models)
    remove_the_snapshot(models)
    assert (
        verify.check(models).wrong[0]
        == "ledger.jsonl is missing, but there is attention_v1, attention_v2, attention_v3"
    )


def test_complete_bundle_without_entry_and_note_is_wrong(models: Path) -> None:
    """A killed promotion leaves a note beside its bundle; without it, the entry was removed."""
    lines = (models / ledger.FILE).read_bytes().splitlines(keepends=True)
    (models / ledger.FILE).write_bytes(b"".join(lines[:2]))
    snapshot.write(models, ledger.read(models).entries, None, "")
    assert verify.check(models).wrong == ["'attention_v3' in production has no entry in the ledger"]
    checksums = models / "production" / "attention_v3" / bundle.CHECKSUMS
    (models / ".attention_v3.pending").write_text(hashlib.sha256(checksums.read_bytes()).hexdigest())
    assert verify.check(models).wrong == []


def test_leftovers_are_moved_aside_and_recorded(models: Path) -> None:
    draft = models / "production" / ".attention_v4.draft"
    draft.mkdir()
    (draft / "config.json").write_text("{}")
    report = verify.fix(models, NOW)
    assert report.ok
    assert report.moved == [".aside/attention_v4.draft-20261121T090000Z"]
    assert (models / report.moved[0] / "config.json").read_text() == "{}"
    last = ledger.verified_entries(models)[-1]
    assert (last.what, last.by) == ("mended", "mhc")
    assert ".attention_v4.draft, which the ledger did not know, was moved to .aside/" in last.why


def test_every_change_of_production_checks_the_ledger_first() -> None:
    """`ledger.changing` alone does not compare the ledger with the bundles."""
    sources = Path(ledger.__file__).parent.parent.rglob("*.py")
    assert [path.name for path in sources if "ledger.changing(" in path.read_text()] == ["change.py"]
