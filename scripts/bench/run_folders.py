"""Generator of run folders like those of `mhc.train`, deterministic by seed. It needs no texts and no training."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mhc.facts import DataFacts, Metrics, ModelFacts, SplitFacts, Timing
from mhc.record import (
    Category,
    Checkpoint,
    Event,
    Gate,
    Lineage,
    MetricsBySplit,
    Promotion,
    RunRecord,
    Status,
    Sweep,
    encode,
)

LABELS = ["anxiety", "depression", "normal", "suicidal"]
MODELS = {"micro": 120_000, "small": 1_800_000, "baseline": 4_700_000, "medium": 19_000_000, "linear": 80_000}
WORDS = ["attention", "focal", "baseline", "long_context", "lr_search", "ablation", "debug_loader", "test_fix"]
PACKAGES = {
    "torch": "2.13.0", "pytorch-lightning": "2.6.6", "transformers": "5.23.0", "hydra-core": "1.3.8",
    "omegaconf": "2.3.0", "datasets": "5.2.0", "numpy": "2.3.4", "scipy": "1.16.2", "torchmetrics": "1.9.0",
    "tokenizers": "0.22.1", "msgspec": "0.22.0", "datasketch": "2.0.0",
}  # fmt: skip
CONFIG = """seed: {seed}
name: {name}
model:
  name: {model}
  network: {{_target_: mhc.model.encoder.Encoder, width: 256, layers: 3, heads: 4, dropout: 0.1}}
  optimizer: {{_target_: torch.optim.AdamW, lr: {lr}, weight_decay: 0.01}}
  tokenizer: {{kind: wordpiece, vocab_size: 8000, max_tokens: 128}}
data: {{_target_: mhc.data.datamodule.TextDataModule, name: mh4_balanced, batching: {{tokens: 8192, bucketing: true}}}}
trainer: {{max_epochs: 6, accelerator: cpu, precision: bf16-mixed}}
"""
PER_SWEEP = 16
"""Jobs of one sweep; every fourth block of that many runs is a sweep."""


def make(outputs: Path, count: int, seed: int = 1) -> None:
    """Write `count` run folders under `outputs`; about a quarter in sweeps, a tenth in the archives."""
    dice = random.Random(seed)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(count):
        record = _record(dice, number, start + timedelta(minutes=4 * number))
        _write(_folder(outputs, record, dice), record, dice)


def _folder(outputs: Path, record: RunRecord, dice: random.Random) -> Path:
    if record.sweep:
        return outputs / record.sweep.id / record.id
    if dice.random() < 0.13:
        return outputs / ("archive_debug" if record.category == Category.DEBUG else "archive_baseline") / record.id
    return outputs / record.id


def _write(folder: Path, record: RunRecord, dice: random.Random) -> None:
    (folder / ".hydra").mkdir(parents=True)
    (folder / "run.json").write_bytes(encode(record))
    model = record.model.name if record.model else "baseline"
    config = CONFIG.format(seed=record.seed, name=record.name, model=model, lr=dice.choice([1e-4, 3e-4, 1e-3]))
    (folder / ".hydra" / "config.yaml").write_text(config)
    (folder / "train.log").touch()


def _record(dice: random.Random, number: int, created: datetime) -> RunRecord:
    name = dice.choice(WORDS)
    debug = name in ("debug_loader", "test_fix")
    model = dice.choice(list(MODELS))
    status = dice.choices(
        [Status.COMPLETED, Status.FAILED, Status.INTERRUPTED, Status.LOST], weights=[80, 10, 6, 4], k=1
    )[0]
    ended = created + timedelta(minutes=dice.uniform(1, 90))
    completed = status == Status.COMPLETED
    sweep = number // PER_SWEEP if number // PER_SWEEP % 4 == 0 else None
    test = _metrics(dice) if completed else None
    return RunRecord(
        id=f"{name}_{created:%Y%m%d_%H%M%S}_{number % 65536:04x}",
        name=name,
        description=f"{name} with the {model} model, attempt {number}",
        tags=dice.sample(["research", "paper", "cpu", "long", "retry"], dice.randint(0, 2)),
        status=status,
        status_reason="the training ended" if completed else "",
        category=Category.DEBUG if debug else Category.BASELINE,
        category_reason="its name has a debug word" if debug else "nothing speaks for a debug run",
        created_at=created.isoformat(),
        started_at=created.isoformat(),
        ended_at=None if status == Status.LOST else ended.isoformat(),
        seed=number % 5,
        sweep=None if sweep is None else Sweep(id=f"sweep_{sweep:06d}", job=number % PER_SWEEP, overrides=["seed=1"]),
        group=f"{number // 5:016x}",
        lineage=_lineage(name, model, number),
        data=_data(),
        model=ModelFacts(
            name=model, architecture="Encoder", parameters=MODELS[model], trainable_parameters=MODELS[model]
        ),
        metrics=MetricsBySplit(val=_metrics(dice) if completed else None, test=test),
        checkpoint=Checkpoint(path="checkpoints/best.ckpt", sha256=f"{number:064x}", bytes=19_000_000),
        timing=Timing(setup_s=2.5, fit_s=(ended - created).total_seconds(), test_s=4.0, epochs=6, steps=3000),
        promotion=_promotion(test, debug=debug),
        history=_history(created, ended, status),
    )


def _metrics(dice: random.Random) -> Metrics:
    accuracy = dice.gauss(0.62, 0.06)
    per_class = {label: accuracy + dice.gauss(-0.03, 0.08) for label in LABELS}
    return Metrics(
        accuracy=accuracy, f1_macro=sum(per_class.values()) / 4, loss=0.9, ece=0.06,
        f1=per_class, precision=per_class, recall=per_class,
    )  # fmt: skip


def _lineage(name: str, model: str, number: int) -> Lineage:
    overrides = [f"name={name}", f"model={model}", f"seed={number % 5}"]
    return Lineage(
        command=["python", "-m", "mhc.train", *overrides],
        overrides=overrides,
        config_hash=f"{number:064x}",
        git_commit=f"{number // 50:040x}",
        git_branch="main",
        git_dirty=False,
        packages=PACKAGES,
        python="3.11.7",
        platform="Linux-6.1-x86_64",
        hardware={"cpu": "x86_64", "cores": 2, "memory_gb": 24.0},
    )


def _data() -> DataFacts:
    splits = {
        split: SplitFacts(rows=rows, fingerprint=split[0] * 64, labels={label: rows // 4 for label in LABELS})
        for split, rows in (("train", 32_000), ("val", 4_000), ("test", 4_000))
    }
    return DataFacts(name="mh4_balanced", synthetic=False, labels=LABELS, splits=splits, source="train.csv")


def _promotion(test: Metrics | None, *, debug: bool) -> Promotion:
    if test is None or test.accuracy is None or test.f1_macro is None:
        return Promotion()
    good = test.accuracy >= 0.55 and test.f1_macro >= 0.45 and not debug
    gates = [
        Gate(name=name, verdict="passed" if measured >= least else "failed", measured=measured, threshold=least,
             reason=f"{name} is {measured:.3f}, at least {least} is required")
        for name, measured, least in (("accuracy", test.accuracy, 0.55), ("f1_macro", test.f1_macro, 0.45))
    ]  # fmt: skip
    return Promotion(candidate=good, reason="every gate passed" if good else "a gate failed", gates=gates)


def _history(created: datetime, ended: datetime, status: Status) -> list[Event]:
    return [
        Event(at=created.isoformat(), what="registered", by="RegisterRun"),
        Event(at=created.isoformat(), what="classified", by="ClassifyRun", why="nothing speaks for a debug run"),
        Event(at=ended.isoformat(), what=str(status), by="RegisterRun", why="the training ended"),
    ]
