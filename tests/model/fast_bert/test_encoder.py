"""The fast forward gives the logits and gradients of the network's own forward."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification, ElectraConfig, ElectraForSequenceClassification

from mhc.errors import BadConfig
from mhc.model.fast_bert import encoder, packing

VOCABULARY = 50


@pytest.fixture(autouse=True, params=[1, 16, 128], ids="packed to a multiple of {}".format)
def multiple(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "TOKEN_MULTIPLE", request.param)


def a_network(dropout: float = 0.0, **changes: object) -> BertForSequenceClassification:
    torch.manual_seed(3)
    values = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 24,
        "type_vocab_size": 1,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": 0.0,
        "num_labels": 3,
    } | changes
    return BertForSequenceClassification(BertConfig(**values))


def a_batch(lengths: list[int]) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return torch.randint(5, VOCABULARY, mask.shape, generator=generator) * mask, mask


LENGTHS = {
    "no padding": [12, 12, 12],
    "little padding": [12, 12, 12, 12, 12, 12, 12, 11],
    "much padding": [24, 3, 1, 17],
    "one text": [7],
}


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_logits_in_fp32_are_those_of_transformers(lengths: list[int]) -> None:
    network = a_network().eval()
    ids, mask = a_batch(lengths)
    with torch.no_grad():
        theirs = network(input_ids=ids, attention_mask=mask).logits
        ours = encoder.logits(network, ids, mask)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_gradients_in_fp32_are_those_of_transformers(lengths: list[int]) -> None:
    theirs, ids_and_mask = a_network().train(), a_batch(lengths)
    ours = copy.deepcopy(theirs)
    ids, mask = ids_and_mask
    labels = torch.arange(len(lengths)) % 3
    torch.nn.functional.cross_entropy(theirs(input_ids=ids, attention_mask=mask).logits, labels).backward()
    torch.nn.functional.cross_entropy(encoder.logits(ours, ids, mask), labels).backward()
    for (name, expected), got in zip(theirs.named_parameters(), ours.parameters(), strict=True):
        assert expected.grad is not None, name
        torch.testing.assert_close(got.grad, expected.grad, atol=2e-6, rtol=1e-4, msg=lambda text, at=name: at + text)


def test_every_token_counts_without_a_mask() -> None:
    network, (ids, mask) = a_network().eval(), a_batch([9, 9])
    with torch.no_grad():
        torch.testing.assert_close(encoder.logits(network, ids, None), encoder.logits(network, ids, mask))


def test_autocast_in_bfloat16_is_near_to_fp32() -> None:
    network, (ids, mask) = a_network().eval(), a_batch([24, 3, 1, 17])
    with torch.no_grad():
        exact = network(input_ids=ids, attention_mask=mask).logits.softmax(1)
        with torch.autocast("cpu", torch.bfloat16):
            ours = encoder.logits(network, ids, mask)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.softmax(1), exact, atol=1e-2, rtol=0)


def test_network_in_bfloat16_gives_logits_in_bfloat16() -> None:
    network, (ids, mask) = a_network().eval(), a_batch([24, 3, 1, 17])
    with torch.inference_mode():
        exact = network(input_ids=ids, attention_mask=mask).logits.softmax(1)
        ours = encoder.logits(network.bfloat16(), ids, mask)
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float().softmax(1), exact, atol=1e-2, rtol=0)


def test_logits_do_not_depend_on_other_texts_of_the_batch() -> None:
    network = a_network().eval()
    ids, mask = a_batch([24, 3, 1, 17])
    with torch.no_grad():
        together = encoder.logits(network, ids, mask)
        alone = encoder.logits(network, ids[1:2, :3], mask[1:2, :3])
    torch.testing.assert_close(together[1:2], alone, atol=1e-6, rtol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="flash attention needs a GPU")
def test_bfloat16_on_a_gpu_is_near_to_fp32() -> None:
    network = a_network(hidden_size=64).cuda().eval()
    ids, mask = (tensor.cuda() for tensor in a_batch([24, 3, 1, 17]))
    with torch.no_grad():
        exact = network(input_ids=ids, attention_mask=mask).logits.softmax(1)
        with torch.autocast("cuda", torch.bfloat16):
            ours = encoder.logits(network, ids, mask)
    torch.testing.assert_close(ours.softmax(1), exact, atol=1e-2, rtol=0)


def test_frozen_weights_get_no_gradient() -> None:
    network, (ids, mask) = a_network(), a_batch([5, 9])
    for parameter in network.bert.parameters():
        parameter.requires_grad_(requires_grad=False)
    encoder.logits(network, ids, mask).sum().backward()
    assert all(parameter.grad is None for parameter in network.bert.parameters())
    assert network.classifier.weight.grad is not None


def test_dropout_depends_on_the_seed_and_is_off_in_evaluation() -> None:
    network, (ids, mask) = a_network(dropout=0.5), a_batch([5, 9])

    def logits(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return encoder.logits(network, ids, mask)

    assert torch.equal(logits(1), logits(1))
    assert not torch.equal(logits(1), logits(2))
    network.eval()
    assert torch.equal(logits(1), logits(2))


@pytest.mark.parametrize(
    ("changes", "supported"),
    [({}, True), ({"hidden_act": "relu"}, False), ({"attention_probs_dropout_prob": 0.1}, False)],
    ids=["our configuration", "another activation", "attention dropout"],
)
def test_only_exactly_computed_networks_are_supported(changes: dict[str, object], *, supported: bool) -> None:
    assert encoder.is_supported(a_network(**changes)) is supported


@pytest.mark.parametrize(
    ("setting", "expected"), [("auto", {"cpu"}), ("always", {"cpu", "cuda", "mps"}), ("never", set())]
)
def test_setting_selects_the_devices(setting: str, expected: set[str]) -> None:
    assert encoder.devices(setting, a_network()) == expected


def test_unsupported_network_has_no_devices_and_rejects_always() -> None:
    network = a_network(hidden_act="relu")
    assert encoder.devices("auto", network) == set()
    with pytest.raises(BadConfig, match=r"^model\.fast is always, but BertForSequenceClassification with these"):
        encoder.devices("always", network)


def test_unknown_setting_names_the_key_and_the_choices() -> None:
    with pytest.raises(BadConfig, match=r"^model\.fast is 'yes'; it must be one of auto, always, never$"):
        encoder.devices("yes", a_network())


def test_another_family_is_not_supported() -> None:
    config = ElectraConfig(
        vocab_size=VOCABULARY, embedding_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2
    )
    assert not encoder.is_supported(ElectraForSequenceClassification(config))
