"""Runs: their records, folders, life and index. For notebooks: `from mhc.runs import Runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mhc.runs.api import Run, Runs

__all__ = ["Run", "Runs"]


def __getattr__(name: str) -> type:
    """Import `Run` and `Runs` when they are asked for: most users of this package need neither."""
    if name in __all__:
        from mhc.runs import api

        found: type = getattr(api, name)
        return found
    raise AttributeError(f"module 'mhc.runs' has no attribute {name!r}")
