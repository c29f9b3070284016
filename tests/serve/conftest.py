"""A server in this process, on runs in tmp_path, and a client that asks it as a browser on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
