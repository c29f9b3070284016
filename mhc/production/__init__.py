"""Promotion that can be defended: evidence, gates, bundles, the ledger, and a way back.

from mhc.production import Registry
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mhc.production.api import Registry

__all__ = ["Registry"]


def __getattr__(name: str) -> object:
    """Import the registry when it is first asked for: `mhc.policy` comes by here on every start."""
    if name == "Registry":
        from mhc.production.api import Registry

        return Registry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
