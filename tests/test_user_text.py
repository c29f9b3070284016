"""The texts of users: one line for names, limits, and only UTF-8."""

from __future__ import annotations

import pytest

from mhc import user_text
from mhc.errors import BadInput

NAMES = {
    "a line break": ("ada\n2026-01-01 bob", "line break"),
    "a carriage return": ("ada\rbob", "line break"),
    "a line separator": ("ada\u2028bob", "line break"),
    "an escape": ("\x1b[31mada", "control character"),
    "another direction": ("ada\u202ebob", "control character"),
    "too long": ("a" * 201, "201 characters. Give at most 200"),
    "not UTF-8": ("ad\udcffa", "not UTF-8"),
    "blank": ("  ", "needs an author and a reason"),
}


@pytest.mark.parametrize(("name", "sentence"), NAMES.values(), ids=NAMES)
def test_name_that_cannot_be_recorded_is_refused(name: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        user_text.require_author("A test", name, "a reason")


@pytest.mark.parametrize("reason", ["", "a" * 2001, "a\x1b[31mb", "a\udcff", "a\rb", "a\u2028b"])
def test_reason_that_cannot_be_recorded_is_refused(reason: str) -> None:
    with pytest.raises(BadInput):
        user_text.require_author("A test", "ada", reason)


@pytest.mark.parametrize("name", ["Ada Lovelace", "Zoë", "김철수", "محمد", "نازنین‌زهرا", "a" * 200])
def test_names_of_all_scripts_and_long_reasons_are_taken(name: str) -> None:
    user_text.require_author("A test", name, "several\nlines,\tand more " + "x" * 1900)
