"""Score an older bundle on the test split of a run, so that both can be compared on the same examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mhc.errors import MhcError
from mhc.production import bundle, ledger, state
from mhc.runs import evidence
from mhc.runs.evidence import Evidence


def rescored(
    run: Path, models: Path, texts: Callable[[Path, str], Sequence[str]], name: str, test: Evidence
) -> Evidence:
    """What the bundle `name` says of the examples of `test`, the evidence of `run`.

    Raises:
        MhcError: where the texts of those examples, or the bundle, cannot be read.
    """
    from mhc.evaluate import evaluate
    from mhc.loading import from_bundle

    found = texts_of(test, texts(run, "test"), evidence.key(models))
    known = state.resolve(state.fold(ledger.believed(models)), name)
    loaded = from_bundle(bundle.place(models, name), known.checksums)
    order = np.array([loaded.labels.index(label) for label in test.label_names])
    return Evidence(
        ids=test.ids,
        labels=order[test.labels],
        probabilities=evaluate(loaded, found, precision="fp32", device="cpu"),
        label_names=loaded.labels,
    )


def texts_of(test: Evidence, texts: Sequence[str], key: bytes) -> list[str]:
    """The text of every example, found by its keyed id.

    Raises:
        MhcError: where some are not among `texts`.
    """
    by_id = {evidence.example_id(text, key): text for text in texts}
    found = [by_id.get(row.tobytes()) for row in test.ids]
    known = [text for text in found if text is not None]
    if len(known) < len(found):
        raise MhcError(
            f"the test texts that can be read now hold {len(known)} of the {len(found)} examples of the evidence; "
            "the data, or the key models/.evidence_key, is another one"
        )
    return known
