"""A model that was trained on mended texts gets mended texts, from its run and from its bundle; others do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mhc.inference.predictor import Predictor
from mhc.production import bundle
from tests.support.trained import a_bundle, a_trained_run

DAMAGED = ["river &amp; stone", "<b>cloud</b> lamp", "green caf\u00c3\u00a9"]
SOUND = ["river & stone", "cloud lamp", "green caf\u00e9"]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a run whose record says whether texts were mended."""

    def make(*, repaired: bool | None) -> Path:
        folder = a_trained_run(tmp_path / "outputs", kind="bag")
        values = json.loads((folder / "run.json").read_bytes())
        values["data"].pop("repaired", None)  # older versions do not have it
        if repaired is not None:
            values["data"]["repaired"] = repaired
        (folder / "run.json").write_text(json.dumps(values))
        return folder

    return make


def same(predictor: Predictor) -> bool:
    return bool(np.array_equal(predictor(DAMAGED)[1], predictor(SOUND)[1]))


@pytest.mark.parametrize(("repaired", "expected"), [(True, True), (False, False), (None, False)])
def test_run_mends_texts_as_in_its_training(run: Callable[..., Path], repaired: bool | None, expected: bool) -> None:
    assert same(Predictor.load(run=run(repaired=repaired))) is expected


@pytest.mark.parametrize(("repaired", "expected"), [(True, True), (None, False)])
def test_bundle_mends_texts_as_in_its_training(
    run: Callable[..., Path], tmp_path: Path, repaired: bool | None, expected: bool
) -> None:
    folder = run(repaired=repaired)
    served = a_bundle(tmp_path / "bundle", folder)
    (served / "run.json").write_bytes((folder / "run.json").read_bytes())
    bundle.seal(served)
    assert same(Predictor.load(bundle=f"{served}/")) is expected


def test_bundle_without_a_record_mends_nothing(run: Callable[..., Path], tmp_path: Path) -> None:
    served = a_bundle(tmp_path / "bundle", run(repaired=True))
    assert not same(Predictor.load(bundle=f"{served}/"))
