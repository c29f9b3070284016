from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfTransformer
from transformers import AutoModelForSequenceClassification

from mhc.model.linear import Bag, bag, sort_and_count

LABELS = ["calm", "tired"]
SIZE = 12


def a_bag(*, weights: bool = True) -> Bag:
    network = bag(2, SIZE, 0, LABELS)
    if weights:
        torch.manual_seed(0)
        torch.nn.init.normal_(network.scores.weight)
        torch.nn.init.normal_(network.bias)
    return network


def counts(ids: torch.Tensor) -> np.ndarray:
    return np.stack([np.bincount(row[row > 0], minlength=SIZE) for row in ids.numpy()])


TRAIN = torch.tensor([[1, 2, 2, 3, 0], [1, 1, 1, 4, 5], [2, 6, 0, 0, 0]])


def test_ids_are_sorted_and_counted_per_text() -> None:
    ids, counts_of_ids = sort_and_count(torch.tensor([[3, 1, 3, 0], [2, 2, 2, 2]]))
    assert ids.tolist() == [[0, 1, 3, 3], [2, 2, 2, 2]]
    assert counts_of_ids.tolist() == [[1, 1, 2, 2], [4, 4, 4, 4]]


def test_logits_are_those_of_tf_idf_times_the_scores() -> None:
    network = a_bag()
    network.observe([TRAIN[:2], TRAIN[2:]])
    tfidf = TfidfTransformer(sublinear_tf=True).fit(counts(TRAIN))
    new = torch.tensor([[1, 1, 2, 6, 6], [3, 0, 0, 0, 0]])
    vectors = torch.from_numpy(tfidf.transform(counts(new)).toarray()).float()
    expected = vectors @ network.scores.weight + network.bias
    assert torch.allclose(network(new).logits, expected, atol=1e-5)


def test_ngram_that_is_not_in_train_changes_nothing() -> None:
    network = a_bag()
    network.observe([TRAIN])
    assert torch.equal(network(torch.tensor([[1, 2, 0]])).logits, network(torch.tensor([[1, 2, 11]])).logits)


def test_padding_changes_nothing() -> None:
    network = a_bag()
    network.observe([TRAIN])
    assert torch.allclose(network(torch.tensor([[1, 2]])).logits, network(torch.tensor([[1, 2, 0, 0, 0]])).logits)


def test_logits_of_an_empty_text_are_the_bias() -> None:
    network = a_bag()
    assert torch.equal(network(torch.zeros(1, 4, dtype=torch.int64)).logits[0], network.bias)


def test_rarity_is_the_smoothed_inverse_document_frequency() -> None:
    network = a_bag()
    network.observe([TRAIN])
    assert float(network.rarity[1]) == pytest.approx(math.log(4 / 3) + 1)
    assert float(network.rarity[6]) == pytest.approx(math.log(4 / 2) + 1)


def test_initial_logits_are_zero() -> None:
    assert torch.equal(a_bag(weights=False)(TRAIN).logits, torch.zeros(3, 2))


def test_bag_is_saved_and_read_by_transformers(tmp_path: Path) -> None:
    network = a_bag()
    network.observe([TRAIN])
    network.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path, local_files_only=True)
    assert again.config.id2label == {0: "calm", 1: "tired"}
    assert torch.equal(again(TRAIN).logits, network(TRAIN).logits)


def test_autocast_does_not_change_the_logits() -> None:
    network = a_bag()
    exact = network(TRAIN).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(network(TRAIN).logits, exact)
