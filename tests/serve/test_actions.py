"""What a page changes: as the commands do, with a name, from a form of the page only."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from mhc.production.api import Registry
from mhc.record import RunRecord
from mhc.runs import store
from mhc.serve.actions import ACTIONS
from tests.support.builders import a_run
from tests.support.promotions import World, a_trained_run, make_world

RUN = "attention_20261120_120000_a1b2"
STRONG, WEAK = "strong_20261120_130000_bbbb", "weak_20261120_120000_aaaa"
WHO = {"by": "ada", "reason": "best of the week"}


def send(client: TestClient, action: str, **fields: str) -> Response:
    """Send a form as the page does."""
    key = client.app.state.settings.form_key  # type: ignore[attr-defined]
    return client.post(f"/actions/{action}", data={"form_key": key, **fields})  # type: ignore[return-value]


def sentence(answer: Response) -> str:
    match = re.search(r'<p class="(?:done|refused)" role="status">(.*?)</p>', answer.text)
    assert match is not None
    return unescape(match[1])


def record(tmp_path: Path, place: str = "") -> RunRecord:
    return store.read(tmp_path / "outputs" / place / RUN)


def test_form_without_the_key_changes_nothing(client: TestClient, tmp_path: Path) -> None:
    a_run(tmp_path / "outputs", RUN)
    for action in ACTIONS:
        for key in ({}, {"form_key": ""}, {"form_key": "0" * 64}):
            assert client.post(f"/actions/{action}", data={"run": RUN, **WHO, **key}).status_code == 403
        assert client.get(f"/actions/{action}").status_code == 405
        assert client.post(f"/actions/{action}", json={"run": RUN}).status_code == 415
    assert not record(tmp_path).pinned
    assert not (tmp_path / "models").exists()


def test_pin_note_and_tag_are_in_the_history_by_name(client: TestClient, tmp_path: Path) -> None:
    a_run(tmp_path / "outputs", RUN)
    assert sentence(send(client, "pin", run=RUN, by="ada")) == f"{RUN}: pinned"
    assert sentence(send(client, "pin", run=RUN, by="ada")) == f"{RUN}: nothing to change"
    assert sentence(send(client, "note", run=RUN, by="bob", text="too high\r\na rate")) == f"{RUN}: noted"
    assert sentence(send(client, "tag", run=RUN, by="cid", add="paper, final", remove="draft")) == f"{RUN}: tagged"
    after = record(tmp_path)
    assert (after.pinned, after.note, after.tags) == (True, "too high\na rate", ["paper", "final"])
    assert [(event.what, event.by) for event in after.history[-3:]] == [
        ("pinned", "ada"), ("noted", "bob"), ("tagged", "cid"),
    ]  # fmt: skip
    assert "Unpin" in client.get(f"/runs/{RUN}").text
    assert sentence(send(client, "unpin", run=RUN, by="ada")) == f"{RUN}: no longer pinned"


@pytest.mark.parametrize(
    ("action", "fields", "status"),
    [
        ("pin", {"run": RUN, "by": " "}, 400),
        ("pin", {"run": RUN, "by": "a\nb"}, 400),
        ("pin", {"run": "nobody", "by": "ada"}, 404),
        ("pin", {"run": f"../outputs/{RUN}", "by": "ada"}, 404),
        ("pin", {"run": "attention", "by": "ada"}, 404),
        ("tag", {"run": RUN, "by": "ada"}, 400),
        ("archive", {"run": RUN, "by": "ada", "reason": "", "to": "archived"}, 400),
        ("archive", {"run": RUN, "by": "ada", "reason": "old", "to": "../elsewhere"}, 400),
        ("restore", {"run": RUN, "by": "ada"}, 422),
        ("rollback", {"by": "ada", "reason": "worse"}, 404),
        ("promote", {"run": RUN, "by": "", "reason": "best"}, 400),
        ("promote", {"run": RUN, **WHO, "answers": "no answer"}, 400),
    ],
)
def test_wrong_form_is_refused_by_a_sentence(
    client: TestClient, tmp_path: Path, action: str, fields: dict[str, str], status: int
) -> None:
    a_run(tmp_path / "outputs", RUN)
    before = (tmp_path / "outputs" / RUN / "run.json").read_bytes()
    answer = send(client, action, **fields)
    assert answer.status_code == status
    assert sentence(answer)
    assert (tmp_path / "outputs" / RUN / "run.json").read_bytes() == before


def test_archived_run_is_shown_there_and_comes_back(client: TestClient, tmp_path: Path) -> None:
    a_run(tmp_path / "outputs", RUN)
    fields = {"run": RUN, "by": "ada", "reason": "an older try", "to": "archive_baseline"}
    assert sentence(send(client, "archive", **fields)) == f"{RUN} archived to archive_baseline"
    assert (tmp_path / "outputs" / "archive_baseline" / RUN).is_dir()
    assert "archive baseline" in client.get(f"/runs/{RUN}").text
    assert "an older try" in (tmp_path / "outputs" / "events.jsonl").read_text()
    assert sentence(send(client, "restore", run=RUN, by="ada")) == f"{RUN} restored"
    assert (tmp_path / "outputs" / RUN).is_dir()


def test_pinned_run_is_not_archived(client: TestClient, tmp_path: Path) -> None:
    a_run(tmp_path / "outputs", RUN, pinned=True)
    answer = send(client, "archive", run=RUN, by="ada", reason="old", to="archived")
    assert answer.status_code == 422
    assert "pinned" in sentence(answer)
    assert (tmp_path / "outputs" / RUN).is_dir()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


def test_promotion_and_rollback_are_in_the_ledger(client: TestClient, tmp_path: Path, world: World) -> None:
    outputs, models = tmp_path / "outputs", tmp_path / "models"
    a_trained_run(outputs, models, world, WEAK, quality="weak")
    a_trained_run(outputs, models, world, STRONG)
    judged = send(client, "judge", run=WEAK)
    assert sentence(judged) == f"{WEAK} would be promoted as weak_v1"
    assert judged.text.count("<li>") > 10  # one gate a line, and the navigation
    assert not (models / "production").exists()
    assert sentence(send(client, "promote", run=WEAK, **WHO, alias="champion")) == f"{WEAK} is promoted as weak_v1"
    assert sentence(send(client, "promote", run=STRONG, **WHO, alias="champion")).endswith("is promoted as strong_v1")
    assert "strong_v1" in client.get("/production").text
    back = send(client, "rollback", by="bob", reason="worse in the field")
    assert sentence(back) == "weak_v1 is champion again, instead of strong_v1"
    history = Registry(models, outputs).history()
    assert [(entry.what, entry.by) for entry in history] == [
        ("promoted", "ada"), ("promoted", "ada"), ("rolled back", "bob"),
    ]  # fmt: skip
    assert "Intact: 3 ledger entries, 2 bundles" in client.get("/production?verify=1").text


def test_refused_candidate_is_one_no_more(client: TestClient, tmp_path: Path, world: World) -> None:
    outputs, models = tmp_path / "outputs", tmp_path / "models"
    a_trained_run(outputs, models, world, STRONG, candidate=True)
    assert 'action="/actions/refuse"' in client.get(f"/runs/{STRONG}").text
    assert send(client, "refuse", run=STRONG, by="ada", reason="").status_code == 400
    answer = send(client, "refuse", run=STRONG, by="ada", reason="trained on withdrawn posts")
    assert sentence(answer) == f"{STRONG} is refused: it is no candidate any more"
    (entry,) = Registry(models, outputs).history()
    assert (entry.what, entry.run, entry.by, entry.why) == ("refused", STRONG, "ada", "trained on withdrawn posts")
    assert 'action="/actions/refuse"' not in client.get(f"/runs/{STRONG}").text


def test_refused_promotion_names_each_gate_on_a_line(client: TestClient, tmp_path: Path, world: World) -> None:
    outputs, models = tmp_path / "outputs", tmp_path / "models"
    a_trained_run(outputs, models, world, STRONG, data={"synthetic": True})
    answer = send(client, "promote", run=STRONG, **WHO, alias="champion", force="1")
    assert (answer.status_code, sentence(answer)) == (422, f"{STRONG} was not promoted:")
    assert re.search(r"<li>\w+: failed: .*synthetic", unescape(answer.text))
    assert [entry.what for entry in Registry(models, outputs).history()] == ["refused"]
    assert re.search(r"<li>\w+: [^<]*<br>would change it: ", answer.text)
    production = unescape(client.get("/production").text)
    assert f">promotion of {STRONG} refused by ada: best of the week</td>" in production
    assert re.search(r"<tr><td></td><td>\w+: failed: .*synthetic", production)
