"""What all pages share: the settings, the threads that read and change runs, and what was counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mhc.cli.context import Context
from mhc.errors import Conflict, NotFound
from mhc.index.index import Index
from mhc.index.rows import Row
from mhc.runs.resolve import Pattern
from mhc.serve.reader import Reader
from mhc.serve.settings import Settings


@dataclass(frozen=True)
class Site:
    """One server."""

    settings: Settings
    context: Context
    quick: Reader
    """For lists."""
    slow: Reader
    """For what takes seconds: statistics of evidence, figures. matplotlib draws in one thread only."""
    changes: Reader
    """For what changes runs or bundles: one after another."""
    answers: Counter[int] = field(default_factory=Counter)
    """Answers by their status."""

    @classmethod
    def of(cls, settings: Settings) -> Site:
        """Return the site with these settings; its threads start with their first task."""
        context = Context(settings.outputs, settings.models, settings.policy)
        return cls(
            settings=settings,
            context=context,
            quick=Reader(context, "lists"),
            slow=Reader(context, "details"),
            changes=Reader(context, "changes"),
        )

    def expire(self) -> None:
        """Let the next page show what was changed."""
        for reader in (self.quick, self.slow, self.changes):
            reader.expire()

    def close(self) -> None:
        """End the threads."""
        for reader in (self.quick, self.slow, self.changes):
            reader.close()


def row_of(index: Index, run_id: str) -> Row:
    """Return the run with exactly this id. It is looked up among the scanned folders, and is never a part of a path.

    Raises:
        NotFound: if there is none.
        Conflict: if several folders have it.
    """
    rows = index.matching(Pattern(run_id, "", True))
    if not rows:
        raise NotFound("There is no run with this id. It may have been moved or purged; see all runs")
    if len(rows) > 1:
        raise Conflict(f"The id {run_id} is there {len(rows)} times. Find the copies with: mhc doctor")
    return rows[0]
