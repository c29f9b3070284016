"""What one attack tried, and which tries went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The tries of one kind."""

    name: str
    tried: int
    failures: tuple[str, ...] = ()
    """A sentence for each try that went wrong; never a text of a sample or a secret."""
    skipped: str = ""
    """Why nothing could be tried on this machine."""


class Attack(Protocol):
    """A module of this package."""

    def run(self, work: Path, *, quick: bool) -> list[Outcome]:
        """Attack in the empty folder `work`; a quick run is a part of the whole, for the test suite."""


def outcome(name: str, tries: Sequence[tuple[str, Callable[[], str]]]) -> Outcome:
    """Carry out named tries; each returns what went wrong, or an empty string."""
    problems = [(label, attempt()) for label, attempt in tries]
    return Outcome(
        name=name, tried=len(tries), failures=tuple(f"{label}: {problem}" for label, problem in problems if problem)
    )
