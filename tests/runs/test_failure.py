from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from mhc.errors import BadConfig, BadInput
from mhc.runs import failure, user_code
from tests.support.learning import Data, a_classifier, a_trainer
from tests.support.own_network import OwnNetwork

SECRET = "I have not slept since Tuesday"


def caught(make: object) -> BaseException:
    try:
        make()  # type: ignore[operator]
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def raising(error: BaseException) -> BaseException:
    def make() -> None:
        raise error

    return caught(make)


RECORDED = {
    "our sentence": (BadInput("train.csv is empty"), "train.csv is empty"),
    "the system": (FileNotFoundError(2, "No such file or directory", "a.csv"), "No such file or directory: a.csv"),
    "a full disk": (OSError(28, "No space left on device"), "No space left on device"),
    "a missing package": (ImportError("No module named 'wandb'"), "No module named 'wandb'"),
    "an attribute": (
        AttributeError("'NoneType' object has no attribute 'x'"),
        "'NoneType' object has no attribute 'x'",
    ),
    "arithmetic": (ZeroDivisionError("division by zero"), "division by zero"),
    "control characters": (BadInput("a\x1b[31m\nb"), "a [31m b"),
    "a long one": (BadInput("x" * 9999), "x" * 500),
}


@pytest.mark.parametrize(("error", "sentence"), RECORDED.values(), ids=RECORDED.keys())
def test_message_of_a_safe_type_is_recorded(error: BaseException, sentence: str) -> None:
    assert failure.describe(raising(error)).sentence == sentence


WITHHELD = [
    ValueError(SECRET), KeyError(SECRET), RuntimeError(SECRET), AssertionError(SECRET), TypeError(SECRET),
    UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET), StopIteration(SECRET), LookupError(SECRET),
]  # fmt: skip


@pytest.mark.parametrize("error", WITHHELD, ids=lambda error: type(error).__name__)
def test_message_that_may_quote_a_text_is_withheld(error: BaseException) -> None:
    raised = raising(error)
    record = failure.describe(raised)
    assert (record.type, record.sentence) == (type(error).__name__, failure.WITHHELD)
    assert "test_failure.py" in record.where
    assert SECRET not in failure.format_traceback(raised)


def test_runtime_error_raised_by_torch_is_recorded() -> None:
    import torch

    def multiply() -> None:
        torch.nn.Linear(3, 2)(torch.ones(1, 4))

    assert "shapes cannot be multiplied" in failure.describe(caught(multiply)).sentence


def test_error_wrapped_by_hydra_is_recorded_unwrapped() -> None:
    from hydra.errors import InstantiationException

    def wrapped() -> None:
        try:
            raise ValueError(SECRET)
        except ValueError as error:
            raise InstantiationException(f"Error in call to target 'x': ValueError('{SECRET}')") from error

    raised = caught(wrapped)
    assert failure.describe(raised).type == "ValueError"
    assert SECRET not in failure.format_traceback(raised)
    assert failure.format_traceback(raised).count("Traceback") == 2


def test_traceback_shows_the_chain_without_local_values() -> None:
    def first() -> None:
        local = {"text": SECRET}
        raise KeyError(local["text"])

    def second() -> None:
        try:
            first()
        except KeyError:
            raise BadInput("row 3 has no label") from None

    text = failure.format_traceback(caught(second))
    assert text.endswith("BadInput: row 3 has no label\n")
    assert "in second" in text
    assert SECRET not in text


def test_circular_exception_chain_ends() -> None:
    one, two = raising(ValueError("a")), raising(ValueError("b"))
    one.__context__, two.__context__ = two, one
    assert failure.format_traceback(one).count("Traceback") == 2


def test_message_of_a_network_of_the_user_is_recorded() -> None:
    """A network gets ids, never a text."""
    error = caught(lambda: a_classifier(network=partial(OwnNetwork, fails_in="constructor")))
    record = failure.describe(error)
    assert (record.type, record.sentence) == ("ValueError", "a width of 31 is not a multiple of 4")
    assert "own_network.py:" in record.where
    assert record.where.endswith(" __init__")
    sentence = user_code.sentence(error)
    assert sentence is not None
    assert sentence.startswith("Your own network failed at ")
    assert ": ValueError: a width of 31 is not a multiple of 4. It is not a part of mhc" in sentence


def test_error_of_the_user_outside_of_a_network_is_withheld() -> None:
    """A data source reads texts."""
    assert user_code.sentence(raising(ValueError(SECRET))) is None


def test_error_in_forward_of_the_user_is_a_sentence(tmp_path: Path) -> None:
    model = a_classifier(network=partial(OwnNetwork, fails_in="forward"))
    error = caught(lambda: a_trainer(tmp_path, max_steps=1, max_epochs=1).fit(model, Data()))
    sentence = user_code.sentence(error)
    assert sentence is not None
    assert "forward: KeyError: 'no such head'" in sentence


@pytest.mark.parametrize(("fails_in", "kind"), [("result", "NoneType"), ("shape", r"logits of the shape \[8, 2\]")])
def test_wrong_result_of_a_network_is_a_sentence(tmp_path: Path, fails_in: str, kind: str) -> None:
    model = a_classifier(network=partial(OwnNetwork, fails_in=fails_in))
    with pytest.raises(BadConfig, match=rf"model.network returns {kind}; it must return logits of the shape \[8, 3\]"):
        a_trainer(tmp_path, max_steps=1, max_epochs=1).fit(model, Data())
