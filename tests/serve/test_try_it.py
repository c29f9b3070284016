"""The box for one text: what it shows, without a script, and that the text is nowhere else."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from mhc.predict import Predictor
from mhc.production import ledger
from mhc.production.state import fold
from mhc.serve.app import application
from mhc.serve.prediction.try_it import choices_of
from mhc.serve.settings import Settings
from tests.serve.conftest import ADDRESS
from tests.support.served import ENCODER, LINEAR, a_models_folder, enter
from tests.support.trained import some_texts

CANARY = "unmistakablecanary"
TEXT = "river stone quiet river spoon"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_models_folder(tmp_path_factory.mktemp("tried"))


@pytest.fixture(scope="module")
def client(models: Path) -> Iterator[TestClient]:
    with a_client(models) as opened:
        yield opened


def a_client(models: Path) -> TestClient:
    settings = Settings(outputs=models.parent / "outputs", models=models, precision="fp32")
    return TestClient(application(settings), base_url=ADDRESS, follow_redirects=False)


def key_of(client: TestClient) -> str:
    found = re.search(r'name="form_key" value="(\w+)"', client.get("/try").text)
    assert found
    return found[1]


def tried(client: TestClient, status: int = 200, **fields: str) -> str:
    answer = client.post("/try", data={"form_key": key_of(client), "text": TEXT, **fields})
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    return answer.text


class Rows(HTMLParser):
    """The cells of the rows of all tables, and the values of the bars."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.meters: list[float] = []
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "meter":
            self.meters.append(float(dict(attrs)["value"] or "nan"))
        self._cell = self._cell or tag in ("td", "th")

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data


@pytest.mark.parametrize("name", [LINEAR, ENCODER])
def test_page_shows_the_probabilities_of_mhc_predict(client: TestClient, models: Path, name: str) -> None:
    predictor = Predictor.load(bundle=name, models=models, precision="fp32")
    (label,), probabilities = predictor([TEXT])
    page = tried(client, bundle=name)
    expected = sorted(zip(predictor.label_names, probabilities[0].tolist(), strict=True), key=lambda item: -item[1])
    shown = [row for row in Rows(page).rows if len(row) == 3 and row[0] != "label"]
    assert [(row[0].removesuffix(" (high-risk)"), row[2]) for row in shown] == [
        (each, f"{value:.3f}") for each, value in expected
    ]
    assert Rows(page).meters == [round(value, 4) for _, value in expected]
    assert f"Decision: {label}" in page
    assert "no diagnosis" in page


@pytest.mark.parametrize(("name", "unit"), [(LINEAR, "Share of the log odds"), (ENCODER, "Change of the probability")])
def test_words_that_moved_it_are_shown_on_request(client: TestClient, name: str, unit: str) -> None:
    assert "Words that moved" not in tried(client, bundle=name)
    page = tried(client, bundle=name, explain="1")
    assert unit in page
    words = [row for row in Rows(page).rows if len(row) == 4 and row[0] != "word"]
    assert {row[0] for row in words} <= {"river", "stone", "quiet", "spoon"}
    effects = [float(row[3]) for row in words]
    assert [abs(effect) for effect in effects] == sorted((abs(effect) for effect in effects), reverse=True)
    assert [row[1] for row in words] == ["for it" if effect > 0 else "against it" for effect in effects]


def test_shares_of_words_and_base_are_the_log_odds(client: TestClient, models: Path) -> None:
    probabilities = np.log(Predictor.load(bundle=LINEAR, models=models)([TEXT])[1][0])
    page = tried(client, bundle=LINEAR, explain="1")
    base = re.search(r"Every text has ([+-][\d.]+)\.", page)
    assert base
    effects = [float(row[3]) for row in Rows(page).rows if len(row) == 4 and row[0] != "word"]
    assert sum(effects) + float(base[1]) == pytest.approx(probabilities.max() - probabilities.mean(), abs=4e-3)


def test_effect_of_a_word_of_an_encoder_is_its_absence(client: TestClient, models: Path) -> None:
    predictor = Predictor.load(bundle=ENCODER, models=models, precision="fp32")
    text = "stone quiet spoon"
    (label, *_), rows = predictor([text, "quiet spoon", "stone spoon", "stone quiet"])
    whole, *rest = rows[:, predictor.label_names.index(label)].tolist()
    page = tried(client, bundle=ENCODER, explain="1", text=text)
    shown = {row[0]: float(row[3]) for row in Rows(page).rows if len(row) == 4 and row[0] != "word"}
    expected = dict(zip(text.split(), [whole - each for each in rest], strict=True))
    assert shown == pytest.approx(expected, abs=6e-4)


def test_long_text_is_explained_by_its_first_words(client: TestClient) -> None:
    page = tried(client, bundle=ENCODER, explain="1", text=" ".join(some_texts(20, seed=6)))
    assert "Only the first 100 of" in page
    assert "longer than the 32 tokens" in page


def test_unsure_text_gets_no_decision(client: TestClient) -> None:
    page = tried(client, abstain_below="1")
    assert "No decision:" in page
    assert "at least abstain_below" in page


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"text": " "}, 400, "Enter a text of 1 to 100,000 characters"),
        ({"text": "\u200b"}, 400, "no visible character"),
        ({"text": "x" * 100_001}, 400, "Enter a text of 1 to 100,000 characters"),
        ({"abstain_below": "much"}, 400, "a number from 0 to 1"),
        ({"bundle": "missing"}, 404, "No bundle and no alias"),
        ({"bundle": "../production"}, 404, "no such bundle"),
    ],
    ids=["empty", "invisible", "long", "threshold", "missing bundle", "path"],
)
def test_wrong_form_is_shown_again_with_a_sentence(
    client: TestClient, fields: dict[str, str], status: int, sentence: str
) -> None:
    page = tried(client, status, **fields)
    alert = re.search(r'role="alert">([^<]*)<', page)
    assert alert
    assert sentence in alert[1].replace("&#39;", "'")
    assert "Label the text" in page


def test_page_needs_no_script_and_has_labels(client: TestClient) -> None:
    page = tried(client, explain="1")
    assert not re.search(r"<script(?! src=\"/static/page.js\" defer>)|\son\w+=|\sstyle=|<style", page)
    fields = re.findall(r'<(?:input|select|textarea) id="([^"]+)"', page)
    assert len(fields) == 4
    assert all(f'<label for="{field}">' in page for field in fields)
    assert len(re.findall(r"<meter[^>]* aria-label=", page)) == page.count("<meter")
    assert 'method="post" action="/try"' in page
    assert page.count('autocomplete="off"') >= 4


def test_markup_in_a_text_is_shown_as_text(client: TestClient) -> None:
    attack = '</textarea><script>alert(1)</script> river "quiet"'
    page = tried(client, text=attack, explain="1")
    assert "<script>alert" not in page
    assert "&lt;/textarea&gt;&lt;script&gt;" in page


def test_form_of_another_server_is_refused(client: TestClient) -> None:
    form = {"text": CANARY, "form_key": key_of(client)}
    foreign = client.post("/try", data=form, headers={"origin": "https://example.org"})
    without_key = client.post("/try", data={"text": CANARY})
    assert (foreign.status_code, without_key.status_code) == (403, 403)
    assert CANARY not in foreign.text + without_key.text


def test_text_in_an_address_is_not_read(client: TestClient) -> None:
    page = client.get(f"/try?text={CANARY}&bundle={CANARY}").text
    assert CANARY not in page


def test_text_is_in_no_file_no_log_and_no_header(
    tmp_path: Path, models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(models, tmp_path / "models")
    caplog.set_level(logging.DEBUG)
    with a_client(tmp_path / "models") as client:
        for name in (LINEAR, ENCODER):
            form = {"form_key": key_of(client), "text": f"{CANARY} river", "explain": "1", "bundle": name}
            answer = client.post("/try", data=form)
            assert answer.status_code == 200
            assert CANARY in answer.text
            assert CANARY not in str(answer.headers) + str(answer.url)
        assert CANARY not in client.get("/try").text + client.get("/metrics").text
    assert CANARY not in caplog.text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]


def test_folder_without_bundles_says_what_to_do(tmp_path: Path) -> None:
    with a_client(tmp_path / "models") as client:
        page = client.get("/try").text
    assert "There is no bundle yet" in page
    assert "<form" not in page


def test_changed_ledger_offers_no_bundle(tmp_path: Path, models: Path) -> None:
    shutil.copytree(models, tmp_path / "models")
    path = tmp_path / "models" / ledger.FILE
    path.write_text(path.read_text().replace("champion", "champiom", 1))
    with a_client(tmp_path / "models") as client:
        answer = client.get("/try")
    assert answer.status_code == 500
    assert "was changed: line 1" in answer.text
    assert "No text can be tried until this is mended" in answer.text
    assert "<form" not in answer.text


def test_retired_bundles_are_no_choice(tmp_path: Path, models: Path) -> None:
    shutil.copytree(models, tmp_path / "models")
    assert list(choices_of(fold(ledger.verified_entries(models)))) == ["champion", "challenger", ENCODER, LINEAR]
    enter(tmp_path / "models", "alias removed", alias="challenger")
    enter(tmp_path / "models", "retired", bundle=ENCODER)
    assert list(choices_of(fold(ledger.verified_entries(tmp_path / "models")))) == ["champion", LINEAR]
