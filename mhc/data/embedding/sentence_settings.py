"""What a model's settings of sentence-transformers say about its texts: their longest length, and lower case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from mhc import files
from mhc.data.options import Tokenizing

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

AUTO = "auto"
"""Value of `model.network.pooling`: as the model's settings of sentence-transformers have it."""
MODULES = "modules.json"
"""File that a model with such settings has."""
FILE = "sentence_bert_config.json"
"""File of the settings that concern texts; a model may lack it."""


class TextSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `sentence_bert_config.json`, as far as it changes the ids of a text."""

    max_seq_length: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Tokens of a text at most, special tokens included; None: as many as the tokenizer has it."""
    do_lower_case: bool = False


def find(name: str, path: str, *, revision: str | None = None, offline: bool = False) -> Path | None:
    """Return where a file of a model is, None if the model has none.

    Args:
        name: hub name, or a folder, for which the hub is not contacted.
        path: of the file within the model's folder.
        revision: tag or commit of the hub; None: the newest.
        offline: use the local cache only.
    """
    if Path(name).is_dir():
        return Path(name) / path if (Path(name) / path).is_file() else None
    from transformers.utils.hub import cached_file

    place = cached_file(
        name, path, revision=revision, local_files_only=offline,
        _raise_exceptions_for_missing_entries=False, _raise_exceptions_for_connection_errors=False,
    )  # fmt: skip
    return None if place is None else Path(place)


def read(name: str, *, revision: str | None = None, offline: bool = False) -> TextSettings | None:
    """Return the settings of a model, found as by `find`; None if it has none.

    Raises:
        Unreadable: if they are damaged.
    """
    if find(name, MODULES, revision=revision, offline=offline) is None:
        return None
    path = find(name, FILE, revision=revision, offline=offline)
    if path is None:
        return TextSettings()
    with files.reading(path):
        return msgspec.json.decode(files.read(path), type=TextSettings)


def apply(options: Tokenizing, tokenizer: PreTrainedTokenizerFast) -> None:
    """Set the longest length of a tokenizer to `max_tokens`, or to that of the model's settings if it is less.

    Settings that ask for lower case are applied as well.

    Raises:
        Unreadable: if the settings are damaged.
    """
    settings = None
    if options.pooling == AUTO:
        settings = read(options.name or "", revision=options.revision, offline=options.offline)
    longest = options.max_tokens
    if settings is not None:
        longest = min(longest, settings.max_seq_length or tokenizer.model_max_length)
        if settings.do_lower_case:
            lower_first(tokenizer)
    tokenizer.model_max_length = longest


def lower_first(tokenizer: PreTrainedTokenizerFast) -> None:
    """Let a tokenizer turn a text into lower case before everything else."""
    from tokenizers import normalizers

    pieces = tokenizer.backend_tokenizer
    later = [pieces.normalizer] if pieces.normalizer else []
    pieces.normalizer = normalizers.Sequence([normalizers.Lowercase(), *later])
