"""Data, networks and runs for the tests of production: toy texts, two tiny trained encoders, and their run folders.

The network is trained (in a second), so that bundles can be scored; the texts are words without a meaning.
A text contains a first and a second hint at its label. `weak` is trained without the second, `strong` with both.
"""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from mhc.data.cleaning import normalise
from mhc.facts import DataFacts, Metrics
from mhc.model.encoder import from_config
from mhc.policy import PromotionPolicy, load
from mhc.record import Checkpoint, MetricsBySplit, RunRecord, encode
from mhc.runs import checkpoints, evidence
from tests.support.builders import a_record, write_run

LABELS = ["anxiety", "depression", "normal", "suicidal"]
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
NETWORK = {"layers": 1, "width": 32, "heads": 2, "dropout": 0.0}
MAX_TOKENS = 16
STEPS = 100
FIRST, SECOND = 0.72, 0.82
"""Probabilities that each hint is right."""


@dataclass(frozen=True)
class World:
    """The data on disk, and the weights of the networks by quality."""

    folder: Path
    texts: dict[str, list[str]]
    labels: dict[str, list[int]]
    facts: DataFacts
    tokenizer: Path
    weights: dict[str, dict[str, torch.Tensor]]
    probabilities: dict[tuple[str, str], np.ndarray]
    """By quality and split."""


def policy(name: str = "default", **changes: Any) -> PromotionPolicy:
    """Return the policy of that name; `champion={"margin": 1.0}` changes a value of a section."""
    promotion = load(name).promotion
    for section, values in changes.items():
        old = getattr(promotion, section)
        new = msgspec.structs.replace(old, **values) if isinstance(values, dict) else values
        promotion = msgspec.structs.replace(promotion, **{section: new})
    return promotion


def make_world(folder: Path) -> World:
    """Write the data, train both networks, and score validation and test with them."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(7)
    texts, labels = {}, {}
    for split, rows in (("train", 600), ("val", 160), ("test", 240)):
        labels[split] = [row % 4 for row in range(rows)]
        texts[split] = [normalise(_text(label, chance)) for label in labels[split]]
        with (folder / f"{split}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows((text, LABELS[label]) for text, label in zip(texts[split], labels[split], strict=True))
    _write_tokenizer(folder / "words")
    datamodule = _datamodule(folder)
    datamodule.prepare()
    rows = {split: list(datamodule.normalised_texts(split)) for split in texts}
    numbers = {split: list(map(int, datamodule.label_ids(split))) for split in texts}
    weights, probabilities = {}, {}
    for quality in ("weak", "strong"):
        network = _train(rows["train"], numbers["train"], datamodule, quality)
        weights[quality] = {name: value.clone() for name, value in network.state_dict().items()}
        for split in ("val", "test"):
            probabilities[quality, split] = _score(network, rows[split], datamodule.tokenizer_folder)
    return World(folder, rows, numbers, datamodule.facts(), datamodule.tokenizer_folder, weights, probabilities)


def a_trained_run(
    outputs: Path,
    models: Path,
    world: World,
    id: str = "attention_20261120_120000_a1b2",
    *,
    quality: str = "strong",
    probabilities: np.ndarray | None = None,
    data: dict[str, Any] | None = None,
    texts: Sequence[str] | None = None,
    **fields: Any,
) -> Path:
    """Write a run's folder with all that a promotion needs; the arguments introduce faults.

    `probabilities` [240, 4] replace those of the network in the evidence of test, `data` are changes of the data facts,
    `texts` replace the texts of the test split in its evidence.
    """
    on_test = world.probabilities[quality, "test"] if probabilities is None else probabilities
    facts = msgspec.structs.replace(world.facts, **({"synthetic": False} | (data or {})))
    record = a_record(id, data=facts, **({"status": "completed"} | fields))
    record = msgspec.structs.replace(record, metrics=_metrics(on_test, world))
    folder = write_run(outputs, record)
    _write_checkpoint(folder, record, world, quality)
    shutil.copytree(world.tokenizer, folder / "tokenizer", dirs_exist_ok=True)
    (folder / ".hydra" / "config.yaml").write_text(_config(world.folder))
    _write_evidence(folder, models, world, "val", world.probabilities[quality, "val"], None)
    _write_evidence(folder, models, world, "test", on_test, texts)
    return folder


def _write_checkpoint(folder: Path, record: RunRecord, world: World, quality: str) -> None:
    path = folder / "checkpoints" / "best.ckpt"
    torch.save({"state_dict": {f"network.{name}": value for name, value in world.weights[quality].items()}}, path)
    checkpoint = Checkpoint(path="checkpoints/best.ckpt", sha256=checkpoints.sha256(path), bytes=path.stat().st_size)
    (folder / "run.json").write_bytes(encode(msgspec.structs.replace(record, checkpoint=checkpoint)))


def _write_evidence(
    folder: Path, models: Path, world: World, split: str, probabilities: np.ndarray, texts: Sequence[str] | None
) -> None:
    key = evidence.key(models)
    ids = b"".join(evidence.example_id(text, key) for text in (texts or world.texts[split]))
    evidence.write(
        folder / "evaluation" / f"{split}.npz",
        np.frombuffer(ids, np.uint8).reshape(-1, 16),
        np.array(world.labels[split], np.int64),
        probabilities.astype(np.float32),
        LABELS,
    )


def _metrics(probabilities: np.ndarray, world: World) -> MetricsBySplit:
    from mhc.statistics import estimates

    counts = estimates.confusion(np.array(world.labels["test"]), probabilities.argmax(axis=1), 4)
    scores = Metrics(accuracy=float(estimates.accuracy(counts)), f1_macro=float(estimates.f1_macro(counts)))
    return MetricsBySplit(val=scores, test=scores)


def _text(label: int, chance: random.Random) -> str:
    def hint(letter: str, right: float) -> str:
        return f"{letter}{label if chance.random() < right else chance.choice([n for n in range(4) if n != label])}"

    filler = [f"w{chance.randrange(20)}" for _ in range(10)]
    return " ".join([*filler[:5], hint("first", FIRST), *filler[5:], hint("second", SECOND)])


def _write_tokenizer(folder: Path) -> None:
    """Write a tokenizer with one token per word, in a fixed order, so that every process trains the same network."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = [f"first{n}" for n in range(4)] + [f"second{n}" for n in range(4)] + [f"w{n}" for n in range(20)]
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(str(folder))


def _config(folder: Path) -> str:
    network = "\n".join(f"    {key}: {value}" for key, value in NETWORK.items())
    return f"""
seed: 1
name: toy
paths:
  cache: {folder}/cache
model:
  name: baseline
  network:
    _target_: mhc.model.encoder.from_config
    _partial_: true
{network}
    max_tokens: {MAX_TOKENS}
  tokenizer:
    kind: pretrained
    name: {folder}/words
    vocab_size: 300
    max_tokens: {MAX_TOKENS}
data:
  _target_: mhc.data.datamodule.TextDataModule
  cleaning:
    {{conflicting: drop, rare_labels: refuse, min_rows_per_label: 2, unknown_labels: refuse}}
  splitting: {{val: 0.15, test: 0.15, salt: mhc, train_fraction: 1.0, max_train_rows: null}}
  batching:
    {{tokens: 4096, eval_tokens: 4096, max_rows: 64, bucketing: true, pad_multiple: 8, prefetch: 0}}
  near_duplicates: 0.8
  tokenizer: ${{model.tokenizer}}
  cache_dir: ${{paths.cache}}
  seed: ${{seed}}
  source:
    _target_: mhc.data.sources.Files
    train: {folder}/train.csv
    val: {folder}/val.csv
    test: {folder}/test.csv
    text: text
    label: label
    group: null
    split: null
    separator: null
"""


@cache
def _datamodule(folder: Path) -> Any:
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    return instantiate(OmegaConf.create(_config(folder)).data, _convert_="all")


def _tokens(texts: Sequence[str], tokenizer: Path) -> torch.Tensor:
    from transformers import AutoTokenizer

    encode = AutoTokenizer.from_pretrained(str(tokenizer))
    return encode(list(texts), padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt")


def _train(texts: Sequence[str], labels: Sequence[int], datamodule: Any, quality: str) -> torch.nn.Module:
    inputs = [text if quality == "strong" else text.rsplit(" ", 1)[0] for text in texts]
    torch.manual_seed(0)
    network = from_config(4, datamodule.vocab_size, 0, LABELS, max_tokens=MAX_TOKENS, **NETWORK)
    batch, truth = _tokens(inputs, datamodule.tokenizer_folder), torch.tensor(labels)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=0.05, betas=(0.9, 0.98))
    decay = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=STEPS + 1)
    for step in range(STEPS):
        rows = torch.randperm(len(labels), generator=torch.Generator().manual_seed(step))[:100]
        output = network(input_ids=batch["input_ids"][rows], attention_mask=batch["attention_mask"][rows])
        torch.nn.functional.cross_entropy(output.logits, truth[rows]).backward()
        optimizer.step()
        decay.step()
        optimizer.zero_grad()
    return network.eval()


def _score(network: torch.nn.Module, texts: Sequence[str], tokenizer: Path) -> np.ndarray:
    batch = _tokens(texts, tokenizer)
    with torch.inference_mode():
        logits = network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return torch.softmax(logits, dim=-1).numpy()
