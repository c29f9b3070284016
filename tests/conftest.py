"""The state that every test starts from: signals as on a terminal, and none of the user's environment variables."""

from __future__ import annotations

import os
import signal

import pytest

# A script that was started in the background ignores Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

for name in ("MHC_OUTPUTS", "MHC_MODELS", "MHC_CACHE", "MHC_POLICY", "MHC_DEBUG", "MHC_EVIDENCE_KEY", "MHC_RUN"):
    os.environ.pop(name, None)

# Else each of the many processes that the tests start would compile mhc again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files that have slow tests first, so that no worker ends with one while the others wait."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
