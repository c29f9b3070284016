from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.promotions import World, make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return toy data and two tiny trained encoders, built once per session."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return the folders for runs and for models."""
    return tmp_path / "outputs", tmp_path / "models"
