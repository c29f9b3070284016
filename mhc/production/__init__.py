"""Promotion of runs to production: evidence, gates, bundles, the ledger, aliases and rollback.

from mhc.production import Registry
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mhc.production.api import Registry

__all__ = ["Registry"]


def __getattr__(name: str) -> object:
    """Import `Registry` on first use: every module of this package imports this file, and most do not need it."""
    if name == "Registry":
        from mhc.production.api import Registry

        return Registry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
