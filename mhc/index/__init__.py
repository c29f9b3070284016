"""All runs: SQLite cache, query language, selection, comparison. For notebooks: `from mhc.index import Runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mhc.index.api import Run, Runs

__all__ = ["Run", "Runs"]


def __getattr__(name: str) -> type:
    """Import `Run` and `Runs` on first access: most users of this package need neither."""
    if name in __all__:
        from mhc.index import api

        attribute: type = getattr(api, name)
        return attribute
    raise AttributeError(f"module 'mhc.index' has no attribute {name!r}")
