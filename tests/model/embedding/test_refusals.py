"""Encoders and options that `model=embedding` cannot use: one sentence, exit code 1, and a run recorded as failed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mhc.record import Status
from mhc.runs import folders, store
from mhc.training import exit_codes
from scripts.bench import mhc_run
from tests.support.embeddings import setting_of, write_project


def without_weights(encoder: Path) -> None:
    (encoder / "model.safetensors").unlink()


def with_damaged_weights(encoder: Path) -> None:
    weights = encoder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])


def with_code(encoder: Path) -> None:
    config = json.loads((encoder / "config.json").read_text())
    classes = {"AutoConfig": "own.Own", "AutoModel": "own.OwnModel"}
    (encoder / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": classes}))
    (encoder / "own.py").write_text("raise SystemExit('the code was run')")


def as_it_is(encoder: Path) -> None:
    return


REFUSED = {
    "no weights": (without_weights, [], r"The pretrained model '.*encoder' has no weights .*"),
    "damaged weights": (with_damaged_weights, [], "The pretrained model '.*encoder' cannot be read: .*"),
    "own code": (with_code, [], r".* needs code of its own \(auto_map\), which was not run\. .*trust_remote_code=true"),
    "no folder": (as_it_is, ["model.network.name=/nowhere"], "There is no pretrained tokenizer '/nowhere': .*"),
    "no features": (as_it_is, ["model.features=[]"], r"model\.features is \[\]; it must be \[encoder\] or .*"),
    "only n-grams": (as_it_is, ["model.features=[tfidf]"], r"model\.features is \['tfidf'\]; it must be .*"),
    "unknown feature": (as_it_is, ["model.features=[encoder,image]"], r"model\.features is .*'image'.* it must be .*"),
    "too long": (
        as_it_is, ["model.tokenizer.max_tokens=400"],
        r"model\.tokenizer\.max_tokens is 400, but the encoder reads at most 78 tokens\. Set .*max_tokens=78",
    ),
    "unknown pooling": (as_it_is, ["model.network.pooling=median"], r"model\.network\.pooling is 'median'; it must .*"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "words", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_fails_the_run_with_one_sentence(
    change: Callable[[Path], None], words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(write_project(tmp_path) / "encoder")
    code = exit_codes.code_of(lambda: mhc_run.begin(setting_of(tmp_path), 1, words))
    printed = capsys.readouterr().err
    [(folder, _)] = folders.iter_runs(tmp_path / "outputs")
    record = store.read(folder)
    assert (code, record.status) == (1, Status.FAILED)
    assert record.failure is not None
    last = printed.splitlines()[-1]
    assert re.fullmatch(sentence, last), last
    assert record.failure.sentence == last
    assert "Traceback" not in printed
