"""The data of a training: read, cleaned, split, tokenised and cached once, then served in padded batches.

The cache is `cache_dir`. Corpora (clean texts), tokenizers and tokens each have a folder whose name is a hash of their
inputs. Any number of processes and jobs may use the cache at once; deleting it costs time only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytorch_lightning as pl

from mhc.data import corpus, folds, options, token_cache, tokenizer
from mhc.data.batch_loader import BatchLoader, RankInfo
from mhc.data.corpus import Corpus
from mhc.data.options import Basics, Batching, Cleaning, Splitting, Tokenizing
from mhc.data.sources import Source
from mhc.data.token_cache import TokenSplit
from mhc.errors import BadConfig
from mhc.facts import DataFacts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from mhc.data.cache import Ints
    from mhc.data.tokenizer import Bag

Values = Mapping[str, object]


class TextDataModule(pl.LightningDataModule):
    """Texts with labels for a classifier.

    Args:
        source: where the rows come from.
        cleaning: see `mhc.data.options.Cleaning`.
        splitting: see `mhc.data.options.Splitting`.
        batching: see `mhc.data.options.Batching`.
        tokenizer: see `mhc.data.options.Tokenizing`; comes from the model group.
        cache_dir: folder of the cached corpora, tokenizers and tokens.
        seed: seed of the order of the batches.
        label_names: names of the label values in the order of the model's outputs; None: the values, in
            alphabetical order.
        high_risk: labels that users must be able to rely on; the gates of a promotion check them.
        near_duplicates: share of common word pairs from which a text counts as a near copy; None: near copies are not
            counted.
        shorthand: keys of the source and of the folds that are given directly under `data`; they are read already.

    Raises:
        BadConfig: if a value is not valid; the message names the key.
    """

    def __init__(
        self,
        *,
        source: Source,
        cleaning: Values,
        splitting: Values,
        batching: Values,
        tokenizer: Values,
        cache_dir: str,
        seed: int,
        label_names: Mapping[str | int, str] | None = None,
        high_risk: Sequence[str] = (),
        near_duplicates: float | None = None,
        **shorthand: object,
    ) -> None:
        super().__init__()
        refuse_unknown_keys(shorthand, source)
        self.source = source
        values = {"seed": seed, "near_duplicates": near_duplicates, "high_risk": high_risk}
        basics = options.read(values, Basics, "data")
        self.seed, self.near_duplicates, self.high_risk = basics.seed, basics.near_duplicates, basics.high_risk
        self.cleaning = options.read(cleaning, Cleaning, "data.cleaning")
        self.splitting = options.read(splitting, Splitting, "data.splitting")
        folds.check(self.splitting)
        self.batching = options.read(batching, Batching, "data.batching")
        self.tokenizing = options.read(tokenizer, Tokenizing, "model.tokenizer")
        self.cache = Path(cache_dir)
        self.label_names = {str(value): str(name) for value, name in (label_names or {}).items()}
        self.prepared = False

    def prepare(self) -> None:
        """Build the corpus, the tokenizer and the tokens unless they are cached, and open them.

        A second call does nothing.

        Raises:
            BadConfig: if `high_risk` names a label that the data does not have.
            BadInput: if the data cannot be used; the message gives the place and the remedy.
            NotFound: if there is no such file or tokenizer.
        """
        if self.prepared:
            return
        self.corpus: Corpus = corpus.ensure(
            self.source, self.cleaning, self.splitting, self.label_names, self.near_duplicates, self.cache
        )
        train = self.corpus.about.splits["train"].fingerprint
        self.tokenizer_folder = tokenizer.ensure(
            self.tokenizing,
            self.corpus.texts("train"),
            train,
            self.cache,
            self.corpus.authors("train"),
            mask=self.cleaning.mask,
        )
        encoder = tokenizer.Encoder(self.tokenizer_folder, self.tokenizing.max_tokens, self.tokenizing.reading)
        self.vocab_size, self.pad_id, self.max_tokens = encoder.vocab_size, encoder.pad_id, encoder.max_tokens
        folder = token_cache.ensure(self.corpus, encoder, self.cache)
        self.tokens: dict[str, TokenSplit] = token_cache.read(folder, self.corpus)
        self.refuse_unknown_high_risk()
        self.prepared = True

    def prepare_data(self) -> None:
        """Prepare the data; Lightning calls this on one process per machine."""
        self.prepare()

    def setup(self, stage: str) -> None:
        """Prepare the data; Lightning calls this on every process, and all but the first find it in the cache."""
        self.prepare()

    def refuse_unknown_high_risk(self) -> None:
        """Refuse a high-risk label that the data does not have: a gate would check nothing.

        Raises:
            BadConfig: if there is such a label.
        """
        for label in self.high_risk:
            if label not in self.labels:
                raise BadConfig(
                    f"data.high_risk has {label!r}, but the labels are {', '.join(self.labels)}. Correct it"
                )

    @property
    def labels(self) -> list[str]:
        """Label names in the order of the model's outputs."""
        return self.corpus.about.labels

    @property
    def class_counts(self) -> list[int]:
        """Rows of train per label."""
        counts = self.corpus.about.splits["train"].labels
        return [counts[label] for label in self.labels]

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast | Bag:
        """The tokenizer, with `save_pretrained(folder)`."""
        return tokenizer.load(self.tokenizer_folder)

    def normalised_texts(self, split: str) -> Iterator[str]:
        """Yield the normalised (and masked) texts of a split in the order of its rows."""
        return self.corpus.texts(split)

    def label_ids(self, split: str) -> Ints:
        """Return [rows]: the position of each row's label in `labels`."""
        return self.corpus.label_ids(split)

    def facts(self) -> DataFacts:
        """Return the facts that are recorded."""
        about, counted = self.corpus.about, not self.tokenizing.bag
        splits = {
            name: msgspec.structs.replace(
                facts,
                tokens=len(self.tokens[name].ids) if counted else None,
                truncated=self.tokens[name].truncated,
                windowed=self.tokens[name].windowed,
            )
            for name, facts in about.splits.items()
        }
        return DataFacts(
            name=self.source.name,
            synthetic=self.source.synthetic,
            labels=about.labels,
            splits=splits,
            source=about.origin,
            cut=about.cut,
            folds=about.folds,
            cleaning=about.cleaning,
            reading=about.notes,
            repaired=self.cleaning.repair,
            repairs=about.repairs,
            masked=self.cleaning.mask,
            high_risk=self.high_risk,
            train_fraction=about.train_fraction,
            tokenizer=self.tokenizer_folder.name,
        )

    def train_dataloader(self) -> BatchLoader:
        """Return the batches of train, in a different order in every epoch."""
        loader = self.loader("train", train=True)
        overfit = getattr(self.trainer, "overfit_batches", 0)  # set by Lightning outside the Trainer class
        loader.shuffle = not overfit  # overfitting needs the same batches in every epoch
        return loader

    def val_dataloader(self) -> BatchLoader | list[BatchLoader]:
        """Return the batches of val; an empty list, which Lightning takes for no validation, if there is no val."""
        return self.loader("val") if "val" in self.tokens else []

    def test_dataloader(self) -> BatchLoader:
        """Return the batches of test."""
        return self.loader("test")

    def loader(self, split: str, *, train: bool = False) -> BatchLoader:
        """Return a loader for this process's share of a split."""
        return BatchLoader(
            self.tokens[split],
            self.batching,
            seed=self.seed,
            train=train,
            masked=not self.tokenizing.bag,
            rank_info=self.rank_info(),
            pin=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
        )

    def rank_info(self) -> RankInfo:
        """Return the position of this process among the processes of the training."""
        if self.trainer is None:
            return RankInfo()
        return RankInfo(self.trainer.global_rank, self.trainer.world_size)


def refuse_unknown_keys(shorthand: Mapping[str, object], source: Source) -> None:
    """Refuse keys under `data` that the source does not have, so that no key is silently without effect.

    Raises:
        BadConfig: if there is such a key.
    """
    fields: set[str] = set()
    if dataclasses.is_dataclass(source):
        fields = {field.name for field in dataclasses.fields(source)}
    unknown = sorted(set(shorthand) - fields - set(folds.KEYS))
    if unknown:
        raise BadConfig(f"data.{unknown[0]} is not known. {type(source).__name__} has: {', '.join(sorted(fields))}")
