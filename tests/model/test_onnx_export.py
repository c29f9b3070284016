"""The exported file gives the logits of the network for any number of rows and tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mhc.errors import BadConfig, MhcError
from mhc.model import onnx_export
from mhc.production.loading import from_run
from tests.support.trained import MAX_TOKENS, a_trained_run, some_texts


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    a_trained_run(folder, "encoder", "enc_20261120_120000_a1b2")
    a_trained_run(folder, "bag", "bag_20261120_120000_a1b2")
    return folder


@pytest.mark.slow
def test_onnxruntime_gives_the_logits_of_the_network(outputs: Path, tmp_path: Path) -> None:
    import onnxruntime

    loaded = from_run(outputs / "enc_20261120_120000_a1b2")
    path = onnx_export.export(loaded, tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for rows in (1, 5, 33):
        batch = loaded.tokenizer(
            some_texts(rows), truncation=True, max_length=MAX_TOKENS, padding=True, return_tensors="pt"
        )
        with torch.inference_mode():
            expected = loaded.network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        inputs = {name: batch[name].numpy() for name in ("input_ids", "attention_mask")}
        (logits,) = session.run(["logits"], inputs)
        np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)


@pytest.mark.slow
def test_file_with_other_outputs_is_removed(outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    with pytest.raises(MhcError, match="differs by"):
        onnx_export.export(from_run(outputs / "enc_20261120_120000_a1b2"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_bag_of_ngrams_is_refused(outputs: Path, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="is a bag of n-grams"):
        onnx_export.export(from_run(outputs / "bag_20261120_120000_a1b2"), tmp_path)


def test_missing_package_is_named_with_the_remedy(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(BadConfig, match=r"needs no_such_package. Install with: pip install 'mhc\[onnx\]'"):
        onnx_export.export(from_run(outputs / "enc_20261120_120000_a1b2"), tmp_path)
