"""Pretrained models and tokenizers: how they are found; their own code (auto_map) runs only if the config says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mhc import files
from mhc.data.embedding import sentence_settings
from mhc.data.options import Tokenizing
from mhc.errors import BadConfig, NotFound, Unreadable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

REMEDY = (
    "Give the hub name of an encoder while online, or the folder that contains it: model.network.name=/path/to/folder"
)


@contextmanager
def reading(part: str, name: str) -> Iterator[None]:
    """Turn the errors of a block that reads a pretrained model into one sentence.

    Args:
        part: `model` or `tokenizer`.
        name: hub name, or a folder.

    Raises:
        NotFound: if there is neither such a folder nor such a model of the hub.
        Unreadable: if it cannot be loaded.
        BadConfig: if it needs its own code, and is not trusted.
    """
    folder = Path(name)
    try:
        with files.reading(f"The pretrained {part} {name!r}", REMEDY), _code_refused(name):
            files.require_regular_files(folder)
            yield
    except Unreadable as error:
        if folder.exists():
            raise
        raise NotFound(f"There is no pretrained {part} {name!r}: no folder, nor one of the hub. {REMEDY}") from error


def require_weights(name: str) -> None:
    """Check that a folder has a file of weights; one of the hub has.

    Raises:
        Unreadable: if it has none.
    """
    folder = Path(name)
    if folder.is_dir() and not any(path.suffix in (".safetensors", ".bin") for path in folder.iterdir()):
        raise Unreadable(f"The pretrained model {name!r} has no weights (model.safetensors). {REMEDY}")


@contextmanager
def _code_refused(name: str) -> Iterator[None]:
    """Turn the error of transformers about code that is not trusted into a sentence."""
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise BadConfig(
            f"{name!r} needs code of its own (auto_map), which was not run. Read that code first; then trust it with "
            "model.network.trust_remote_code=true"
        ) from error


def tokenizer(options: Tokenizing) -> PreTrainedTokenizerFast:
    """Return a pretrained tokenizer from the hub or a folder.

    Raises:
        BadConfig: if no name is given, the tokenizer has no padding token, or it needs its own code and is not trusted.
        NotFound: if there is neither such a folder nor such a model of the hub.
        Unreadable: if it cannot be loaded.
    """
    from transformers import AutoTokenizer

    if options.name is None:
        raise BadConfig("model.tokenizer.name is missing; a pretrained tokenizer needs a hub name or a folder")
    folder = Path(options.name)
    with reading("tokenizer", options.name):
        result = AutoTokenizer.from_pretrained(
            str(folder),
            use_fast=True,
            revision=options.revision or "main",
            local_files_only=options.offline or folder.is_dir(),
            trust_remote_code=options.trust_remote_code,
        )
    if result.pad_token is None:
        result.pad_token = result.eos_token  # as models that were trained to continue texts have it; padding is masked
    if not result.is_fast or result.pad_token_id is None:
        raise BadConfig(f"The tokenizer {options.name} is not a fast one with a padding token. Choose another model")
    sentence_settings.apply(options, result)
    return result
