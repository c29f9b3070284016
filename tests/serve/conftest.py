"""A server in this process, on runs in tmp_path, and a client that asks it as a browser on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from mhc.serve.app import application
from mhc.serve.settings import Settings

ADDRESS = "http://127.0.0.1:8000"

Open = Callable[..., TestClient]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(outputs=tmp_path / "outputs", models=tmp_path / "models")


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Return a client of a server on `tmp_path/outputs` and `tmp_path/models`."""
    with TestClient(application(settings), base_url=ADDRESS, follow_redirects=False) as opened:
        yield opened


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Open]:
    """Return a function that starts a server with changed settings, and returns a client of it."""
    with ExitStack() as stack:

        def start(**changes: Any) -> TestClient:
            changed = Settings(outputs=tmp_path / "outputs", models=tmp_path / "models", **changes)
            client = TestClient(application(changed), base_url=ADDRESS, follow_redirects=False)
            return stack.enter_context(client)

        yield start


@contextmanager
def serving(home: Path, *words: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start `mhc serve` on a free port, and yield its address and the process."""
    folders = ["--outputs", str(home / "outputs"), "--models", str(home / "models")]
    process = subprocess.Popen(
        [sys.executable, "-m", "mhc.cli.main", *folders, "serve", "--port", "0", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = re.search(r" at (http://\S+)", process.stdout.readline())
        assert address is not None
        yield address[1], process
    finally:
        process.kill()
        process.communicate()
