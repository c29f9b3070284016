"""What the pages show: the same runs, scores, gates and history as the commands, and no text of the data."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from mhc.record import Gate
from mhc.serve.pages.runs import Query
from mhc.serve.rendering import NOTICE
from tests.support.builders import a_run, a_tree
from tests.support.measured import a_measured_run

SCRIPT = "<script>alert(1)</script>"
CANARY = "the quick canary of a post"
GOOD, BAD = "good_20261120_120000_0001", "bad_20261120_130000_0002"
PASSED = Gate(name="accuracy", verdict="passed", reason="0.62 is at least 0.55", measured=0.62, threshold=0.55)
FAILED = Gate(name="recall", verdict="failed", reason="0.08, at least 0.2", measured=0.08, threshold=0.2, remedy="rows")
PAGES = ("/", "/candidates", "/production", f"/runs/{GOOD}", f"/runs/{BAD}", f"/compare?run={GOOD}&run={BAD}", "/login")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Write two runs with evidence, one of them with hostile values, and an archived one."""
    outputs = tmp_path / "outputs"
    good = a_measured_run(outputs, GOOD, quality=3.0, f1_macro=0.7, candidate=True, gates=[PASSED])
    bad = a_measured_run(outputs, BAD, f1_macro=0.4, candidate=False, gates=[FAILED], name=SCRIPT, tags=[SCRIPT])
    a_run(outputs, "old_20260101_090000_0003", location="archived", status="failed", model="linear")
    for folder in (good, bad):
        (folder / "train.log").write_text(CANARY)
        (folder / "posts.csv").write_text(CANARY)
    return outputs


def ids_in(text: str) -> list[str]:
    return re.findall(r'<tr data-run="([^"]+)"', text)


@pytest.mark.usefixtures("runs")
def test_every_page_has_the_notice_and_no_foreign_text(client: TestClient) -> None:
    for path in PAGES:
        answer = client.get(path)
        assert answer.status_code in (200, 303), path
        if answer.status_code == 200:
            assert NOTICE in answer.text
            assert answer.text.count("<h1>") == 1
        assert SCRIPT not in answer.text
        assert CANARY not in answer.text
        assert not re.search(r"<script(?! src=\"/static/page.js\" defer>)|\son\w+=|\sstyle=|<style", answer.text)
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", answer.text)


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [BAD, GOOD, "old_20260101_090000_0003"]),
        ("where=val.f1_macro+>=+0.5", [GOOD]),
        ("where=lr+=+0.0003&status=completed", [BAD, GOOD]),
        ("location=archived", ["old_20260101_090000_0003"]),
        ("search=linear", ["old_20260101_090000_0003"]),
        ("search=script&sort=val.f1_macro", [BAD]),
        ("sort=val.f1_macro", [GOOD, BAD, "old_20260101_090000_0003"]),
        ("sort=id", [BAD, GOOD, "old_20260101_090000_0003"]),
        ("sort=id&reverse=1", ["old_20260101_090000_0003", GOOD, BAD]),
        ("category=debug", []),
        ("page=7", []),
        ("page=-1&where=", [BAD, GOOD, "old_20260101_090000_0003"]),
    ],
)
def test_filters_and_order_are_in_the_url(client: TestClient, query: str, ids: list[str]) -> None:
    answer = client.get(f"/?{query}")
    assert answer.status_code == 200
    assert sorted(ids_in(answer.text)) == sorted(ids)
    if "sort" in query:
        assert ids_in(answer.text) == ids


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("where=val.f1_macro+>=+", "val.f1_macro >=\n"),
        ("sort=nonsense", "nonsense"),
        ("status=nonsense", "No status 'nonsense'. Choose one of: "),
        ("category=nonsense", "No category 'nonsense'"),
        ("location=nonsense", "No location 'nonsense'"),
        ("since=yesterdayish", "yesterdayish"),
        (f"where={'a' * 1001}", "more than 1,000 characters"),
    ],
)
def test_wrong_filter_is_a_sentence_beside_all_runs(client: TestClient, query: str, sentence: str) -> None:
    answer = client.get(f"/?{query}")
    assert answer.status_code == 400
    problem = re.search(r'<p class="refused quoted" role="alert">(.*?)</p>', answer.text, re.DOTALL)
    assert problem is not None
    assert sentence in unescape(problem[1])
    assert len(ids_in(answer.text)) == 3


def test_long_tables_have_pages(client: TestClient, tmp_path: Path) -> None:
    a_tree(tmp_path / "outputs", 120)
    pages = [client.get(f"/?page={number}") for number in (1, 2, 3)]
    shown = [run_id for page in pages for run_id in ids_in(page.text)]
    assert [len(ids_in(page.text)) for page in pages] == [50, 50, 20]
    assert len(set(shown)) == 120
    assert 'href="/?page=2" rel="next"' in pages[0].text
    assert "50 of 120 runs" in pages[0].text


@pytest.mark.usefixtures("runs")
def test_run_page_shows_scores_gates_and_record(client: TestClient) -> None:
    text = unescape(client.get(f"/runs/{GOOD}").text)
    for part in (
        "Metrics of the best checkpoint", "Confusion matrix on test", "Recall per class on test", "Reliability on val",
        "suicidal on test: recall and precision by threshold", "macro-F1 on validation", "0.62 is at least 0.55",
        "What happened to the run", "train.log", "python -m mhc.train model=baseline", "Most confident of",
    ):  # fmt: skip
        assert part.lower() in text.lower(), part


@pytest.mark.usefixtures("runs")
def test_figures_are_pictures_without_scripts(client: TestClient) -> None:
    text = client.get(f"/runs/{GOOD}").text
    pictures = re.findall(r'<img class="picture" loading="lazy" src="([^"]+)" alt="([^"]+)">', text)
    assert len(pictures) > 5
    for address, description in pictures:
        assert description
        answer = client.get(address)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "prefers-color-scheme: dark" in answer.text
        names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(answer.text).iter()}
        assert not names & {"script", "foreignObject", "image"}
    assert client.get(f"/runs/{GOOD}/figures/nothing.svg").status_code == 404


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    "path",
    [
        "/runs/..%2F..%2Fetc%2Fpasswd",
        "/runs/%2e%2e",
        "/runs/nobody",
        f"/runs/{GOOD}%00",
        "/runs/good",
        f"/runs/../{GOOD}/x",
        f"/runs/{GOOD}/figures/..%2f..%2frun.json.svg",
        "/static/..%2fapp.py",
        "/static/%2e%2e",
        "/compare?run=..%2F..&run=a",
        "/runs/" + "a" * 5000,
    ],
)
def test_paths_in_an_address_lead_nowhere(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text


@pytest.mark.usefixtures("runs")
def test_comparison_marks_the_best_and_tests_pairs(client: TestClient) -> None:
    text = unescape(client.get(f"/compare?run={GOOD}&run={BAD}").text)
    assert '<td class="bold green">0.7 *</td>' in text
    assert ">worse</td>" in text  # the second against the first, on the same rows
    assert "McNemar's exact test" in text
    for query in ("", f"?run={GOOD}", f"?run={GOOD}&run={GOOD}", "?" + "&".join(f"run=r{n}" for n in range(21))):
        assert client.get(f"/compare{query}").status_code == 400


@pytest.mark.usefixtures("runs")
def test_candidates_are_shown_gate_by_gate(client: TestClient) -> None:
    text = unescape(client.get("/candidates").text)
    assert f"{GOOD}: 1 of 1 gates passed" in text
    assert "0.62 is at least 0.55" in text
    assert "recall (failed): 0.08, at least 0.2; would change it: rows" in text


def test_empty_folder_says_how_to_make_a_run(client: TestClient) -> None:
    assert "python -m mhc.train model=linear" in client.get("/").text
    assert "Nothing was ever promoted" in client.get("/production").text
    assert client.get("/candidates").status_code == 200


@pytest.mark.usefixtures("runs")
def test_health_and_metrics_are_counts_only(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    text = client.get("/metrics").text
    assert 'mhc_runs{status="completed"} 2' in text
    assert 'mhc_answers_total{code="200"} 1' in text
    assert GOOD not in text
    assert all(re.fullmatch(r"# (HELP|TYPE) .+|\w+(\{\w+=\"\w+\"\})? [\d.]+", line) for line in text.splitlines())


def test_damaged_record_is_a_sentence(client: TestClient, tmp_path: Path) -> None:
    folder = a_run(tmp_path / "outputs", GOOD)
    (folder / "run.json").write_text('{"id": "' + CANARY)
    answers = [client.get(path) for path in ("/", f"/runs/{GOOD}")]
    assert [answer.status_code for answer in answers] == [200, 500]
    assert all("cannot be read" in answer.text or "damaged" in answer.text for answer in answers)
    assert not [answer for answer in answers if CANARY in answer.text]


ODD = [
    "(" * 500, "not " * 240 + "tags has a", "lr = 1 or " * 90 + "lr = 2", "lr ~ (a+)+$", "9" * 300, "1e999", "-1", "0",
    "config", "metrics", "history", "imported.x", "a.b.c.d", "tags", "val", "'", '"', "%", "\\", "\u00df", "\x00", "\n",
]  # fmt: skip


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("field", [field for field in Query._fields if field != "reverse"])
def test_no_value_of_a_filter_breaks_the_page(client: TestClient, field: str) -> None:
    for value in ODD:
        answer = client.get("/", params={field: value})
        assert answer.status_code in (200, 400), (field, value)


def test_hostile_id_is_text_wherever_it_is_shown(client: TestClient, tmp_path: Path) -> None:
    folder = a_run(tmp_path / "outputs", GOOD, candidate=True, gates=[PASSED])
    record = folder / "run.json"
    record.write_text(record.read_text().replace(GOOD, GOOD + r"\"><img src=x onerror=alert(1)>"))
    for path in ("/", "/candidates", "/metrics", f"/runs/{GOOD}%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "<img src=x" not in answer.text
