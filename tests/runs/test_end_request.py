"""A request to end that a finaliser discards is neither lost nor printed."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from mhc.runs.end_request import Terminated, raise_pending
from mhc.runs.signals import signals_raise


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
        raise_pending()


def test_request_in_a_finaliser_is_raised_later_and_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: printed.append(str(unraisable.exc_value)))
    with pytest.raises(Terminated):
        finalise_two_objects()
    assert printed == ["broken"]
