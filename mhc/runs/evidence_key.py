"""The secret under which example ids are hashed: one per models folder, or said by MHC_EVIDENCE_KEY."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from mhc.errors import BadConfig, Unreadable

_FILE = ".evidence_key"
_SHORTEST = 16


def key(models: Path) -> bytes:
    """32 bytes: of the environment variable MHC_EVIDENCE_KEY, else of `models/.evidence_key` (made when missing).

    Evidence made under another key cannot be paired with this one's, so the file should travel with the models folder.
    Raises BadConfig for a short variable, Unreadable for a file that is no key.
    """
    said = os.environ.get("MHC_EVIDENCE_KEY")
    if said is not None:
        if len(said) < _SHORTEST:
            raise BadConfig(f"MHC_EVIDENCE_KEY has {len(said)} characters; give it at least {_SHORTEST}, or unset it.")
        return hashlib.sha256(said.encode()).digest()
    path = models / _FILE
    if not path.exists():
        _create(path)
    return _read(path)


def _create(path: Path) -> None:
    """Of many processes at once one wins, and none ever sees half a key: the file appears whole, by a link."""
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
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read as a key ({type(error).__name__}). {_REMEDY}") from error
    if len(secret) != 32:
        raise Unreadable(f"{path} holds {len(secret)} bytes, not 32. {_REMEDY}")
    return secret


_REMEDY = "Put the original back, or remove it and make all evidence again."
