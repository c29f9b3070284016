"""Prepare data as a training would, in memory: what cleaning does, and which options the data needs to train at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mhc.data import corpus, folds
from mhc.data.cleaning import Rows
from mhc.data.corpus import CorpusInfo
from mhc.data.options import Cleaning, Splitting
from mhc.data.sources import Raw
from mhc.errors import BadInput
from mhc.policy import CONF

KEY_IN_SENTENCE = re.compile(r"data\.cleaning\.(missing_labels|merge_labels|rare_labels|unknown_labels)=(drop|case)")
"""An error of the data names the key that would help."""
NUMBERS = "Name the classes: "
MOST_TRIALS = 8
MOST_ROWS_FOR_NEAR_COPIES = 200_000
"""With more rows, near copies are left to the training, which counts them once in about a minute."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of preparing data."""

    info: CorpusInfo | None
    """None: it is refused."""
    refusal: str
    amendments: dict[str, object]
    """Options under `data` that the data needs, such as `cleaning.merge_labels: case`."""
    near_copies_counted: bool


def of_splits(splits: Mapping[str, Rows], origin: str) -> Trial:
    """Return the outcome for splits as they are in the files, but for their texts, which are mended already."""
    cleaning, splitting, near = defaults()
    cleaning = msgspec.structs.replace(cleaning, repair=False)
    counted = sum(map(len, splits.values())) <= MOST_ROWS_FOR_NEAR_COPIES
    amendments: dict[str, object] = {}
    names: dict[str, str] = {}
    refusal = ""
    for _ in range(MOST_TRIALS):
        raw = Raw(splits=dict(splits), origin=origin)
        try:
            info = corpus.prepare(raw, cleaning, splitting, names, near if counted else None)[0]
        except BadInput as error:
            refusal = str(error)
            match = KEY_IN_SENTENCE.search(refusal)
            if NUMBERS in refusal and not names:
                names = numbered_names(splits)
                amendments["label_names"] = names
            elif match and f"cleaning.{match[1]}" not in amendments:
                cleaning = msgspec.structs.replace(cleaning, **{match[1]: match[2]})
                amendments[f"cleaning.{match[1]}"] = match[2]
            else:
                break
        else:
            return Trial(info=info, refusal="", amendments=amendments, near_copies_counted=counted)
    return Trial(info=None, refusal=refusal, amendments=amendments, near_copies_counted=False)


def refused(reason: str) -> Trial:
    """Return the outcome for data that needs no trial."""
    return Trial(info=None, refusal=reason, amendments={}, near_copies_counted=True)


def numbered_names(splits: Mapping[str, Rows]) -> dict[str, str]:
    """Return a name for each number that is a label; users replace them."""
    from mhc.data.label_forms import forms_of

    labels = {label for rows in splits.values() for label in rows.labels}
    forms = {form for form in forms_of(labels, {}).values() if form}
    return {form: f"class_{form.lstrip('+').replace('-', 'minus_')}" for form in sorted(forms, key=int)}


def defaults() -> tuple[Cleaning, Splitting, float | None]:
    """Return the options of `conf/data`: cleaning, splitting, near copies."""
    import yaml

    values: dict[str, Any] = yaml.safe_load((CONF / "data" / "_common.yaml").read_text(encoding="utf-8"))
    convert: Callable[..., Any] = msgspec.convert
    splitting = {key: value for key, value in values["splitting"].items() if key not in folds.KEYS}  # no folds
    return convert(values["cleaning"], Cleaning), convert(splitting, Splitting), values["near_duplicates"]
