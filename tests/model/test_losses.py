from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from mhc.errors import BadConfig
from mhc.model.losses import CrossEntropy, Focal, class_weights

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0], [0.5, 0.5, 3.0], [1.0, 0.0, 0.0]])
LABELS = torch.tensor([0, 1, 2, 1])
COUNTS = [70, 20, 10]


def test_cross_entropy_without_weights_is_that_of_torch() -> None:
    assert CrossEntropy(COUNTS)(LOGITS, LABELS) == functional.cross_entropy(LOGITS, LABELS)


def test_focal_loss_with_gamma_0_is_cross_entropy() -> None:
    assert Focal(COUNTS, gamma=0)(LOGITS, LABELS) == pytest.approx(float(functional.cross_entropy(LOGITS, LABELS)))


def test_focal_loss_is_the_formula_of_its_paper() -> None:
    p = LOGITS.softmax(dim=1)[torch.arange(4), LABELS]
    assert float(Focal(COUNTS, gamma=2)(LOGITS, LABELS)) == pytest.approx(float(-((1 - p) ** 2 * p.log()).mean()))


@pytest.mark.parametrize("kind", ["sqrt", "balanced"])
def test_class_weights_have_mean_1_and_favour_rare_classes(kind: str) -> None:
    weights = class_weights(kind, COUNTS)
    assert float((weights * torch.tensor(COUNTS)).sum() / sum(COUNTS)) == pytest.approx(1)
    assert weights[0] < weights[1] < weights[2]


def test_balanced_weights_give_every_class_the_same_sum() -> None:
    total = class_weights("balanced", COUNTS) * torch.tensor(COUNTS)
    assert total.tolist() == pytest.approx([100 / 3] * 3)


def test_weights_are_finite_for_a_class_without_rows() -> None:
    assert class_weights("balanced", [5, 0]).isfinite().all()


def test_both_losses_use_the_class_weights() -> None:
    for loss in (CrossEntropy, Focal):
        assert loss(COUNTS, weights="balanced")(LOGITS, LABELS) != loss(COUNTS)(LOGITS, LABELS)


def test_losses_are_computed_in_float32() -> None:
    assert CrossEntropy(COUNTS)(LOGITS.bfloat16(), LABELS).dtype == torch.float32
    assert Focal(COUNTS)(LOGITS.bfloat16(), LABELS).dtype == torch.float32


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: CrossEntropy(COUNTS, weights="rare"), "model.loss.weights is 'rare'; it must be one of none, sqrt"),
        (lambda: CrossEntropy(COUNTS, label_smoothing=1.0), "model.loss.label_smoothing is 1.0; it must be at least 0"),
        (lambda: Focal(COUNTS, gamma=-1), "model.loss.gamma is -1; it must be 0 or more"),
    ],
)
def test_error_names_the_key_of_an_invalid_value(build: Callable[[], object], sentence: str) -> None:
    with pytest.raises(BadConfig, match=sentence):
        build()
