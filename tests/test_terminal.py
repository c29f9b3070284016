"""Text from a disk is cleaned before it reaches the terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhc.terminal import clean, clean_lines, cut_middle, escape_json


@given(st.text())
def test_cleaned_text_is_one_line_of_visible_characters(text: str) -> None:
    cleaned = clean(text, 50)
    assert len(cleaned) <= 50
    assert [letter for letter in cleaned if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")] == []
    assert "\u202e" not in cleaned


@given(st.text())
def test_cleaned_lines_have_no_control_character_but_newlines(text: str) -> None:
    controls = {letter for letter in clean_lines(text) if unicodedata.category(letter) in ("Cc", "Cs")}
    assert controls <= {"\n"}


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_escaped_json_has_equal_values_and_is_visible(value: object) -> None:
    text = escape_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(text) == value
    assert not any(letter in text for letter in "\x1b\x7f\x9b\u202e\u200b\ufeff")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07name", "name"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("a\r\nb\tc", "a b c"),
        ("\u202eevil", "evil"),
        ("x" * 600, "x" * 499 + "…"),
        ("für Ärzte 日本", "für Ärzte 日本"),
    ],
    ids=["colour", "title", "link", "c1", "lines", "direction", "long", "letters"],
)
def test_escape_sequences_are_removed_completely(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_id_cut_in_the_middle_has_both_ends() -> None:
    assert cut_middle("attention_20261120_120000_a1b2", 22) == "attention_202611…_a1b2"
    assert cut_middle("short", 22) == "short"
