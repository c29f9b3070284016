"""Run folders and bundles with a tiny network of random weights, for tests of loading, prediction and evaluation."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mhc.data import tokenizer
from mhc.data.options import Tokenizing
from mhc.data.tokenizer import Encoder
from mhc.model.encoder import from_config
from mhc.model.linear import bag
from mhc.production import bundle
from mhc.record import Checkpoint
from mhc.runs import checkpoints
from tests.support.builders import LABELS, a_record, data_facts, write_run

ID = "tiny_20261120_120000_a1b2"
MAX_TOKENS = 32
WORDS = ["river", "stone", "cloud", "lamp", "chair", "green", "seven", "walks", "north", "paper", "quiet", "spoon"]
ENCODER = {"layers": 1, "width": 32, "heads": 2, "dropout": 0.1}


def some_texts(count: int, seed: int = 0, longest: int = 60) -> list[str]:
    """Return texts of 1 to `longest` words without a meaning."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, longest))) for _ in range(count)]


def a_network(kind: str, encoder: Encoder) -> nn.Module:
    """Return an encoder or a bag whose random weights are large enough that texts get different labels."""
    torch.manual_seed(1)
    if kind == "bag":
        network: nn.Module = bag(4, encoder.vocab_size, encoder.pad_id, LABELS)
    else:
        network = from_config(4, encoder.vocab_size, encoder.pad_id, LABELS, max_tokens=MAX_TOKENS, **ENCODER)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.randn_like(weights) * (1.0 if kind == "bag" else 0.2))
    return network.eval()


def a_trained_run(outputs: Path, kind: str = "encoder", id: str = ID, **record: Any) -> Path:
    """Write a completed run with a checkpoint as of Lightning, a tokenizer, and the config that builds the network."""
    folder = write_run(outputs, a_record(id, data=data_facts(), **record))
    options = Tokenizing(kind="ngrams" if kind == "bag" else "wordpiece", vocab_size=400, max_tokens=MAX_TOKENS)
    tokenizer.build(options, some_texts(200, seed=9), folder / "tokenizer")
    network = a_network(kind, Encoder(folder / "tokenizer", MAX_TOKENS))
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    path = folder / "checkpoints" / "best.ckpt"
    torch.save({"state_dict": state | {"loss.weight": torch.ones(4)}, "epoch": 3}, path)
    checkpoint = Checkpoint(
        path="checkpoints/best.ckpt", sha256=checkpoints.sha256(path), bytes=path.stat().st_size, epoch=3
    )
    with (folder / "run.json").open("r+b") as file:
        values = json.load(file)
        values["checkpoint"] = {name: getattr(checkpoint, name) for name in checkpoint.__struct_fields__}
        file.seek(0)
        file.truncate()
        file.write(json.dumps(values).encode())
    (folder / ".hydra" / "config.yaml").write_text(json.dumps(config_of(kind)))
    return folder


def config_of(kind: str) -> dict[str, Any]:
    """Return the sections model and paths of `.hydra/config.yaml`."""
    encoder = {"_target_": "mhc.model.encoder.from_config", **ENCODER, "max_tokens": "${model.tokenizer.max_tokens}"}
    node = {"_target_": "mhc.model.linear.bag"} if kind == "bag" else encoder
    return {
        "model": {"name": "tiny", "network": {**node, "_partial_": True}, "tokenizer": {"max_tokens": MAX_TOKENS}},
        "paths": {"outputs": "outputs", "models": "models", "cache": ".cache", "run": None},
    }


def a_bundle(folder: Path, run: Path, temperature: float = 1.0) -> Path:
    """Write a sealed bundle of a run, as any program could."""
    from mhc.production.loading import from_run

    loaded = from_run(run)
    folder.mkdir(parents=True)
    loaded.network.save_pretrained(str(folder))  # type: ignore[operator]
    for path in (run / "tokenizer").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    settings = folder / "tokenizer_config.json"
    if settings.exists():
        settings.write_text(json.dumps(json.loads(settings.read_bytes()) | {"model_max_length": MAX_TOKENS}))
    (folder / "calibration.json").write_text(json.dumps({"temperature": temperature}))
    bundle.seal(folder)
    return folder


def a_table(path: Path, texts: list[str], **columns: list[str]) -> Path:
    """Write a CSV file with a number, the texts and further columns."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", *columns])
        for number, row in enumerate(zip(texts, *columns.values(), strict=True)):
            writer.writerow([number, *row])
    return path
