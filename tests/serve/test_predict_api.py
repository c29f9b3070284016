"""`POST /predict`: the numbers of `mhc.predict`, sentences for what is wrong, and no text anywhere else."""

from __future__ import annotations

import json
import logging
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import numpy as np
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from mhc.predict import Predictor
from mhc.production import bundle
from mhc.serve.app import application
from mhc.serve.prediction import schema
from mhc.serve.settings import Limits, Settings
from tests.serve.conftest import ADDRESS, serving
from tests.support.served import ENCODER, LINEAR, a_linear_bundle, a_models_folder, promote
from tests.support.trained import some_texts

TOKEN = "a-token-that-nobody-guesses"
CANARY = "unmistakablecanary"
ODD = [
    "see https://example.org/a?b=1 or write to me@example.org, 17 stones",
    "a &amp; b <br> river\u200b stone",
    "r\u00edo",
]
TEXTS = [*some_texts(40, seed=5), *ODD]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_models_folder(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def client(models: Path) -> Iterator[TestClient]:
    with a_client(models) as opened:
        yield opened


def a_client(models: Path, **fields: Any) -> TestClient:
    settings = Settings(outputs=models.parent / "outputs", models=models, **fields)
    return TestClient(application(settings), base_url=ADDRESS)


def numbers(content: dict[str, Any]) -> np.ndarray:
    return np.array([list(result["probabilities"].values()) for result in content["results"]])


def predicted(client: TestClient, texts: list[str], **fields: Any) -> dict[str, Any]:
    answer = client.post("/predict", json={"texts": texts, **fields})
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("name", [LINEAR, ENCODER])
@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_predictions_are_those_of_mhc_predict(models: Path, name: str, precision: str) -> None:
    expected = Predictor.load(bundle=name, models=models, precision=precision).predict(TEXTS)
    with a_client(models, precision=precision) as client:
        content = predicted(client, TEXTS, bundle=name)
    assert np.abs(numbers(content) - expected.probabilities).max() <= 1e-6
    assert [result["label"] for result in content["results"]] == expected.labels
    assert [number for number, result in enumerate(content["results"]) if result["cut"]] == sorted(expected.cut)
    assert content["bundle"]["name"] == name
    assert content["bundle"]["sha256"] == bundle.sha256(models / "production" / name / bundle.CHECKSUMS)
    assert "no diagnosis" in content["notice"]


@pytest.mark.parametrize("name", [LINEAR, ENCODER])
def test_text_gets_the_same_numbers_alone_and_among_others(models: Path, name: str) -> None:
    with a_client(models, precision="fp32") as client, ThreadPoolExecutor(8) as threads:
        together = numbers(predicted(client, TEXTS, bundle=name))
        alone = list(threads.map(lambda text: numbers(predicted(client, [text], bundle=name)), TEXTS))
    assert np.abs(together - np.concatenate(alone)).max() <= 2e-6


def test_unsure_text_gets_a_label_but_no_decision(client: TestClient) -> None:
    content = predicted(client, TEXTS[:3], abstain_below=1)
    assert [result["decision"] for result in content["results"]] == [None] * 3
    assert all(result["label"] in content["labels"] for result in content["results"])
    assert content["operating_point"]["abstain_below"] == 1
    assert content["high_risk"] == [content["labels"][-1]]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"texts": []}, 400, "texts of the body is not valid: expected `array` of length >= 1"),
        ({"texts": [CANARY] * 1001}, 400, "texts of the body is not valid: expected `array` of length <= 1000"),
        ({"texts": CANARY}, 400, "texts of the body is not valid: expected `array`, got `str`"),
        ({"texts": [CANARY, 3]}, 400, "texts[1] of the body is not valid: expected `str`, got `int`"),
        ({"texts": [CANARY, ""]}, 400, "texts[1] of the body is not valid: expected `str` of length >= 1"),
        ({"texts": [CANARY, " \u200b "]}, 400, "texts[1] of the body has no visible character"),
        ({"texts": [CANARY * 10_000]}, 400, "texts[0] of the body is not valid: expected `str` of length <= 100000"),
        ({"texts": [{"text": CANARY}]}, 400, "texts[0] of the body is not valid: expected `str`, got `object`"),
        ({"text": [CANARY]}, 400, "a field that is none of texts, bundle"),
        ({CANARY: 1, "texts": [CANARY]}, 400, "a field that is none of texts, bundle"),
        ({}, 400, "missing required field `texts`"),
        ([CANARY], 400, "expected `object`, got `array`"),
        ({"texts": [CANARY], "abstain_below": 2}, 400, "abstain_below of the body is not valid"),
        ({"texts": [CANARY], "bundle": "missing"}, 404, "No bundle and no alias 'missing'"),
        ({"texts": [CANARY], "bundle": f"../{CANARY}"}, 404, "no such bundle"),
        ({"texts": [CANARY], "bundle": f"/etc/{CANARY}"}, 404, "no such bundle"),
        ({"texts": [CANARY], "task": CANARY * 1000}, 404, "no such task. There are: "),
    ],
    ids=lambda value: None,
)
def test_wrong_request_gets_a_sentence(client: TestClient, body: object, status: int, sentence: str) -> None:
    answer = client.post("/predict", json=body)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (f'{{"texts": ["{CANARY}"'.encode(), "application/json", 400),
        (b'{"texts": ["\xff"]}', "application/json", 400),
        (b'{"texts": ["\\ud800"]}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"texts": ["x"]}', "text/plain", 415),
        (b'{"texts": ["' + b"x" * 9_000_000 + b'"]}', "application/json", 413),
    ],
    ids=["cut off", "no UTF-8", "half a character", "nested", "another type", "too large"],
)
def test_body_that_is_no_request_is_refused(client: TestClient, content: bytes, kind: str, status: int) -> None:
    answer = client.post("/predict", content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert CANARY not in answer.text


def test_schema_describes_request_and_response(client: TestClient) -> None:
    document = client.get(schema.SCHEMA).json()
    definitions = document["$defs"]
    assert document["$ref"] == "#/$defs/PredictRequest"
    assert definitions["PredictRequest"]["required"] == ["texts"]
    content = predicted(client, TEXTS[:2])
    assert set(content) == set(definitions["PredictResponse"]["properties"])
    assert set(content["results"][0]) == set(definitions["Result"]["properties"])
    msgspec.convert(content, schema.PredictResponse)


def test_alias_that_moves_leads_to_another_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models"
    a_linear_bundle(models / "production" / "first")
    promote(models, "first", "champion")
    monkeypatch.setattr("mhc.serve.prediction.bundles.FRESH", 0.0)
    with a_client(models) as client:
        assert predicted(client, ["river"])["bundle"]["name"] == "first"
        a_linear_bundle(models / "production" / "second", seed=1)
        promote(models, "second", "champion")
        assert predicted(client, ["river"])["bundle"]["name"] == "second"
        assert predicted(client, ["river"], bundle="first")["bundle"]["name"] == "first"


def test_bundle_that_was_changed_is_not_used(tmp_path: Path) -> None:
    models = tmp_path / "models"
    folder = a_linear_bundle(models / "production" / "first")
    promote(models, "first", "champion")
    (folder / "config.json").write_text("{}")
    with a_client(models) as client:
        answer = client.post("/predict", json={"texts": [CANARY]})
    assert answer.status_code == 500
    assert "is not as it was promoted" in answer.json()["error"]


def test_texts_are_in_no_file_and_no_log(tmp_path: Path, models: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copytree(models, tmp_path / "models")
    caplog.set_level(logging.DEBUG)
    with a_client(tmp_path / "models") as client:
        for name in (LINEAR, ENCODER):
            answer = client.post("/predict", json={"texts": [CANARY], "bundle": name})
            assert answer.status_code == 200
            assert CANARY not in json.dumps(dict(answer.headers)) + answer.text
        for body in ({"texts": [CANARY, 3]}, {"texts": [CANARY], "bundle": CANARY + "/"}):
            assert client.post("/predict", json=body).status_code in (400, 404)
        assert CANARY not in client.get("/metrics").text
    assert CANARY not in caplog.text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]


def test_page_of_another_server_gets_no_prediction(client: TestClient) -> None:
    answer = client.post("/predict", json={"texts": [CANARY]}, headers={"origin": "https://example.org"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/predict", {"host": "evil.example"}, 421),
        ("POST", "/predict", {"origin": "null"}, 403),
        ("POST", "/predict", {"authorization": "Bearer wrong"}, 401),
        ("POST", "/predict", {"content-length": "9" * 12}, 413),
        ("GET", "/predict", {}, 405),
        ("PUT", "/predict", {}, 405),
        ("POST", "/predict/schema", {}, 405),
        ("GET", "/predict/nothing", {}, 404),
    ],
    ids=lambda value: None,
)
def test_refusal_of_the_guard_is_json(
    models: Path, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    with a_client(models, token=TOKEN) as client:
        answer = client.request(method, path, headers={"authorization": f"Bearer {TOKEN}", **headers})
    assert_is_a_problem(answer, status)


def test_refusal_of_too_many_requests_is_json(models: Path) -> None:
    with a_client(models, limits=Limits(predict_per_second=0.001, predict_burst=1)) as client:
        client.get("/predict")
        answer = client.get("/predict")
    assert_is_a_problem(answer, 429)
    assert answer.headers["retry-after"] == "1"


def test_bug_in_a_prediction_is_json_and_is_counted(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "response", lambda *_: {}[CANARY])
    with a_client(models) as client:
        assert_is_a_problem(client.post("/predict", json={"texts": [CANARY]}), 500)
        assert 'mhc_predict_requests_total{path="/predict",status="500"} 1' in client.get("/metrics").text


def assert_is_a_problem(answer: Response, status: int) -> None:
    """Check that an answer is one sentence in the schema of a refusal."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    problem = msgspec.json.decode(answer.content, type=schema.Problem, strict=True)
    assert problem.error
    assert CANARY not in problem.error


def test_metrics_count_requests_texts_and_batches(models: Path) -> None:
    with a_client(models) as client:
        predicted(client, ["river", "stone"])
        client.post("/predict", json={"texts": []})
        lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if "predict" in line)
    assert lines['mhc_predict_requests_total{path="/predict",status="200"}'] == "1"
    assert lines['mhc_predict_requests_total{path="/predict",status="400"}'] == "1"
    assert lines[f'mhc_predict_texts_total{{bundle="{LINEAR}"}}'] == "2"
    assert lines[f'mhc_predict_batches_total{{bundle="{LINEAR}"}}'] == "1"
    assert lines[f'mhc_predict_waiting_texts{{bundle="{LINEAR}"}}'] == "0"
    assert 0 < float(lines['mhc_predict_seconds_sum{path="/predict"}']) < 100


def test_server_prints_no_text_and_computes_as_asked(tmp_path: Path, models: Path) -> None:
    shutil.copytree(models, tmp_path / "models")
    texts = [CANARY, *TEXTS]
    expected = Predictor.load(bundle=LINEAR, models=models).predict(texts)
    with serving(tmp_path, "--precision", "fp32", "--device", "cpu") as (address, process):
        body = json.dumps({"texts": texts}).encode()
        with urlopen(Request(f"{address}predict", body, {"Content-Type": "application/json"}), timeout=60) as answer:
            assert np.abs(numbers(json.load(answer)) - expected.probabilities).max() <= 1e-6
        with pytest.raises(HTTPError) as refusal:
            urlopen(Request(f"{address}predict?text={CANARY}", body, {"Content-Type": "text/plain"}), timeout=60)
        refusal.value.close()
        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=20)
    assert process.returncode in (0, 130)
    assert CANARY not in "".join(printed)


def test_predictions_use_the_device_of_the_settings(tmp_path: Path, models: Path) -> None:
    with a_client(models, device="cuda") as client:
        answer = client.post("/predict", json={"texts": ["river"]})
    assert "device=cuda" in answer.json()["error"]
