"""Only regular files are opened, and every error of a reader is one sentence."""

from __future__ import annotations

import os
import pickle
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mhc import files
from mhc.errors import NotFound, Unreadable


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": a_socket,
    "folder": Path.mkdir,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "loop of links": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_APPEND | os.O_CREAT], ids=["read", "append"])
def test_special_file_is_never_opened(kind: str, flags: int, tmp_path: Path) -> None:
    SPECIAL[kind](tmp_path / "file")
    with pytest.raises(OSError, match=r"not a regular file|No such device|Is a directory|Too many levels"):
        files.open_regular(tmp_path / "file", flags)


@pytest.mark.parametrize("kind", SPECIAL)
def test_special_file_in_a_folder_is_found(kind: str, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    SPECIAL[kind](tmp_path / "inner" / "file")
    if kind == "folder":
        files.require_regular_files(tmp_path)
        return
    with pytest.raises(OSError, match=r"not a regular file|Too many levels"):
        files.require_regular_files(tmp_path)
    with pytest.raises(OSError, match=r"not a regular file|Too many levels"):
        files.require_regular(tmp_path / "inner" / "file")


def test_pipe_with_a_writer_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)
    try:
        with pytest.raises(OSError, match="it is a pipe, not a regular file"):
            files.read(tmp_path / "pipe")
    finally:
        os.close(writer)


def test_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="more than 64,000,000 bytes"):
        files.read(path)


def test_link_is_followed_unless_it_must_not_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert files.read(tmp_path / "link") == b"content"
    with pytest.raises(OSError, match="Too many levels"):
        files.read(tmp_path / "link", follow_links=False)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(5, "Input/output error"), "X cannot be read: Input/output error"),
        (MemoryError(), "X cannot be read: it does not fit into the memory"),
        (RecursionError(), "X cannot be read: it is nested too deeply"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "secret"), "X cannot be read: it is not text in UTF-8"),
        *(
            (error, f"X cannot be read: it is cut short, damaged, or of another kind ({type(error).__name__})")
            for error in (pickle.UnpicklingError("a text"), zipfile.BadZipFile(), KeyError("a text"), OSError("a text"))
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_error_of_a_reader_becomes_one_sentence(error: Exception, sentence: str) -> None:
    with pytest.raises(Unreadable) as caught, files.reading("X"):
        raise error
    assert str(caught.value) == sentence


def test_error_of_mhc_and_a_missing_file_pass(tmp_path: Path) -> None:
    with pytest.raises(NotFound), files.reading("X"):
        raise NotFound("no run")
    with pytest.raises(FileNotFoundError), files.reading("X"):
        files.read(tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: &b [1]\nc: *b\n", "alias"),
        (b"[" * 5000, "nested too deeply"),
        (b"- " * 5000 + b"1", "nested too deeply"),
        (b"a: \xff", "not text in UTF-8"),
        (b"a: [", "damaged"),
        (b"#" * 1_000_001, "more than 1,000,000 bytes"),
    ],
    ids=["alias", "flow", "block", "bytes", "cut", "huge"],
)
def test_yaml_that_could_do_harm_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(Unreadable, match=reason):
        files.yaml_text(tmp_path / "config.yaml")


def test_depth_of_decoded_json_is_limited() -> None:
    assert not files.nested_too_deeply({"a": [{}, 1]})
    deep: object = []
    for _ in range(files.MAX_DEPTH):
        deep = [deep]
    assert files.nested_too_deeply(deep)


def test_loop_of_links_lies_in_no_folder(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert not files.is_inside(tmp_path / "loop", tmp_path)
    assert files.is_inside(tmp_path / "other", tmp_path)
