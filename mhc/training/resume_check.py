"""Check that a run is resumed on the data, the labels and the tokenizer with which it began."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mhc.errors import Refused
from mhc.facts import DataFacts
from mhc.record import RunRecord

if TYPE_CHECKING:
    from mhc.data.datamodule import TextDataModule

VOCABULARIES = {
    "tokenizer.json": "model",
    "ngrams.json": None,
    "tfidf.json": None,
    "embedding.json": None,
    "encoder/tokenizer.json": "model",
}
"""Files that decide which id a token has, and the key of the part that does; other parts depend on library versions."""


def refuse_changed_data(record: RunRecord, folder: Path, datamodule: TextDataModule) -> None:
    """Refuse to resume the run in `folder` if its data is not what its record describes.

    Raises:
        Refused: if a split, the labels or the tokenizer differ; names both values.
    """
    if record.data is None:  # it ended before its data was recorded
        return
    differences = [
        *data_differences(record.data, datamodule.facts()),
        *tokenizer_differences(folder / "tokenizer", datamodule.tokenizer_folder),
    ]
    if differences:
        raise Refused(
            f"{record.id} cannot be resumed: {'; '.join(differences)}. Restore the data, give its new place with "
            "data.train=..., or start a new run"
        )


def data_differences(recorded: DataFacts, current: DataFacts) -> Iterator[str]:
    """Yield how the labels and the splits differ, with both values. Pure."""
    if recorded.labels != current.labels:
        yield f"its labels are {', '.join(recorded.labels)}, the data now has {', '.join(current.labels)}"
    for name in recorded.splits.keys() | current.splits.keys():
        before, now = recorded.splits.get(name), current.splits.get(name)
        if before is None or now is None:
            yield f"{name} {'is new' if before is None else 'is missing'}"
        elif before.fingerprint != now.fingerprint:
            yield (
                f"{name} had {before.rows:,} rows (fingerprint {before.fingerprint[:12]}), "
                f"now it has {now.rows:,} ({now.fingerprint[:12]})"
            )


def tokenizer_differences(recorded: Path, current: Path) -> Iterator[str]:
    """Yield the vocabulary files that differ, with both hashes; nothing if the run has no tokenizer yet."""
    for name, part in VOCABULARIES.items():
        if (recorded / name).is_file():
            before = _digest(recorded / name, part)
            now = _digest(current / name, part) if (current / name).is_file() else "missing"
            if before != now:
                yield f"the vocabulary in the tokenizer's {name} was {before}, now it is {now}"


def _digest(path: Path, part: str | None) -> str:
    content = json.loads(path.read_bytes())
    plain = json.dumps(content[part] if part else content, sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:12]
