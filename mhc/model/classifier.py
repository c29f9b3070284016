"""LightningModule that trains a network from token ids to logits, and stores the result of each split."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mhc.errors import BadConfig, MhcError
from mhc.facts import Metrics, ModelFacts
from mhc.model.fast_bert import encoder
from mhc.model.optimizers import clip_norm
from mhc.model.pooling import mean_by_text
from mhc.model.results import Collector, Meter, SplitResult
from mhc.model.row_mean import RowMean, total_weight

Batch = dict[str, Tensor]
"""input_ids [batch, tokens], attention_mask [batch, tokens] (missing for n-grams), labels [batch], rows [batch].

If texts are read in windows, input_ids and attention_mask have a row for each, and texts [windows] is the position of
its text in the batch.
"""

OptimizerFactory = Callable[[nn.Module], Optimizer]
ScheduleFactory = Callable[[Optimizer, int], LRScheduler]
LossFactory = Callable[[Sequence[int]], nn.Module]

NETWORK_INPUTS = ("input_ids", "attention_mask")
"""Keys of a batch that are passed to the network if they are present."""


class TextClassifier(pl.LightningModule):
    """Training and evaluation of one network.

    Args:
        network: called with input_ids [batch, tokens] and attention_mask; returns logits [batch, classes], or an
            object with the attribute `logits`.
        labels: class names in the order of the logits.
        class_counts: rows of train per class.
        optimizer: called with the network.
        schedule: called with the optimizer and the number of steps of the whole training.
        loss: called with class_counts; returns a module of logits and labels.
        name: of the model in the record.
        seed: of dropout. The random numbers of a step depend on seed, step and process alone, so that a resumed
            training draws the same numbers as an uninterrupted one.
        max_tokens: longest text, for the record.
        long_texts: how longer texts are read, for the record.
        fast: on which devices `mhc.model.fast_bert.encoder` computes the network: auto, always or never.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        labels: Sequence[str],
        class_counts: Sequence[int],
        optimizer: OptimizerFactory,
        schedule: ScheduleFactory,
        loss: LossFactory,
        name: str,
        seed: int,
        max_tokens: int | None = None,
        long_texts: str | None = None,
        fast: str = "auto",
    ) -> None:
        super().__init__()
        self.network = network
        self.loss = loss(class_counts)
        self.labels = list(labels)
        self.name = name
        self.seed = seed
        self.max_tokens = max_tokens
        self.long_texts = long_texts
        self.fast_devices = encoder.devices(fast, network)
        self.results: dict[str, SplitResult] = {}
        self.meter = Meter()
        self._optimizer_factory, self._schedule_factory = optimizer, schedule
        self._row_mean: RowMean | None = None
        self._epoch_rows: int = 0
        self._collectors = {"val": Collector(), "test": Collector()}
        self._facts = self._describe(encoder.obstacle(network) if fast == "auto" else "")

    def facts(self) -> ModelFacts:
        """Return the model's entry in the record; its parameters are counted before a strategy shards them."""
        return self._facts

    def forward(self, batch: Batch) -> Tensor:
        """Return logits [batch, classes]; those of a text that is read in windows are the mean over them.

        Raises:
            BadConfig: if the network returns anything else.
        """
        logits, texts = self._network_logits(batch), batch.get("texts")
        return logits if texts is None else mean_by_text(logits, texts, len(batch["rows"]))

    def _network_logits(self, batch: Batch) -> Tensor:
        """Return logits [rows of input_ids, classes]."""
        if batch["input_ids"].device.type in self.fast_devices:
            return encoder.logits(self.network, batch["input_ids"], batch.get("attention_mask"))
        output = self.network(**{key: batch[key] for key in NETWORK_INPUTS if batch.get(key) is not None})
        logits = output if isinstance(output, Tensor) else getattr(output, "logits", None)
        shape = (len(batch["input_ids"]), len(self.labels))
        if not isinstance(logits, Tensor) or logits.shape != shape:
            kind = f"logits of the shape {list(logits.shape)}" if isinstance(logits, Tensor) else type(output).__name__
            raise BadConfig(f"model.network returns {kind}; it must return logits of the shape {list(shape)}")
        return logits

    def on_train_start(self) -> None:
        """Pass train once to a network that weights n-grams by their rarity, before its first step."""
        observe = getattr(self.network, "observe", None)
        if observe is not None:
            observe(batch["input_ids"].to(self.device) for batch in self.trainer.train_dataloader or ())

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make the random numbers of this step independent of earlier ones."""
        step = self.current_epoch * 1_000_003 + batch_idx
        seed_generators((self.seed * 1_000_003 + step) * 1_009 + self.global_rank)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch; it is logged at the logging interval, which is the only wait for it."""
        loss = self.loss(self(batch), batch["labels"])
        assert isinstance(loss, Tensor)
        rows = len(batch["labels"])
        self._epoch_loss.add_(loss.detach(), alpha=rows)
        self._epoch_rows += rows
        self.meter.add(real_tokens(batch), "tokens" if "attention_mask" in batch else "n-grams")
        self._log_at_interval("train/loss", loss)
        if self._row_mean is None:
            return loss
        return self._row_mean.weighted(loss, total_weight(self.loss, batch["labels"]))

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Divide the gradients of several batches by their rows; Lightning clips them after this."""
        if self._row_mean is not None:
            self._row_mean.divide_gradients(optimizer)

    def _log_at_interval(self, name: str, value: Tensor) -> None:
        """Log a value at the logging interval; `self.log` takes 0.3 ms even for a value that it discards."""
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # a connector sets it
        if (self.trainer.global_step + 1) % every == 0:
            self.log(name, value, batch_size=1)

    @property
    def epoch_loss(self) -> float:
        """Mean training loss over the rows of the current epoch; reading it waits for the accelerator."""
        return float(self._epoch_loss) / max(1, self._epoch_rows)

    def on_train_epoch_start(self) -> None:
        """Start the clock and the mean of the losses; a callback may have changed the number of batches of a step."""
        self._epoch_loss = torch.zeros((), device=self.device)
        self._epoch_rows = 0
        batches, processes = self.trainer.accumulate_grad_batches, self.trainer.world_size
        self._row_mean = RowMean(batches, processes) if batches * processes > 1 else None
        self.meter.start()

    def on_train_epoch_end(self) -> None:
        """Log the mean loss of the epoch.

        Raises:
            MhcError: if it is not a finite number.
        """
        self.meter.stop()
        mean = self.epoch_loss
        self.log("train/loss_epoch", mean, sync_dist=True, batch_size=max(1, self._epoch_rows))
        if not math.isfinite(mean):
            raise MhcError(
                f"The training loss is {mean} after epoch {self.current_epoch + 1}: the training diverged; "
                "lower model.optimizer.lr"
            )

    def on_validation_start(self) -> None:
        """Stop the clock: validation within an epoch is not training time."""
        self.meter.stop()

    def on_validation_end(self) -> None:
        """Start the clock again if training continues."""
        if self.trainer.training:
            self.meter.start()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Store the outputs; metrics are computed when the split is complete."""
        self._collectors["val"].add(batch["rows"], batch["labels"], self(batch))

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Store the outputs; metrics are computed when the split is complete."""
        self._collectors["test"].add(batch["rows"], batch["labels"], self(batch))

    def on_validation_epoch_end(self) -> None:
        """Compute and log the metrics of the split."""
        self._finish("val")

    def on_test_epoch_end(self) -> None:
        """Compute and log the metrics of the split."""
        self._finish("test")

    def _finish(self, split: str) -> None:
        """Store the result of the split and log its metrics."""
        self.results[split] = self._collectors[split].result(self.labels)
        # every process has computed the metrics of the whole split: the mean over processes is the same number
        self.log_dict(scalars(split, self.results[split].metrics), sync_dist=True, batch_size=1)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer and its learning rate per step.

        Raises:
            BadConfig: if the precision is 16-mixed, or the training has no end.
        """
        if self.trainer.precision == "16-mixed":
            raise BadConfig("trainer.precision is 16-mixed, which is not supported; use bf16-mixed or 32-true")
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise BadConfig(
                "trainer.max_epochs is -1; the learning rate depends on the last step: give a number of epochs"
            )
        optimizer = self._optimizer_factory(self.network)
        schedule = self._schedule_factory(optimizer, int(steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], object] | None = None,
    ) -> None:
        """Step and free the gradients; Lightning would store them during the forward of the next step."""
        optimizer.step(closure=optimizer_closure)  # type: ignore[arg-type]  # the closure of Lightning returns no float
        optimizer.zero_grad(set_to_none=True)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm; Lightning's own clipping rejects fused optimizers even if no gradient is scaled."""
        if not gradient_clip_val:
            return
        clip = getattr(self.trainer.strategy.model, "clip_grad_norm_", None)  # FSDP computes the norm over all shards
        norm = clip(gradient_clip_val) if clip else clip_norm(optimizer, gradient_clip_val)
        self._log_at_interval("train/grad_norm", norm)

    def _describe(self, obstacle: str) -> ModelFacts:
        """Return the model's entry in the record; `obstacle` is why the fast forward does not apply."""
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in self.network.parameters()]
        config = getattr(self.network, "config", None)
        return ModelFacts(
            name=self.name,
            architecture=type(self.network).__name__,
            parameters=sum(size for size, _ in sizes),
            trainable_parameters=sum(size for size, trainable in sizes if trainable),
            max_tokens=self.max_tokens,
            long_texts=self.long_texts,
            pretrained=getattr(config, "name_or_path", "") or None,
            attention=getattr(config, "_attn_implementation", None),
            own_forward=f"Computed by transformers: {obstacle}" if obstacle and config is not None else None,
        )


def of(module: pl.LightningModule) -> TextClassifier:
    """Return the module that Lightning passes to a callback, as a `TextClassifier`.

    Raises:
        BadConfig: if the callback is used with another module.
    """
    if not isinstance(module, TextClassifier):
        raise BadConfig(f"This callback needs a TextClassifier, but {type(module).__name__} is trained; remove it")
    return module


def seed_generators(seed: int) -> None:
    """Seed as `torch.manual_seed` does, without the traceback that it formats for an unused GPU (0.5 ms)."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


def real_tokens(batch: Batch) -> Tensor:
    """Return the number of tokens without padding, a scalar on the batch's device, so that nothing waits for it."""
    mask = batch.get("attention_mask")
    return batch["input_ids"].count_nonzero() if mask is None else mask.sum()


def scalars(split: str, metrics: Metrics) -> dict[str, float]:
    """Return the metrics by the names of the curves: val/f1_macro, val/f1/<label>, ...; without those that are None."""
    single = {key: getattr(metrics, key) for key in ("loss", "accuracy", "f1_macro", "ece")}
    flat = {f"{split}/{key}": value for key, value in single.items() if value is not None}
    for key in ("f1", "precision", "recall"):
        flat |= {f"{split}/{key}/{label}": value for label, value in getattr(metrics, key).items()}
    return flat
