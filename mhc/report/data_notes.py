"""What was found in the data of a run and is not as usual, and which rows were left out. Pure."""

from __future__ import annotations

from mhc.facts import DataFacts


def data_notes(data: DataFacts | None) -> list[str]:
    """Return sentences without a full stop; none has a text of a row."""
    if data is None:
        return []
    left_out = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in data.cleaning.items())
    return [*data.reading, *([f"rows left out: {left_out}"] if left_out else [])]
