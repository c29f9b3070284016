"""The contenders other than mhc: the Hugging Face Trainer, plain Lightning, a bare loop on mhc's batches."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import chain, repeat

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from mhc.model.fast_bert import encoder
from scripts.bench.clock import Clock
from scripts.bench.setting import GRADIENT_NORM, Setting

Batch = dict[str, Tensor]
ATTENTION_DROPOUT = 0.1
"""The default of BertConfig."""


def network(setting: Setting, attention_dropout: float) -> PreTrainedModel:
    """Return the network as transformers builds it, with the initial weights that all contenders share."""
    config: BertConfig = setting.classifier().network.config
    config.attention_probs_dropout_prob = attention_dropout
    copy = BertForSequenceClassification._from_config(config, attn_implementation="sdpa")
    copy.load_state_dict(setting.weights)
    return copy


class Collator:
    """Padding to the longest text of the batch."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, rows: list[dict[str, list[int]]]) -> Batch:
        """Return ids and mask as [rows, longest], and labels."""
        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        ids = nn.utils.rnn.pad_sequence(
            [torch.tensor(row["input_ids"]) for row in rows], batch_first=True, padding_value=self.pad_id
        )
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([row["labels"] for row in rows])}


class StopTrainer(TrainerCallback):  # type: ignore[misc]  # its class is not typed
    """Callback that ends the Hugging Face Trainer when the turn is over."""

    def __init__(self, clock: Clock, model: PreTrainedModel) -> None:
        self.clock, self.tokens = clock, 0
        model.register_forward_pre_hook(self.count, with_kwargs=True)

    def count(self, model: nn.Module, arguments: object, named: Batch) -> None:
        """Count the tokens that the model receives: the Trainer collates one batch ahead."""
        self.tokens += int(named["attention_mask"].sum())

    def on_step_end(self, args: object, state: object, control: object, **rest: object) -> None:
        """Count a step."""
        control.should_training_stop = self.clock.step(self.tokens)  # type: ignore[attr-defined]  # a TrainerControl
        self.tokens = 0


def hugging_face(*, best: bool, attention_dropout: float) -> Callable[[Setting, int, float], float]:
    """Return a turn of the Trainer: with its defaults, or with its best settings (bf16, texts grouped by length)."""

    def turn(setting: Setting, seed: int, seconds: float) -> float:
        # grouped by length, the longest texts come first: a turn is a whole epoch, so that it covers all lengths; the
        # first one (seed 0) only warms up, and is not counted
        clock, model = Clock(float("inf") if best and seed else seconds), network(setting, attention_dropout)
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=setting.rows_per_step,
                num_train_epochs=1,
                learning_rate=float(setting.plain.model.optimizer.lr),
                weight_decay=float(setting.plain.model.optimizer.weight_decay),
                adam_beta2=0.98,
                max_grad_norm=GRADIENT_NORM,
                seed=seed,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                logging_steps=500,
                remove_unused_columns=False,
                use_cpu=not torch.cuda.is_available(),
                **({"bf16": setting.precision.startswith("bf16")} | GROUPED if best else {}),
            )
            trainer = Trainer(
                model=model,
                args=arguments,
                train_dataset=rows_of(setting),
                data_collator=Collator(setting.data.pad_id),
                callbacks=[StopTrainer(clock, model)],
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        return clock.rate

    return turn


GROUPED = {"train_sampling_strategy": "group_by_length", "length_column_name": "length"}


def rows_of(setting: Setting) -> object:
    """Return the training split as a Hugging Face data set; its column `length` spares the Trainer measuring it."""
    from datasets import Dataset

    return Dataset.from_list(setting.rows())


class Plain(pl.LightningModule):
    """A LightningModule as in a tutorial."""

    def __init__(self, model: PreTrainedModel, lr: float, decay: float, clock: Clock) -> None:
        super().__init__()
        self.model, self.lr, self.decay, self.clock = model, lr, decay, clock

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss that transformers computes."""
        loss: Tensor = self.model(**batch).loss
        self.log("train_loss", loss)
        return loss

    def on_train_batch_end(self, outputs: object, batch: Batch, batch_idx: int) -> None:
        """Stop the Trainer if the turn is over."""
        self.trainer.should_stop = self.clock.step(int(batch["attention_mask"].sum()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW, fused as for all contenders."""
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.decay, betas=(0.9, 0.98), fused=True)


def lightning(setting: Setting, seed: int, seconds: float) -> float:
    """Run a turn of plain Lightning on a DataLoader that pads each batch to its longest text."""
    pl.seed_everything(seed, verbose=False)
    loader: DataLoader[Batch] = DataLoader(
        setting.rows(),  # type: ignore[arg-type]  # a list is a data set
        batch_size=setting.rows_per_step,
        shuffle=True,
        collate_fn=Collator(setting.data.pad_id),
    )
    optimizer = setting.plain.model.optimizer
    clock = Clock(seconds)
    module = Plain(network(setting, ATTENTION_DROPOUT), float(optimizer.lr), float(optimizer.weight_decay), clock)
    pl.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False
    ).fit(module, loader)
    return clock.rate


def bare_loop(*, own_forward: bool) -> Callable[[Setting, int, float], float]:
    """Return a turn of a loop without any framework, on mhc's batches; with mhc's forward or that of transformers."""

    def turn(setting: Setting, seed: int, seconds: float) -> float:
        torch.manual_seed(seed)
        model = network(setting, 0.0)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = model.to(device).train()
        optimizer = setting.plain.model.optimizer
        adamw = torch.optim.AdamW(
            model.parameters(), lr=optimizer.lr, weight_decay=optimizer.weight_decay, betas=(0.9, 0.98), fused=True
        )
        clock, mixed = Clock(seconds), setting.precision.startswith("bf16")
        loader = setting.data.loader("train", train=True)
        loader.seed = seed
        for batch in chain.from_iterable(repeat(loader)):  # epoch after epoch, like the turn of mhc
            tokens = int(batch["attention_mask"].sum())
            ids, mask, labels = (batch[key].to(device) for key in ("input_ids", "attention_mask", "labels"))
            with torch.autocast(device, torch.bfloat16, enabled=mixed):
                ours = own_forward and device in encoder.devices("auto", model)
                logits = encoder.logits(model, ids, mask) if ours else model(ids, mask).logits
            torch.autograd.backward(cross_entropy(logits.float(), labels))
            nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM)
            adamw.step()
            adamw.zero_grad(set_to_none=True)
            if clock.step(tokens):
                break
        return clock.rate

    return turn
