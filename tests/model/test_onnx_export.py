"""What is exported says what the network says, for any number of rows and tokens."""

import numpy as np
import pytest
import torch

from mhc.errors import BadConfig, MhcError
from mhc.model import onnx_export
from mhc.production.loading import from_run
from tests.support.trained import MAX_TOKENS, a_trained_run, some_texts


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    place = tmp_path_factory.mktemp("outputs")
    a_trained_run(place, "encoder", "enc_20261120_120000_a1b2")
    a_trained_run(place, "bag", "bag_20261120_120000_a1b2")
    return place


@pytest.mark.slow
def test_onnxruntime_says_of_real_batches_what_the_network_says(outputs, tmp_path):
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
            wanted = loaded.network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        inputs = {name: batch[name].numpy() for name in ("input_ids", "attention_mask")}
        (found,) = session.run(["logits"], inputs)
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4)


@pytest.mark.slow
def test_a_file_that_says_something_else_is_removed(outputs, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    with pytest.raises(MhcError, match="differs by"):
        onnx_export.export(from_run(outputs / "enc_20261120_120000_a1b2"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_bag_of_ngrams_is_refused(outputs, tmp_path):
    with pytest.raises(BadConfig, match="is a bag of n-grams"):
        onnx_export.export(from_run(outputs / "bag_20261120_120000_a1b2"), tmp_path)


def test_a_missing_package_is_named_with_the_remedy(outputs, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(BadConfig, match=r"needs no_such_package. Install with: pip install 'mhc\[onnx\]'"):
        onnx_export.export(from_run(outputs / "enc_20261120_120000_a1b2"), tmp_path)
