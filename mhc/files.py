"""Read files whose content may be anything: only regular files are opened, and every error becomes one sentence.

A pipe blocks the process that opens it, a device never ends, and for damaged content every library raises errors of its
own. Therefore every file in a folder of runs or models is opened by this module, and parsed within `reading`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from mhc.errors import MhcError, Unreadable

LIMIT = 64_000_000
"""Bytes of the largest file that is read as a whole; records and ledgers have a thousandth of it."""
YAML_LIMIT = 1_000_000
"""Bytes of the largest YAML; the parser takes seconds for it, and a recorded config has a hundredth of it."""
MAX_DEPTH = 100
"""Levels of nesting; records and configs have less than ten. Parsers and their users recurse once per level."""
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


def open_regular(path: Path, flags: int = os.O_RDONLY, *, follow_links: bool = True, dir_fd: int | None = None) -> int:
    """Return a descriptor of a regular file, without waiting for the other end of a pipe.

    With `dir_fd`, a descriptor of a folder, `path` is relative to that folder.

    Raises:
        OSError: if the file is not a regular one, or cannot be opened with `flags`.
    """
    flags |= os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow_links else os.O_NOFOLLOW)
    descriptor = os.open(path, flags, 0o666, dir_fd=dir_fd)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _special(status, path)
    return descriptor


def require_regular(path: Path) -> None:
    """Check a file before a library opens it by its name.

    Raises:
        OSError: if it does not exist, or is not a regular file.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise _special(status, path)


def require_regular_files(folder: Path) -> None:
    """Check every file in a folder before a library opens some of them by their names.

    Raises:
        OSError: if one of them is not a regular file.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            require_regular(Path(parent) / name)


def _special(status: os.stat_result, path: Path) -> OSError:
    kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "of another kind")
    code = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
    return OSError(code, f"it is {kind}, not a regular file", str(path))


def open_binary(path: Path, *, follow_links: bool = True) -> BufferedReader:
    """Open a regular file for reading.

    Raises:
        OSError: if it is not a regular file, or cannot be opened.
    """
    return os.fdopen(open_regular(path, follow_links=follow_links), "rb")


def read(path: Path, limit: int = LIMIT, *, follow_links: bool = True) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: if it is not a regular file, cannot be read, or has more than `limit` bytes.
    """
    with open_binary(path, follow_links=follow_links) as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(path))
        return file.read(limit)


def yaml_text(path: Path) -> str:
    """Return the text of a YAML file that can be parsed safely, by PyYAML or OmegaConf.

    Raises:
        Unreadable: if it is not YAML, too large, nested too deeply, or has aliases.
        FileNotFoundError: if there is no such file.
    """
    with reading(path):
        text = read(path, YAML_LIMIT).decode()
        check_yaml(text, path)
    return text


def check_yaml(text: str, subject: object) -> None:
    """Check that YAML can be parsed without a crash, called within `reading`.

    Aliases are refused: with them, a few lines expand to gigabytes. Hydra writes none.

    Raises:
        Unreadable: if it has aliases.
        RecursionError: if it is nested too deeply.
        yaml.YAMLError: if it is not YAML.
    """
    import yaml

    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise RecursionError
        if isinstance(event, yaml.AliasEvent):
            raise Unreadable(f"{subject} cannot be read: it has a YAML alias, *{event.anchor}")


def nested_too_deeply(value: object) -> bool:
    """Return whether decoded JSON has more than `MAX_DEPTH` levels."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether `path`, after all links, lies in `folder`; a loop of links lies nowhere."""
    try:
        return folder.resolve() in path.resolve().parents
    except (OSError, RuntimeError):  # pathlib raises RuntimeError for a loop
        return False


@contextmanager
def reading(subject: object, remedy: str = "") -> Iterator[None]:
    """Turn every error of the block, which opens or parses a file and does nothing else, into `Unreadable`.

    Which errors a parser raises for damaged content is not documented, so they cannot be listed.

    Args:
        subject: the subject of the sentence: the path, or `The checkpoint <path>`.
        remedy: a sentence without a final full stop: what the user can do.

    Raises:
        Unreadable: if the block raises an error, unless it is one of mhc.
        FileNotFoundError: if the block raises it: the caller knows what the file is needed for.
    """
    try:
        yield
    except (MhcError, FileNotFoundError):
        raise
    except Exception as error:
        advice = f". {remedy}" if remedy else ""
        raise Unreadable(f"{subject} cannot be read: {flaw_of(error)}{advice}") from error


def flaw_of(error: Exception) -> str:
    """Return what is wrong with a file that could not be read; never its content."""
    match error:
        case OSError() if error.strerror:
            return error.strerror
        case MemoryError():
            return "it does not fit into the memory"
        case RecursionError():
            return "it is nested too deeply"
        case UnicodeError():
            return "it is not text in UTF-8"
    return f"it is cut short, damaged, or of another kind ({type(error).__name__})"
