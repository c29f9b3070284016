"""A request to end is recorded wherever it arrives, and neither lost nor printed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from mhc.record import Status
from mhc.runs import end_request, folders, store
from mhc.runs.end_request import PARENT_ENDED, Terminated
from mhc.runs.outcome import recording
from mhc.runs.signals import safe_point, signals_deferred, signals_raise
from tests.runs.test_live import NOW, end_with, start


class Closed:
    """An object that is asked to end while it is finalised."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.getpid()


class Broken:
    """An object whose finaliser fails by itself."""

    def __del__(self) -> None:
        raise ValueError("broken")


def finalise_two_objects() -> None:
    with signals_raise():
        Closed()
        Broken()
        safe_point()


def test_request_in_a_finaliser_is_raised_later_and_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: printed.append(str(unraisable.exc_value)))
    with pytest.raises(Terminated):
        finalise_two_objects()
    assert printed == ["broken"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, PARENT_ENDED])
def test_request_that_another_thread_takes_is_recorded(tmp_path: Path, signum: signal.Signals) -> None:
    """A mask of the main thread would leave the signal to the other thread, and the process would end without it."""
    folder = folders.claim(tmp_path / "outputs", "asked", NOW)
    worker = multiprocessing.get_context("spawn").Process(target=register_and_be_asked, args=(folder, signum))
    worker.start()
    worker.join()
    record = store.read(folder)
    assert (record.status, record.status_reason) == (Status.INTERRUPTED, Terminated(signum).reason)
    assert not (folder / "trained").exists()


def register_and_be_asked(folder: Path, signum: signal.Signals) -> None:
    """Be asked to end while a run is registered, in a process with a further thread."""
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    with signals_deferred():
        run = start(folder)
        os.kill(os.getpid(), signum)
        os.getpid()
    with recording(run):
        (folder / "trained").touch()


def test_request_waits_for_the_next_safe_point() -> None:
    """Raised within `with condition`, it would leave a library's lock closed for ever."""
    passed: list[str] = []
    with pytest.raises(Terminated):
        be_asked_within_a_batch(passed)
    assert passed == ["the rest of the batch"]


def be_asked_within_a_batch(passed: list[str]) -> None:
    with signals_raise():
        safe_point()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        passed.append("the rest of the batch")
        safe_point()
        passed.append("the next batch")


def test_request_in_a_long_batch_is_raised_after_a_while() -> None:
    with pytest.raises(Terminated):
        be_asked_within_a_long_batch()


def be_asked_within_a_long_batch() -> None:
    with signals_raise():
        safe_point()
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(10 * end_request.PATIENCE)


def test_request_in_the_last_batch_is_recorded(tmp_path: Path) -> None:
    run = start(folders.claim(tmp_path / "outputs", "asked", NOW))

    def train() -> None:
        safe_point()
        os.kill(os.getpid(), signal.SIGTERM)

    end_with(run, Terminated, train)
    assert run.record().status is Status.INTERRUPTED
