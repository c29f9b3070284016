"""Code that a pretrained model brings along (auto_map): never asked for, run only if the configuration says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mhc.errors import BadConfig


@contextmanager
def refused(name: str) -> Iterator[None]:
    """Turn the error of transformers about code that is not trusted into a sentence.

    Raises:
        BadConfig: if the model or tokenizer `name` needs its own code, and is not trusted.
    """
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise BadConfig(
            f"{name!r} needs code of its own (auto_map), which was not run. Read that code first; then trust it with "
            "model.network.trust_remote_code=true"
        ) from error
