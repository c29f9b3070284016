"""The data of a training: read, cleaned, cut, tokenised and kept on the disk once, then served in padded batches.

What is kept lies in `cache_dir`, each thing in a folder named by what went into it: corpora (clean texts), tokenizers,
tokens. Any number of processes and jobs may use it at once; deleting it costs time only.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytorch_lightning as pl

from mhc.data import corpus, options, token_cache, tokenizer
from mhc.data.batch_loader import BatchLoader, Place
from mhc.data.corpus import Corpus
from mhc.data.options import Batching, Cleaning, Splitting, Tokenizing
from mhc.data.sources import Source
from mhc.data.token_cache import TokenSplit
from mhc.errors import BadConfig
from mhc.facts import DataFacts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from mhc.data.cache import Ints
    from mhc.data.ngrams import NgramTokenizer

log = logging.getLogger(__name__)

Values = Mapping[str, object]


class TextDataModule(pl.LightningDataModule):
    """Texts with labels, ready for a classifier.

    Args:
        source: where the rows come from.
        cleaning: see `mhc.data.options.Cleaning`.
        splitting: see `mhc.data.options.Splitting`.
        batching: see `mhc.data.options.Batching`.
        tokenizer: see `mhc.data.options.Tokenizing`; comes from the model group.
        cache_dir: what is read, trained and tokenised once is kept here.
        seed: of the order of the batches.
        label_names: names of the label values in the order of the model's outputs; None: the values, by the alphabet.
        high_risk: labels that a person must be able to rely on; the gates of a promotion look at them.
        near_duplicates: share of common word pairs from which a text counts as a near copy; None: not counted.
        shorthand: keys of the source that are typed directly under `data`; the source has read them already.

    Raises:
        BadConfig: a value does not fit; names the key.
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
        refuse_unread(shorthand, source)
        self.source = source
        self.cleaning = options.read(cleaning, Cleaning, "data.cleaning")
        self.splitting = options.read(splitting, Splitting, "data.splitting")
        self.batching = options.read(batching, Batching, "data.batching")
        self.tokenizing = options.read(tokenizer, Tokenizing, "model.tokenizer")
        self.cache = Path(cache_dir)
        self.seed = seed
        self.label_names = {str(value): str(name) for value, name in (label_names or {}).items()}
        self.high_risk = list(high_risk)
        self.near_duplicates = near_duplicates
        self.prepared = False

    def prepare(self) -> None:
        """Make sure that corpus, tokenizer and tokens are on the disk, and open them; again: nothing happens.

        Raises:
            BadInput: the data cannot be used; says where and what to do.
            NotFound: there is no such file or tokenizer.
        """
        if self.prepared:
            return
        self.corpus: Corpus = corpus.ensure(
            self.source, self.cleaning, self.splitting, self.label_names, self.near_duplicates, self.cache
        )
        train = self.corpus.about.splits["train"].fingerprint
        self.tokenizer_folder = tokenizer.ensure(self.tokenizing, self.corpus.texts("train"), train, self.cache)
        encoder = tokenizer.Encoder(self.tokenizer_folder, self.tokenizing.max_tokens)
        self.vocab_size, self.pad_id = encoder.vocab_size, encoder.pad_id
        folder = token_cache.ensure(self.corpus, encoder, self.cache)
        self.tokens: dict[str, TokenSplit] = token_cache.read(folder, self.corpus)
        self.refuse_unknown_high_risk()
        self.prepared = True

    def prepare_data(self) -> None:
        """Lightning's call on one process per machine."""
        self.prepare()

    def setup(self, stage: str) -> None:
        """Lightning's call on every process: the others find what the first has made."""
        self.prepare()

    def refuse_unknown_high_risk(self) -> None:
        """Refuse a high-risk label that the data does not have: a gate would look at nothing."""
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
    def tokenizer(self) -> PreTrainedTokenizerFast | NgramTokenizer:
        """The tokenizer, with `save_pretrained(folder)`."""
        return tokenizer.load(self.tokenizer_folder)

    def normalised_texts(self, split: str) -> Iterator[str]:
        """Yield the normalised texts of a split in the order of its rows."""
        return self.corpus.texts(split)

    def label_ids(self, split: str) -> Ints:
        """Return [rows]: the position of each row's label in `labels`."""
        return self.corpus.label_ids(split)

    def facts(self) -> DataFacts:
        """Return what goes on record."""
        about = self.corpus.about
        splits = {
            name: msgspec.structs.replace(
                facts, tokens=len(self.tokens[name].ids), truncated=self.tokens[name].truncated
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
            cleaning=about.cleaning,
            high_risk=self.high_risk,
            train_fraction=about.train_fraction,
            tokenizer=self.tokenizer_folder.name,
        )

    def train_dataloader(self) -> BatchLoader:
        """Return the batches of train, in another order every epoch."""
        loader = self.loader("train", train=True)
        overfit = getattr(self.trainer, "overfit_batches", 0)  # set by Lightning outside of Trainer's class
        loader.shuffle = not overfit  # the same batches in every epoch, or there is nothing to overfit
        return loader

    def val_dataloader(self) -> BatchLoader:
        """Return the batches of val."""
        return self.loader("val")

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
            masked=self.tokenizing.kind != "ngrams",
            place=self.place(),
            pin=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
        )

    def place(self) -> Place:
        """Return which of the training's processes this is."""
        if self.trainer is None:
            return Place()
        return Place(self.trainer.global_rank, self.trainer.world_size)


def refuse_unread(shorthand: Mapping[str, object], source: Source) -> None:
    """Refuse keys under `data` that the source does not know, so that none is silently without effect."""
    known: set[str] = set()
    if dataclasses.is_dataclass(source):
        known = {field.name for field in dataclasses.fields(source)}
    unread = sorted(set(shorthand) - known)
    if unread:
        raise BadConfig(f"data.{unread[0]} is not known. {type(source).__name__} reads: {', '.join(sorted(known))}")
