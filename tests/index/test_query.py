"""The language of --where: its results, its error messages, and that no input breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mhc.errors import BadConfig, BadInput
from mhc.index import fields
from mhc.index.index import Index
from mhc.index.query import Expression, parse
from mhc.index.selection import RunFilter, Selection, Sort
from mhc.policy import load
from mhc.record import Gate, MetricsBySplit, encode
from tests.support.builders import NOW, a_record, a_run, metrics, model_facts


def holds(expression: Expression, record: Mapping[str, object]) -> bool:
    """Return whether `expression` holds for a decoded record."""
    return expression.holds(lambda path: fields.value_at(record, path))


RECORDS = {
    "good": a_record(
        "good_20261120_120000_0001",
        accuracy=0.7,
        f1_macro=0.66,
        tags=["research", "paper"],
        candidate=True,
        gates=[Gate(name="recall", verdict="passed", reason="")],
        model="medium",
        note="label smoothing",
        sweep="s1",
    ),
    "poor": a_record(
        "poor_20261119_120000_0002",
        created=NOW - timedelta(days=1),
        took=timedelta(hours=2),
        accuracy=0.5,
        f1_macro=0.4,
        candidate=False,
        gates=[Gate(name="recall", verdict="failed", reason="")],
        tags=["research"],
    ),
    "failed": a_record("failed_20261101_120000_0003", created=NOW - timedelta(days=19), status="failed", pinned=True),
    "debug": a_record("debug_20261120_110000_0004", created=NOW - timedelta(hours=1), category="debug", group=""),
}
EXPRESSIONS = [
    ("f1_macro >= 0.5", "good debug"),
    ("f1_macro < .5", "poor"),
    ("metrics.test.f1_macro == 0.66", "good"),
    ("val.accuracy > 0.6", "good debug"),
    ("metrics.test.recall.depression >= 0.6", "good"),
    ('recall."depression" >= 0.6', "good"),
    ("recall.no_such_label > 0", ""),
    ("model.parameters < 5e6", "good poor failed debug"),
    ("parameters < 4_700_000", ""),
    ("model = medium", "good"),
    ("model.name in (medium, large)", "good"),
    ("tags has research", "good poor"),
    ("tags has research and not tags has paper", "poor"),
    ("tags has resea", ""),
    ("tags ~ resea", "good poor"),
    ("candidate", "good"),
    ("candidate = false", "poor"),
    ("candidate = no", "poor"),
    ("candidate is null", "failed debug"),
    ("not candidate", "poor failed debug"),
    ("pinned", "failed"),
    ("status = failed or category = debug", "failed debug"),
    ("status != completed", "failed"),
    ("(status = failed or category = debug) and not pinned", "debug"),
    ("NOT status = failed AND category = baseline", "good poor"),
    ("name ~ OO", "good poor"),
    ("name !~ oo", "failed debug"),
    ("note = 'label smoothing'", "good"),
    ('note ~ "smooth"', "good"),
    ("note is not null", "good"),
    ("sweep = s1", "good"),
    ("sweep is null", "poor failed debug"),
    ("group = null", "debug"),
    ("created_at > 2d", "good poor debug"),
    ("created_at < 2026-11-19T18:00", "poor failed"),
    ("created_at >= 2026-11-20", "good debug"),
    ("age <= 1h", "good debug"),
    ("duration > 1h30m", "poor"),
    ("timing.fit_s < 15m", "good failed debug"),
    ("lineage.packages.torch ~ '2.13'", "good poor failed debug"),
    ("promotion.gates.verdict has failed", "poor"),
    ("history.what has failed", "failed"),
    ("data.labels has anxiety and data.splits.test.rows = 1000", "good poor failed debug"),
    ("location = active and path ~ good", "good"),
    ("seed = 1 and id ~ 0002", "poor"),
    ("metrics.test is null", "failed"),
    ("imported.anything.at.all = 3", ""),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    outputs = tmp_path_factory.mktemp("outputs")
    for record in RECORDS.values():
        folder = outputs / record.id
        folder.mkdir()
        (folder / "run.json").write_bytes(encode(record))
    return Index(outputs, outputs / "none", lambda: load().liveness)


@pytest.mark.parametrize(("text", "names"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_expression_selects_these_runs(index: Index, text: str, names: str) -> None:
    rows = Selection(index, RunFilter(where=parse(text, NOW)), NOW).rows()
    assert {row.name for row in rows} == set(names.split())


@pytest.mark.parametrize(
    "text", [text for text, _ in EXPRESSIONS if not {"age", "duration", "location"} & set(text.split())]
)
def test_index_and_record_give_the_same_result(index: Index, text: str) -> None:
    """The index stores some fields as columns; they must have the values of the record."""
    expression = parse(text, NOW)
    selected = {row.id for row in Selection(index, RunFilter(where=expression), NOW).rows()}
    records = [msgspec.json.decode(encode(record)) for record in RECORDS.values()]
    assert selected == {record["id"] for record in records if holds(expression, record)}


ERRORS = [
    ("f1_macro >= abc and candidate", "A number is expected here, not 'abc':", "f1_macro >= abc", "            ^"),
    ("f1_makro > 1", "There is no field 'f1_makro'; did you mean 'f1_macro':", "f1_makro", "^"),
    ("metrics.test.foo = 1", "There is no field 'metrics.test.foo'; metrics.test has:", "metrics", "^"),
    ("(status = failed", "A closing parenthesis is expected here:", "(status", "                ^"),
    ("status = failed)", "'And', 'or' or the end is expected here:", "status", "               ^"),
    ("status = ", "A value is expected after '=':", "status", "        ^"),
    ("= 3", "The name of a field is expected here:", "= 3", "^"),
    ("", "The name of a field is expected here:", "", "^"),
    ("created_at > soon", "A time, such as 2026-11-01 or 7d (seven days ago), is expected here", "cr", " " * 13 + "^"),
    ("parameters < 5m", "A number is expected here, not '5m':", "parameters", "             ^"),
    ("candidate = maybe", "True or false is expected here, not 'maybe':", "candidate", "            ^"),
    ("metrics.test = 3", "Null (this is a group of fields; name one of them", "metrics", "               ^"),
    ("f1_macro ~ 3", "This field is a number, which has no parts", "f1_macro", "           ^"),
    ("name = 'x", "This quotation mark is not closed:", "name", "       ^"),
    ("name = x !", "This is not valid here:", "name", "         ^"),
    ("status in failed", "'(' and a list of values is expected here:", "status", "          ^"),
    ("status in (failed lost)", "',' or ')' is expected here:", "status", "                  ^"),
    ("status is failed", "'Null' is expected here:", "status", "          ^"),
    ("name = a b", "'And', 'or' or the end is expected here:", "name", "         ^"),
]


@pytest.mark.parametrize(("text", "sentence", "excerpt", "caret"), ERRORS, ids=[text for text, *_ in ERRORS])
def test_error_points_at_its_position(text: str, sentence: str, excerpt: str, caret: str) -> None:
    with pytest.raises(BadInput) as raised:
        parse(text, NOW)
    first, line, pointer = str(raised.value).split("\n")
    assert first.lower().startswith(sentence.lower())
    assert line.startswith(f"  {excerpt}")
    assert pointer == f"  {caret}"


def test_parentheses_nested_too_deep_are_refused() -> None:
    for text in ("(" * 1900, "not " * 450 + "pinned"):
        with pytest.raises(BadInput, match="nested parentheses"):
            parse(text, NOW)
    assert holds(parse("(" * 30 + "pinned" + ")" * 30, NOW), {"pinned": True})


def test_overlong_expression_is_refused() -> None:
    with pytest.raises(BadInput, match="at most 2,000 characters"):
        parse("a" * 10_000, NOW)


WORDS = st.sampled_from(
    ["f1_macro", "tags", "created_at", "model.parameters", "history.what", "imported.x", "metrics.test", "age", "and",
     "or", "not", "(", ")", ",", "=", "!=", "<", ">=", "~", "has", "in", "is", "null", "true", "7d", "0.5", "'a b'",
     '"', "1e999", "nan", "99999999999y", "0001-01-01", "..", "a.b.", "recall.'x"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=12).map(" ".join)))
@example("created_at > 99999999y")
@example("f1_macro > nan")
@example("created_at < 0001-01-01T00:00+14:00")
def test_invalid_text_raises_only_bad_input(text: str) -> None:
    try:
        expression = parse(text, datetime.now(UTC))
    except (BadInput, BadConfig):
        return
    for record in RECORDS.values():
        assert holds(expression, msgspec.json.decode(encode(record))) in (True, False)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
    max_leaves=6,
))  # fmt: skip
def test_any_recorded_value_can_be_compared(value: object) -> None:
    for operator in ("= 3", "!= a", "< 2", ">= 'a'", "~ a", "has x", "in (1, a, null)", "is null", ""):
        assert holds(parse(f"imported.it {operator}", NOW), {"imported": {"it": value}}) in (True, False)


def test_sort_by_any_field_puts_missing_values_last(tmp_path: Path) -> None:
    for number, recall in enumerate(({"depression": 0.1}, {}, {"depression": 0.5})):
        test = msgspec.structs.replace(metrics(0.6, 0.5), recall=recall)
        a_run(tmp_path, f"run_20261120_12000{number}_000{number}", metrics=MetricsBySplit(test=test))
    index = Index(tmp_path, tmp_path / "none", lambda: load().liveness)
    selection = Selection(index, RunFilter(), NOW)
    assert [row.id[-1] for row in selection.rows(Sort.by("recall.depression"))] == ["2", "0", "1"]
    assert [row.id[-1] for row in selection.rows(Sort.by("recall.depression", reverse=True))] == ["0", "2", "1"]
    assert [row.id[-1] for row in selection.rows(Sort.by("id"))] == ["0", "1", "2"]
    assert [row.id[-1] for row in selection.rows(Sort.by("id", reverse=True), limit=2)] == ["2", "1"]


def test_model_facts_have_short_names() -> None:
    record = msgspec.json.decode(encode(a_record(model="tiny")))
    assert holds(parse("model = tiny and parameters > 4e6 and synthetic = false", NOW), record)
    assert model_facts("tiny").name == "tiny"
