"""Export of a network to `model.onnx`, checked against the network; for servers without torch.

Needs the extra `mhc[onnx]`: onnxscript to write the file, onnxruntime to check it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mhc.data.tokenizer import Encoder
from mhc.errors import BadConfig, MhcError
from mhc.model.ensemble import Ensemble
from mhc.model.tfidf.model import TfidfModel
from mhc.model.weights import Loaded

FILE = "model.onnx"
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-4
"""Largest difference of a probability between the network and the file that is accepted."""
SHAPES = ((1, 1), (3, 7), (2, 32))
"""Batches of the comparison: rows, tokens (limited to the longest text of the network)."""


class Logits(nn.Module):
    """Wrapper of a network that returns the logits [batch, classes] alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits from ids and mask [batch, tokens]."""
        output = self.network(input_ids=input_ids, attention_mask=attention_mask)
        logits: Tensor = output if isinstance(output, Tensor) else output.logits
        return logits


def export(loaded: Loaded, folder: Path) -> Path:
    """Write `model.onnx` into `folder` and return its path.

    Inputs are input_ids and attention_mask, int64 [rows, tokens] of any size; the output is logits [rows, classes],
    without a temperature. The network is moved to the CPU and cast to float32.

    Raises:
        BadConfig: if the extra is not installed, or the network is a bag of n-grams.
        MhcError: if the outputs of the file differ from those of the network; the file is removed.
    """
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise BadConfig(f"An export to ONNX needs {', '.join(missing)}. Install with: pip install 'mhc[onnx]'")
    if isinstance(loaded.network, Ensemble):
        raise BadConfig(f"{loaded.name} is an ensemble, which is no single network. Export its members")
    if not loaded.masked or isinstance(loaded.network, TfidfModel):
        raise BadConfig(f"{loaded.name} is a bag of n-grams, which cannot be exported to ONNX. Export an encoder")
    network = Logits(loaded.network.float().cpu().eval())
    path = folder / FILE
    example = _batch(loaded, 2, 16)
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens", max=loaded.max_tokens)
    with torch.inference_mode(), _quiet():
        program = torch.onnx.export(
            network,
            example,
            dynamo=True,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes=({0: rows, 1: tokens}, {0: rows, 1: tokens}),
            external_data=False,
        )
        assert program is not None
        program.save(str(path), external_data=False)
    difference = _difference(network, path, loaded)
    if not difference <= TOLERANCE:
        path.unlink()
        raise MhcError(f"The ONNX file of {loaded.name} differs by {difference:.1e} from the network; it was removed")
    return path


def _batch(loaded: Loaded, rows: int, tokens: int) -> tuple[Tensor, Tensor]:
    """Return random ids and their mask [rows, tokens]; later rows are shorter."""
    generator = torch.Generator().manual_seed(0)
    tokens = min(tokens, loaded.max_tokens)
    vocab_size = Encoder(loaded.tokenizer_folder, loaded.max_tokens).vocab_size
    ids = torch.randint(vocab_size, (rows, tokens), generator=generator)
    lengths = torch.tensor([max(1, tokens - 2 * row) for row in range(rows)])
    mask = (torch.arange(tokens) < lengths[:, None]).long()
    return ids, mask


def _difference(network: nn.Module, path: Path, loaded: Loaded) -> float:
    """Return the largest difference of a probability between the network and onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    largest = 0.0
    for rows, tokens in SHAPES:
        ids, mask = _batch(loaded, rows, tokens)
        with torch.inference_mode():
            expected = network(ids, mask).softmax(dim=1).numpy()
        (logits,) = session.run(["logits"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        actual = torch.from_numpy(logits).softmax(dim=1).numpy()
        largest = max(largest, float(np.abs(actual - expected).max()))
    return largest


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide messages of the exporter about its own internals; its errors are still shown."""
    names = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in names]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in names:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(names, levels, strict=True):
                logger.setLevel(level)
