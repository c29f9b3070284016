"""One line of advice at the end of a training, and the name of a model that predicts one class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mhc.facts import Metrics
from mhc.metrics import measure
from mhc.record import MetricsBySplit
from mhc.report import closing_page
from mhc.report.advice import advice, result_notes, single_class
from mhc.runs import store
from tests.support.builders import a_record, a_run, data_facts, model_facts

NAMES = ["calm", "sad", "angry"]


def measured(truth: list[int], predicted: list[int]) -> Metrics:
    probabilities = np.eye(3, dtype=np.float32)[predicted]
    return measure(np.array(truth), probabilities, NAMES)


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        ([0, 1, 1, 2], [1, 1, 1, 1], "sad"),
        ([0, 1, 1, 2], [0, 1, 1, 1], None),
        ([0, 1, 1, 2], [2, 1, 1, 1], None),
        ([1, 1, 1], [1, 1, 1], "sad"),
    ],
)
def test_a_model_of_one_class_is_known_by_it(truth: list[int], predicted: list[int], expected: str | None) -> None:
    assert single_class(measured(truth, predicted)) == expected


def one_class(**facts: Any) -> Any:
    metrics = measured([0, 1, 1, 2], [1, 1, 1, 1])
    return a_record(metrics=MetricsBySplit(val=metrics, test=metrics), **facts)


def test_a_model_of_one_class_is_called_that() -> None:
    assert result_notes(one_class()) == ["the model predicts sad for every text of test: it tells no classes apart"]
    assert result_notes(a_record()) == []


def test_a_model_of_one_class_gets_advice_even_if_debug() -> None:
    assert "model.min_steps=1000" in str(advice(one_class(category="debug")))
    assert "mhc data" in str(advice(one_class(model="linear")))


def with_rows(rows: int, truncated: int = 0) -> Any:
    data = data_facts()
    train = msgspec.structs.replace(data.splits["train"], rows=rows, truncated=truncated)
    return msgspec.structs.replace(data, splits=data.splits | {"train": train})


def test_few_rows_from_scratch_are_told_of_encoders() -> None:
    assert "with 673 rows of train a pretrained encoder is better" in str(advice(a_record(data=with_rows(673))))
    assert advice(a_record(data=with_rows(200_000))) is None


def test_many_cut_texts_come_first() -> None:
    sentence = str(advice(a_record(data=with_rows(673, truncated=200))))
    assert sentence.startswith("30% of the texts of train are cut at 128 tokens")
    assert "windows" not in sentence, "only a fine-tuned encoder has them"
    frozen = a_record(data=with_rows(673, truncated=200), model="embedding")
    assert "with model.network.pooling=mean if the encoder's own settings end there" in str(advice(frozen))
    model = msgspec.structs.replace(model_facts("pretrained"), pretrained="minilm")
    record = msgspec.structs.replace(a_record(data=with_rows(673, truncated=200)), model=model)
    assert "model.long_texts=windows" in str(advice(record))


def test_texts_with_too_many_windows_are_not_called_cut() -> None:
    model = msgspec.structs.replace(model_facts("pretrained"), pretrained="minilm", long_texts="windows")
    sentence = str(advice(msgspec.structs.replace(a_record(data=with_rows(673, truncated=200)), model=model)))
    assert sentence.startswith("30% of the texts of train have more windows than are read: a larger model.max_windows")


def test_an_ensemble_is_told_nothing_of_its_members() -> None:
    assert advice(a_record(model="ensemble", data=with_rows(673))) is None
    assert advice(a_record(model="ensemble", data=with_rows(673, truncated=200))) is None
    assert "mhc data" in str(advice(one_class(model="ensemble")))


def test_a_pretrained_model_is_told_of_ensembles() -> None:
    model = msgspec.structs.replace(model_facts("pretrained"), pretrained="minilm")
    assert "mhc.ensemble" in str(advice(msgspec.structs.replace(a_record(), model=model)))


def test_debug_runs_and_embedded_data_get_no_advice() -> None:
    assert advice(a_record(category="debug", data=with_rows(673))) is None
    assert advice(a_record(data=msgspec.structs.replace(with_rows(673), synthetic=True))) is None


def test_the_closing_page_has_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = one_class()
    folder = a_run(tmp_path, "single_20261120_120000_0000", metrics=record.metrics)
    closing_page.show(store.read(folder), folder, gates=False)
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("Note   the model predicts sad") for line in lines)
    assert any(line.startswith("Advice more steps") for line in lines)
