from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mhc.errors import BadInput, Unreadable
from mhc.production import ledger

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def written(models: Path, count: int) -> list[bytes]:
    """Write a ledger of `count` entries, and return its lines."""
    with ledger.changing(models, NOW) as writer:
        for number in range(count):
            writer.append(replace(ledger.draft("alias set", "ada", f"reason {number}"), alias="x"), NOW)
    return (models / ledger.FILE).read_bytes().splitlines(keepends=True)


def test_missing_ledger_is_empty(tmp_path: Path) -> None:
    assert ledger.read(tmp_path) == ledger.Chain()
    assert ledger.verified_entries(tmp_path) == []


def test_each_line_carries_the_hash_of_the_line_before(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in written(tmp_path, 3)]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert [line["prev"] for line in lines] == [ledger.START, lines[0]["hash"], lines[1]["hash"]]


def test_lines_are_canonical(tmp_path: Path) -> None:
    for line in written(tmp_path, 2):
        canonical = json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")).encode() + b"\n"
        assert line == canonical


def test_appending_never_changes_earlier_lines(tmp_path: Path) -> None:
    before = b"".join(written(tmp_path, 2))
    written(tmp_path, 1)
    assert (tmp_path / ledger.FILE).read_bytes().startswith(before)


CHANGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "deleted": lambda lines: [lines[0], *lines[2:]],
    "doubled": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "swapped": lambda lines: [lines[1], lines[0], *lines[2:]],
    "first one cut off": lambda lines: lines[1:],
    "edited": lambda lines: [lines[0].replace(b"ada", b"bob"), *lines[1:]],
    "blank line": lambda lines: [lines[0], b"\n", *lines[1:]],
    "blanks added": lambda lines: [lines[0].replace(b",", b", ", 1), *lines[1:]],
    "field added": lambda lines: [lines[0].replace(b"{", b'{"aa":1,', 1), *lines[1:]],
    "carriage returns": lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_ledger_is_refused(tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = written(tmp_path, 4)
    (tmp_path / ledger.FILE).write_bytes(b"".join(change(lines)))
    with pytest.raises(Unreadable, match=r"was changed: line \d .*It is not used for any decision"):
        ledger.verified_entries(tmp_path)
    with pytest.raises(Unreadable), ledger.changing(tmp_path, NOW):
        pytest.fail("a change must not begin on a broken chain")


def test_rewritten_entry_with_a_valid_hash_breaks_the_chain(tmp_path: Path) -> None:
    lines = written(tmp_path, 3)
    entry = ledger.decode(lines[0]).entries[0]
    forged = replace(entry, by="bob")
    forged = replace(forged, hash=ledger.digest(forged))
    (tmp_path / ledger.FILE).write_bytes(ledger.canonical(forged) + b"\n" + b"".join(lines[1:]))
    assert ledger.read(tmp_path).flaw == "line 2 does not follow the line before it"


def test_line_torn_at_any_byte_is_not_a_flaw(tmp_path: Path) -> None:
    lines = written(tmp_path, 3)
    for length in range(1, len(lines[2])):
        (tmp_path / ledger.FILE).write_bytes(b"".join(lines[:2]) + lines[2][:length])
        book = ledger.read(tmp_path)
        assert (len(book.entries), book.flaw, book.torn) == (2, "", lines[2][:length])


def test_next_change_removes_a_torn_line_and_records_it(tmp_path: Path) -> None:
    lines = written(tmp_path, 3)
    (tmp_path / ledger.FILE).write_bytes(b"".join(lines[:2]) + lines[2][:40])
    written(tmp_path, 1)
    entries = ledger.verified_entries(tmp_path)
    assert [entry.what for entry in entries] == ["alias set", "alias set", "mended", "alias set"]
    assert "a torn last line of 40 bytes" in entries[2].why


def test_times_never_decrease_even_if_the_clock_does(tmp_path: Path) -> None:
    with ledger.changing(tmp_path, NOW) as writer:
        first = writer.append(ledger.draft("alias set", "ada", "x"), NOW)
        second = writer.append(ledger.draft("alias set", "ada", "y"), NOW - timedelta(days=3))
    assert first.at == second.at


def test_models_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with (
        pytest.raises(BadInput, match=r"Could not create .*models.*--models"),
        ledger.changing(tmp_path / "models", NOW),
    ):
        pytest.fail("there is no folder")


@given(text=st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_back_unchanged(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    models = tmp_path_factory.mktemp("models")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    with ledger.changing(models, NOW) as writer:
        writer.append(ledger.draft("alias set", text, text), NOW)
    assert (ledger.verified_entries(models)[0].by, ledger.verified_entries(models)[0].why) == (text, text)
    assert (models / ledger.FILE).read_bytes().isascii()


def append_some(models: Path, start: multiprocessing.synchronize.Barrier, who: str) -> None:
    start.wait()
    for _ in range(10):
        with ledger.changing(models, NOW) as writer:
            writer.append(ledger.draft("alias set", who, "because"), NOW)


def test_eight_concurrent_writers_make_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(8)
    workers = [context.Process(target=append_some, args=(tmp_path, start, f"w{n}")) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    entries = ledger.verified_entries(tmp_path)
    assert [worker.exitcode for worker in workers] == [0] * 8
    assert sorted(entry.by for entry in entries) == sorted(f"w{n}" for n in range(8) for _ in range(10))
