"""What `POST /predict` takes and answers, as types, from which its JSON Schema is made. Pure.

No message about a request contains a part of it: it could be a text.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
import numpy as np

from mhc.errors import BadInput
from mhc.inference.label_table import DIGITS
from mhc.production.state import CHAMPION
from mhc.serve.prediction.batches import Answer
from mhc.serve.prediction.bundles import Served
from mhc.serve.refusals import Problem

MOST_TEXTS = 1_000
LONGEST_TEXT = 100_000
"""Characters of a text."""
SCHEMA = "/predict/schema"
NOTICE = (
    "Research software, and no diagnosis: no label and no probability may be used to diagnose, screen, triage or "
    "treat a person."
)
SYNTHETIC = "The model was trained on synthetic texts: it has learned nothing about people."
RULE = "the most probable label"
RULE_ABOVE = "the most probable label if its probability is at least abstain_below, else none"

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]
Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]


class PredictRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Texts to label."""

    texts: Annotated[
        list[Text], msgspec.Meta(min_length=1, max_length=MOST_TEXTS, description="each with a visible character")
    ]
    bundle: Annotated[str, msgspec.Meta(description="name of a bundle, or an alias")] = CHAMPION
    task: Annotated[str | None, msgspec.Meta(description="name of the task whose alias is meant")] = None
    abstain_below: Annotated[
        Probability | None, msgspec.Meta(description="a text whose label is less probable gets no decision")
    ] = None


class BundleId(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle that has answered."""

    name: str
    sha256: Annotated[str, msgspec.Meta(description="of its checksums.sha256, as in the ledger")]
    run: Annotated[str, msgspec.Meta(description="the run that trained it")]


class OperatingPoint(msgspec.Struct, frozen=True, kw_only=True):
    """How probabilities become a decision."""

    rule: str
    abstain_below: float | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one text."""

    label: Annotated[str, msgspec.Meta(description="the most probable label")]
    confidence: Annotated[Probability, msgspec.Meta(description="its calibrated probability")]
    decision: Annotated[str | None, msgspec.Meta(description="the label at the operating point; null: abstained")]
    probabilities: Annotated[dict[str, Probability], msgspec.Meta(description="calibrated, by label")]
    cut: Annotated[bool, msgspec.Meta(description="whether the text is longer than the model reads, and was cut")]


class PredictResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for all texts, in their order."""

    bundle: BundleId
    labels: list[str]
    high_risk: Annotated[list[str], msgspec.Meta(description="labels that the data marks as high-risk")]
    operating_point: OperatingPoint
    results: list[Result]
    notice: str


_DECODER = msgspec.json.Decoder(PredictRequest)
_SAFE = re.compile(
    r"Expected `[a-z |]+`(?:, got `[a-z]+`| of length [<>=]+ \d+| [<>=]+ [\d.]+)"
    r"|Object missing required field `texts`"
)
_PLACE = re.compile(r" - at `\$\.((?:texts|bundle|task|abstain_below)(?:\[\d+\])?)`")


def decoded(body: bytes) -> PredictRequest:
    """Return the request in a body.

    Raises:
        BadInput: if it is not one.
    """
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise BadInput(f"{flaw(str(error))}. The schema is at {SCHEMA}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput(f"The body is not JSON in UTF-8. The schema is at {SCHEMA}") from None


def flaw(message: str) -> str:
    """Return what a message of the decoder tells without any part of the request."""
    what, place = _SAFE.match(message), _PLACE.search(message)
    where = f"The field {place[1]} of the body" if place else "The body"
    if "unknown field" in message:
        return "The body has a field that is none of texts, bundle, task and abstain_below"
    return f"{where} is not valid: {what[0][0].lower()}{what[0][1:]}" if what else f"{where} is not valid"


def response(served: Served, answer: Answer, abstain_below: float | None) -> PredictResponse:
    """Return the response with the numbers that `mhc.predict` writes.

    Raises:
        BadInput: if a text is empty after cleaning.
    """
    if "" in answer.labels:
        raise BadInput(
            f"The field texts[{answer.labels.index('')}] of the body has no visible character. Leave out empty texts"
        )
    names = served.predictor.label_names
    rows = np.round(answer.probabilities.astype(np.float64), DIGITS).tolist()
    return PredictResponse(
        bundle=BundleId(name=served.bundle.name, sha256=served.bundle.checksums, run=served.bundle.run),
        labels=names,
        high_risk=list(served.data.high_risk) if served.data else [],
        operating_point=OperatingPoint(rule=RULE if abstain_below is None else RULE_ABOVE, abstain_below=abstain_below),
        results=[
            Result(
                label=label,
                confidence=max(row),
                decision=None if abstain_below is not None and max(row) < abstain_below else label,
                probabilities=dict(zip(names, row, strict=True)),
                cut=number in answer.cut,
            )
            for number, (label, row) in enumerate(zip(answer.labels, rows, strict=True))
        ],
        notice=notice_of(served),
    )


def notice_of(served: Served) -> str:
    """Return what a reader of a probability must know."""
    return f"{NOTICE} {SYNTHETIC}" if served.data is not None and served.data.synthetic else NOTICE


def json_schema() -> dict[str, Any]:
    """Return the schema of a request; `$defs` has that of the response and of a refusal, too."""
    types = (PredictRequest, PredictResponse, Problem)
    (root, *_), definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        "title": "POST /predict",
        **root,
        "$defs": definitions,
    }
