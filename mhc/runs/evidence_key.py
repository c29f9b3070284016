"""The secret key of the example ids' hash: one per models folder, or given by MHC_EVIDENCE_KEY."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from mhc.errors import BadConfig, Unreadable
from mhc.files import read

_FILE = ".evidence_key"
_MIN_LENGTH = 16
_MAX_BYTES = 1000


def key(models: Path) -> bytes:
    """Return 32 bytes from the environment variable MHC_EVIDENCE_KEY, else from `models/.evidence_key`.

    The file is created if it is missing. Evidence under one key cannot be paired with evidence under another, so the
    file should be copied together with the models folder.

    Raises:
        BadConfig: if the variable is too short.
        Unreadable: if the file is not a key.
    """
    variable = os.environ.get("MHC_EVIDENCE_KEY")
    if variable is not None:
        if len(variable) < _MIN_LENGTH:
            raise BadConfig(
                f"MHC_EVIDENCE_KEY has {len(variable)} characters; give it at least {_MIN_LENGTH}, or unset it"
            )
        return hashlib.sha256(variable.encode()).digest()
    path = models / _FILE
    if not os.path.lexists(path):
        _create(path)
    return _read(path)


def _create(path: Path) -> None:
    """Create the key; one of several processes wins. The file appears complete, by a link, so no process reads half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_FILE}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        secret = bytes.fromhex(read(path, _MAX_BYTES).decode("ascii").strip())
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read as a key ({type(error).__name__}). {_REMEDY}") from error
    if len(secret) != 32:
        raise Unreadable(f"{path} contains {len(secret)} bytes, not 32. {_REMEDY}")
    return secret


_REMEDY = "Restore the original, or remove it and write all evidence again"
