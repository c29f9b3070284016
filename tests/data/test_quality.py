"""Damaged texts, placeholders, repeats, authors who are none, and small classes: mended, counted, said."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhc.data.cleaning import Rows
from mhc.data.corpus import CorpusInfo, prepare
from mhc.data.options import Cleaning, Splitting
from mhc.data.quality.placeholders import is_placeholder
from mhc.data.quality.repair import Repaired, repaired
from mhc.data.sources import Raw

Prepared = tuple[CorpusInfo, dict[str, Rows]]


@pytest.mark.parametrize(
    ("damaged", "text"),
    [
        ("rain &amp; sun", "rain & sun"),
        ("a &amp;amp;lt; b", "a < b"),
        ("I can&#39;t &#x2014; no", "I can't \u2014 no"),
        ("one<br/>two<br>three", "one two three"),
        ('<p class="x">one <b>wor</b>d</p>', " one word "),
        ("&lt;div&gt;one&lt;/div&gt;", " one "),
    ],
    ids=["entity", "twice", "number", "line break", "inline", "encoded tag"],
)
def test_entities_and_tags_are_mended(damaged: str, text: str) -> None:
    assert repaired(damaged) == Repaired(text, markup=True)


def test_mojibake_is_mended() -> None:
    damaged = "I\u00e2\u20ac\u2122m tired, caf\u00c3\u00a9"
    assert repaired(damaged) == Repaired("I\u2019m tired, caf\u00e9", mojibake=True)


@pytest.mark.parametrize(
    "text",
    [
        "I <3 you & me",
        "a < b > c",
        "R&B; AT&T",
        "<a lot of people> said &nosuch; things",
        "voil\u00e0 \u00e9t\u00e9",
        "\u6628\u591c\u306f",
        "",
    ],
    ids=["heart", "less", "ampersand", "no tag", "accents", "Japanese", "empty"],
)
def test_sound_text_is_left_as_it_is(text: str) -> None:
    assert repaired(text) == Repaired(text)


@given(
    st.text(alphabet=st.sampled_from('ab &<>;/"=#x39amp\u00e2\u20ac\u2122\u00c3\u00a9\u00a0br\u200b\n'), max_size=40)
)
def test_mending_twice_changes_nothing(text: str) -> None:
    once = repaired(text).text
    assert repaired(once) == Repaired(once)


@pytest.mark.parametrize("text", ["[removed]", "[Deleted]", "NaN", "#NAME?", "."])
def test_placeholders_are_known(text: str) -> None:
    assert is_placeholder(text)
    assert not is_placeholder(f"{text} by nobody")


@pytest.fixture
def splitting() -> Splitting:
    return Splitting(val=0.2, test=0.2, salt="mhc", train_fraction=1.0, max_train_rows=None)


@pytest.fixture
def prepared(cleaning: Cleaning, splitting: Splitting) -> Callable[..., Prepared]:
    """Return a function that prepares splits with changes of the cleaning."""

    def prepare_with(splits: dict[str, Rows], **changes: object) -> Prepared:
        return prepare(
            Raw(splits=splits, origin="f.csv"), msgspec.structs.replace(cleaning, **changes), splitting, {}, None
        )

    return prepare_with


def some(count: int, author: Callable[[int], str | None] | None = None, word: str = "note") -> Rows:
    """Return rows of different texts, half `sad`, half `ok`."""
    groups = [author(row) for row in range(count)] if author else None
    return Rows(texts=[f"{word} {row}" for row in range(count)], labels=["sad", "ok"] * (count // 2), groups=groups)


def and_texts(rows: Rows, *texts: str) -> Rows:
    return Rows(texts=[*rows.texts, *texts], labels=[*rows.labels, *(["sad"] * len(texts))])


def test_placeholders_of_a_test_split_are_named(prepared: Callable[..., Prepared]) -> None:
    test = and_texts(some(20, word="test"), "[removed]", "nan", "#NAME?", ".", "[deleted]")
    info, rows = prepared({"train": some(40), "test": test})
    assert (info.splits["test"].placeholders, len(rows["test"])) == (5, 25)
    assert any("test: 5 of 25 texts (20%) are placeholders" in note for note in info.notes)
    info, rows = prepared({"train": some(40), "test": test}, placeholders="drop")
    assert (info.cleaning["placeholders_in_test"], len(rows["test"])) == (5, 20)


def test_repeats_of_a_test_split_are_named(prepared: Callable[..., Prepared]) -> None:
    test = and_texts(some(20, word="test"), *(["the same"] * 10))
    info, rows = prepared({"train": some(40), "test": test})
    assert (info.splits["test"].most_repeated, len(rows["test"])) == (10, 30)
    assert any("test: one text makes up 33% of the rows (10 of 30)" in note for note in info.notes)
    info, rows = prepared({"train": some(40), "test": test}, repeats="drop")
    assert (info.cleaning["repeats_in_test"], len(rows["test"])) == (9, 21)


def test_deleted_is_no_author(prepared: Callable[..., Prepared]) -> None:
    _, rows = prepared({"train": some(60, lambda row: "[deleted]" if row % 3 else f"writer{row % 12}")})
    assert [10 <= len(rows[name]) <= 14 for name in ("val", "test")] == [True, True]
    assert sum(group is None for part in rows.values() for group in part.groups or ()) == 40


def test_labels_that_authors_tell_are_named(prepared: Callable[..., Prepared]) -> None:
    info, _ = prepared({"train": some(60, lambda row: f"writer{row % 6}")})
    assert any("the label can be told from the author: each of the 6 authors" in note for note in info.notes)


def test_class_that_is_too_small_to_split_is_named(prepared: Callable[..., Prepared]) -> None:
    train = some(60)
    rare = Rows(texts=[*train.texts, "a", "b"], labels=[*train.labels, "rare", "rare"])
    info, _ = prepared({"train": rare})
    assert any("too few rows of rare (2) for a row in val and test" in note for note in info.notes)


def test_what_was_mended_is_counted(prepared: Callable[..., Prepared]) -> None:
    train, test = and_texts(some(40), "rain &amp; sun"), and_texts(some(20, word="test"), "caf\u00c3\u00a9")
    info, rows = prepared({"train": train, "test": test}, repair=True)
    assert info.repairs == {"markup_in_train": 1, "mojibake_in_test": 1}
    assert rows["test"].texts[-1] == "caf\u00e9"
    assert "test: 1 text with letters of a wrong encoding (mojibake) mended (data.cleaning.repair)" in info.notes


def test_recorded_configs_without_the_key_mend_nothing(prepared: Callable[..., Prepared]) -> None:
    _, rows = prepared({"train": some(40), "test": and_texts(some(20, word="test"), "rain &amp; sun")})
    assert rows["test"].texts[-1] == "rain &amp; sun"
