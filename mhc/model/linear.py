"""A bag of n-grams, weighted by rarity, and one vector of class scores per n-gram: the reference to beat.

The manner of fastText (Joulin et al. 2017: hashed n-grams, one embedding bag; Bojanowski et al. 2017: pieces of words
as well) with the weighting of TF-IDF (1 + log of the count in the text, times the logarithm of the inverse document
frequency, length 1), which is what makes it level with TF-IDF + logistic regression where texts are few; the pieces of
words put it ahead (macro-F1 on validation, mean over three cuts of two sets of real posts: 0.71 to 0.72, 0.58 to 0.60).
It has the class scores themselves as embeddings: there is nothing between the bag and the logits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from mhc.model.encoder import label_names


class BagConfig(PretrainedConfig):  # type: ignore[misc]  # transformers has no types
    """The config of `Bag`; `vocab_size` is the number of buckets that n-grams are hashed into."""

    model_type = "mhc_bag"

    def __init__(self, vocab_size: int = 2, pad_token_id: int = 0, **shared: object) -> None:
        self.vocab_size = vocab_size
        super().__init__(pad_token_id=pad_token_id, **shared)


class Bag(PreTrainedModel):  # type: ignore[misc]
    """Ids of n-grams in, class scores out."""

    config_class = BagConfig
    base_model_prefix = "bag"

    def __init__(self, config: BagConfig) -> None:
        super().__init__(config)
        self.scores = nn.EmbeddingBag(config.vocab_size, config.num_labels, mode="sum")
        self.bias = nn.Parameter(torch.zeros(config.num_labels))
        self.rarity = nn.Buffer(torch.ones(config.vocab_size))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """All zero: the start of a convex problem needs no luck."""
        if isinstance(module, nn.EmbeddingBag):
            nn.init.zeros_(module.weight)
        elif isinstance(module, Bag):
            nn.init.zeros_(module.bias)
            nn.init.ones_(module.rarity)

    @torch.no_grad()
    def observe(self, batches: Iterable[Tensor]) -> None:
        """Weigh n-grams by their rarity in train; those that train does not have weigh nothing.

        Args:
            batches: input_ids of this process's share of train, each [batch, n-grams].
        """
        documents = torch.zeros(self.config.vocab_size + 1, dtype=torch.float64, device=self.rarity.device)
        for ids in batches:
            ordered, _ = counted(ids)
            repeated = functional.pad(ordered[:, 1:] == ordered[:, :-1], (1, 0))
            documents[:-1] += ordered[~repeated].bincount(minlength=self.config.vocab_size)
            documents[-1] += len(ids)
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(documents)
        rarity = torch.log((1 + documents[-1]) / (1 + documents[:-1])) + 1
        self.rarity.copy_(torch.where(documents[:-1] > 0, rarity, 0.0))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SequenceClassifierOutput:
        """Logits [batch, classes] from input_ids [batch, n-grams]; the padding id counts for nothing."""
        ids, counts = counted(input_ids)
        # the mean of an n-gram's copies, times 1 + log(copies): each copy carries its share
        weights = self.rarity[ids] * (1 + counts.log()) / counts
        weights = weights * (ids != self.config.pad_token_id)
        # as vectors over n-grams: the copies of one add up again
        length = (weights.square() * counts).sum(dim=1, keepdim=True).sqrt()
        weights = weights / length.clamp(min=1e-9)
        with torch.autocast(input_ids.device.type, enabled=False):
            logits = functional.embedding_bag(ids, self.scores.weight, mode="sum", per_sample_weights=weights)
            return SequenceClassifierOutput(logits=logits + self.bias)


def counted(ids: Tensor) -> tuple[Tensor, Tensor]:
    """The ids of each text in ascending order, and beside each how often it stands in its text, as a float.

    Both of shape [batch, n-grams].
    """
    ordered = ids.sort(dim=1).values
    first = torch.searchsorted(ordered, ordered, right=False)
    return ordered, (torch.searchsorted(ordered, ordered, right=True) - first).float()


def bag(num_labels: int, vocab_size: int, pad_id: int, labels: Sequence[str]) -> Bag:
    """The network as `conf/model/linear.yaml` names it."""
    return Bag(BagConfig(vocab_size=vocab_size, pad_token_id=pad_id, **label_names(num_labels, labels)))


AutoConfig.register(BagConfig.model_type, BagConfig, exist_ok=True)
AutoModelForSequenceClassification.register(BagConfig, Bag, exist_ok=True)
