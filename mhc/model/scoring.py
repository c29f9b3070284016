"""Probabilities from token ids: batches of nearly equal length under a token budget, bfloat16 if it is faster.

Independent of files, runs and Lightning.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mhc.data.tokenizer import Encoded
from mhc.errors import BadConfig
from mhc.hardware import PRECISIONS, best_accelerator, best_precision
from mhc.model.fast_bert import encoder

Ints = NDArray[np.int64]

BATCH_TOKENS = {"cpu": 4096, "cuda": 65536, "mps": 16384}
"""Tokens of a batch including padding. Measured on a CPU: half and twice as many are at most 3 % slower."""
MAX_ROWS = 1024
"""Rows of a batch."""


class Scorer:
    """Network that computes probabilities from token ids.

    Args:
        network: called with input_ids [batch, tokens] and, if `masked`, attention_mask; returns logits
            [batch, classes] or an object with the attribute `logits`. It is moved and cast, not copied.
        pad_id: id that pads shorter texts.
        masked: whether the network takes an attention_mask; if not, padding must not change its logits.
        precision: fp32, bf16 (probabilities differ by less than 1e-2), or auto: bf16 if the hardware supports it.
        device: auto, cpu, cuda, cuda:1, mps.
        batch_tokens: tokens of a batch including padding; None: the default of the device.

    Raises:
        BadConfig: if there is no such precision or device, or `batch_tokens` is below 1.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        pad_id: int,
        masked: bool,
        precision: str = "auto",
        device: str = "auto",
        batch_tokens: int | None = None,
    ) -> None:
        self.device = device_of(device)
        dtype = _dtype(precision, self.device.type)
        self.dtype = dtype if masked else torch.float32  # a bag of n-grams is not faster in bfloat16
        self.batch_tokens = batch_tokens or BATCH_TOKENS.get(self.device.type, 4096)
        if self.batch_tokens < 1:
            raise BadConfig(f"batch_tokens={batch_tokens} has to be at least 1")
        self.pad_id, self.masked = pad_id, masked
        self.fast = self.device.type in encoder.devices("auto", network)
        chosen = precision != "auto" or self.fast or self.dtype is torch.float32
        if not chosen and not _computes(copy.deepcopy(network).to(self.device, self.dtype), pad_id):
            self.dtype = torch.float32
        self.network = network.to(self.device, self.dtype).eval()

    def probabilities(
        self, texts: Encoded, classes: int, on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return probabilities [n, classes] of n texts in their order.

        Args:
            texts: token ids of n texts.
            classes: number of classes.
            on_batch: called after every batch with its number of texts; a text in windows counts with its first.
        """
        result = np.empty((len(texts.lengths), classes), np.float32)
        first = np.ones(len(result), bool) if texts.windows is None else _first_windows(texts.windows)
        starts = np.cumsum(texts.lengths) - texts.lengths
        with torch.inference_mode():
            for rows in batches(texts.lengths, self.batch_tokens):
                logits = self._logits(texts.ids, starts[rows], texts.lengths[rows])
                result[rows] = logits.float().log_softmax(dim=1).cpu().numpy()
                if on_batch:
                    on_batch(int(first[rows].sum()))
        return _of_texts(result, texts.windows)

    def _logits(self, ids: Ints, starts: Ints, lengths: Ints) -> Tensor:
        """Return logits [batch, classes] of the texts that begin at `starts` of `ids`; the longest text is first."""
        longest = max(1, int(lengths[0]))
        padded = np.full((len(starts), longest), self.pad_id, np.int64)
        for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
            padded[row, :length] = ids[start : start + length]
        tokens = torch.from_numpy(padded).to(self.device)
        mask = None
        if self.masked and lengths[-1] < longest:  # without padding no mask is needed
            real = np.arange(longest) < lengths[:, None]
            mask = torch.from_numpy(real.astype(np.int64)).to(self.device)
        if self.fast:
            return encoder.logits(self.network, tokens, mask)
        output = self.network(input_ids=tokens, **({} if mask is None else {"attention_mask": mask}))
        logits: Tensor = output if isinstance(output, Tensor) else output.logits
        return logits


def _first_windows(windows: Ints) -> NDArray[np.bool_]:
    """Return [sum of windows]: whether a window is the first of its text."""
    result = np.zeros(int(windows.sum()), bool)
    result[np.cumsum(windows) - windows] = True
    return result


def _of_texts(scores: NDArray[np.float32], windows: Ints | None) -> NDArray[np.float32]:
    """Return probabilities [texts, classes] from the logarithms of those of their windows.

    They are the softmax of the mean logits: logarithms differ from logits by a constant per window.
    """
    if windows is not None and len(windows):
        sums = np.add.reduceat(scores, np.cumsum(windows) - windows, axis=0)
        scores = (sums / windows[:, None]).astype(np.float32)
    return torch.from_numpy(scores).softmax(dim=1).numpy()


def batches(lengths: Ints, batch_tokens: int) -> Iterator[Ints]:
    """Yield the rows of each batch by length, longest first.

    A batch of more than one row has at most `batch_tokens` tokens including padding.

    Args:
        lengths: tokens per row, [n].
        batch_tokens: limit of a batch.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        rows = min(MAX_ROWS, max(1, batch_tokens // longest))
        yield order[start : start + rows]
        start += rows


def _computes(network: nn.Module, pad_id: int) -> bool:
    """Return whether a network can be computed in its precision; a Fourier transform in bfloat16 cannot."""
    tokens = torch.full((1, 2), pad_id, device=next(network.parameters()).device)
    try:
        with torch.inference_mode():
            network.eval()(input_ids=tokens)
    except RuntimeError:
        return False
    return True


def device_of(name: str) -> torch.device:
    """Return the device with this name; auto: what the machine has.

    Raises:
        BadConfig: if it is not on this machine.
    """
    try:
        device = torch.device(best_accelerator() if name == "auto" else name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise BadConfig(f"device={name} is not on this machine; choose auto, cpu, cuda or mps") from error
    return device


def _dtype(precision: str, device: str) -> torch.dtype:
    if precision not in PRECISIONS:
        raise BadConfig(f"precision={precision} is none of {', '.join(PRECISIONS)}")
    if precision == "auto":
        precision = "bf16" if best_precision(device) == "bf16-mixed" else "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32
