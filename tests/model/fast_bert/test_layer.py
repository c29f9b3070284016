from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertLayer

from mhc.model.fast_bert import attention
from mhc.model.fast_bert.attention import Layout
from mhc.model.fast_bert.dropout import DropoutPool
from mhc.model.fast_bert.layer import encoder_layer
from mhc.model.fast_bert.linear import affine, linear
from mhc.model.fast_bert.packing import Packing


def a_layer() -> BertLayer:
    torch.manual_seed(0)
    config = BertConfig(hidden_size=4, num_attention_heads=2, intermediate_size=6, attn_implementation="eager")
    return BertLayer(config).double()


def a_packing(lengths: list[int]) -> Packing:
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return Packing.of(mask, mask, 0.03, torch.double)


@pytest.mark.parametrize("vector", [8, 64], ids=["keys not padded", "keys padded to a vector"])
@pytest.mark.parametrize("dropout_p", [0.0, 0.4], ids="dropout {}".format)
@pytest.mark.parametrize("lengths", [[4, 1], [3, 3]], ids=["padding", "no padding"])
def test_layer_has_the_gradients_of_finite_differences(
    monkeypatch: pytest.MonkeyPatch, lengths: list[int], dropout_p: float, vector: int
) -> None:
    monkeypatch.setattr(attention, "VECTOR_BYTES", vector)
    layer, packing = a_layer(), a_packing(lengths)
    layout = Layout(packing, 2, torch.double)
    hidden = packing.pack(torch.randn(len(lengths) * packing.seq_len, 4, dtype=torch.double)).requires_grad_()
    bias = packing.attn_bias
    real = packing.pack(bias.view(-1) == 0) if bias is not None else torch.ones(6, dtype=torch.bool)
    pool = DropoutPool(hidden, dropout_p) if dropout_p else None

    def outputs(hidden: Tensor, *_: Tensor) -> Tensor:
        torch.manual_seed(1)  # the windows of the pool
        return encoder_layer(hidden, layer, layout, pool)[real]

    assert torch.autograd.gradcheck(outputs, (hidden, *layer.parameters()))


def test_only_frozen_weights_get_no_gradient() -> None:
    layer, packing = a_layer(), a_packing([4, 1])
    layer.attention.self.key.weight.requires_grad_(requires_grad=False)
    hidden = packing.pack(torch.randn(8, 4, dtype=torch.double))
    encoder_layer(hidden, layer, Layout(packing, 2, torch.double), None).sum().backward()
    assert [name for name, weight in layer.named_parameters() if weight.grad is None] == ["attention.self.key.weight"]


def test_linear_has_the_gradients_of_finite_differences() -> None:
    torch.manual_seed(0)
    x, weight, bias = (torch.randn(*shape, dtype=torch.double, requires_grad=True) for shape in ((5, 4), (6, 4), (6,)))
    assert torch.autograd.gradcheck(linear, (x, weight, bias))


def test_fused_bias_in_bfloat16_is_as_exact_as_rounding_allows() -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(70, 64), torch.randn(48, 64), torch.randn(48)
    exact = torch.nn.functional.linear(x.bfloat16().float(), weight.bfloat16().float(), bias.bfloat16().float())
    ours = affine(x.bfloat16(), weight.bfloat16(), bias.bfloat16())
    torch.testing.assert_close(ours.float(), exact, atol=0.02, rtol=2**-8)
