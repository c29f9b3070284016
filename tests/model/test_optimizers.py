from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from mhc.errors import BadConfig
from mhc.model.optimizers import adamw, clip_norm, parameter_groups, sgd, warmup_then
from tests.support.learning import a_classifier


def test_every_parameter_but_norms_and_biases_decays() -> None:
    network = a_classifier().network
    groups = {group["weight_decay"]: {id(p) for p in group["params"]} for group in parameter_groups(network, 0.1)}
    for name, parameter in network.named_parameters():
        exempt = name.endswith("bias") or "LayerNorm" in name
        assert id(parameter) in groups[0.0 if exempt else 0.1], name
    assert sum(map(len, groups.values())) == len(list(network.parameters()))


def test_frozen_parameters_are_left_out() -> None:
    layer = nn.Linear(3, 2)
    layer.weight.requires_grad = False
    assert [group["params"] for group in parameter_groups(layer, 0.1)] == [[layer.bias]]


def test_embeddings_can_be_exempt_from_decay() -> None:
    words = nn.Embedding(5, 2)
    assert parameter_groups(words, 0.1, decay_embeddings=False) == [{"params": [words.weight], "weight_decay": 0.0}]


def test_adamw_is_fused() -> None:
    assert adamw(nn.Linear(2, 2), lr=1e-3, weight_decay=0.1).defaults["fused"] is True


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("max_norm", [0.1, 100.0], ids=["above the limit", "below the limit"])
@pytest.mark.parametrize(
    "build",
    [
        lambda net: adamw(net, lr=1e-2, weight_decay=0.1),
        lambda net: sgd(net, lr=1e-2, weight_decay=0.1, momentum=0.9),
        lambda net: torch.optim.AdamW(net.parameters(), lr=1e-2, fused=False),
    ],
    ids=["fused AdamW", "fused SGD", "another optimizer"],
)
def test_clipping_moves_the_weights_as_torch_does(
    build: Callable[[nn.Module], Optimizer], max_norm: float, dtype: torch.dtype
) -> None:
    def train(clip: Callable[[Optimizer], torch.Tensor]) -> tuple[torch.Tensor, float]:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
        optimizer = build(network)
        for _ in range(3):
            optimizer.zero_grad()
            network(torch.randn(5, 4, dtype=dtype)).square().sum().backward()
            norm = float(clip(optimizer))
            optimizer.step()
        return nn.utils.parameters_to_vector(network.parameters()), norm

    def clip_as_torch(optimizer: Optimizer) -> torch.Tensor:
        return nn.utils.clip_grad_norm_([w for group in optimizer.param_groups for w in group["params"]], max_norm)

    ours, norm = train(lambda optimizer: clip_norm(optimizer, max_norm))
    theirs, expected = train(clip_as_torch)
    assert norm == pytest.approx(expected)
    rounding = {torch.bfloat16: 2**-7}.get(dtype, 1e-6)
    torch.testing.assert_close(ours, theirs, atol=rounding / 10, rtol=rounding)


def rates(decay: str, warmup: float, steps: int, floor: float = 0.0) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = warmup_then(optimizer, steps, warmup=warmup, decay=decay, floor=floor)
    rates = []
    for _ in range(steps + 2):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_linear_decay_falls_to_0_after_a_warmup_above_0() -> None:
    assert rates("linear", 0.2, 10)[:4] == pytest.approx([1 / 3, 2 / 3, 1.0, 0.875])
    assert rates("linear", 0.2, 10)[10:] == [0.0, 0.0]


def test_cosine_decay_is_one_half_in_the_middle() -> None:
    assert rates("cosine", 0.0, 10)[5] == pytest.approx(0.5)


def test_constant_rate_does_not_change() -> None:
    assert set(rates("constant", 0.0, 10)) == {1.0}


def test_floor_is_the_rate_at_the_end_and_after_it() -> None:
    assert rates("linear", 0.0, 10, floor=0.1)[10:] == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: adamw(nn.Linear(1, 1), lr=0, weight_decay=0), "model.optimizer.lr is 0; it must be above 0"),
        (lambda: sgd(nn.Linear(1, 1), lr=-1, weight_decay=0, momentum=0), "model.optimizer.lr is -1"),
        (lambda: rates("wavy", 0.1, 10), "model.schedule.decay is 'wavy'; it must be one of linear, cosine, constant"),
        (lambda: rates("linear", 1.5, 10), "model.schedule.warmup is 1.5; it must be at least 0 and below 1"),
    ],
)
def test_error_names_the_key_of_an_invalid_value(build: Callable[[], object], sentence: str) -> None:
    with pytest.raises(BadConfig, match=sentence):
        build()
