"""`promotion.json`: all that a promotion was decided on, kept in the bundle. Pure structs."""

from __future__ import annotations

import msgspec

from mhc.production.findings import Rival, Scores
from mhc.production.policy import PromotionPolicy
from mhc.runs.record import Gate


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The newest ledger entry when the bundle was made: it must still be there."""

    seq: int
    head: str


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """How the bundle was checked against what the run had said."""

    examples: int
    """Test examples that were scored anew; 0 where their texts could not be read."""
    largest_gap: float | None = None
    """Between the bundle's probabilities and those of the run's own network."""
    mean_gap_to_evidence: float | None = None
    """To the evidence, which may have been scored in a lower precision."""
    by: str = ""
    """transformers alone, or mhc."""
    flaw: str = ""
    """Why it could not be checked."""


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """The whole decision."""

    name: str
    task: str
    labels: list[str]
    run: str
    at: str
    by: str
    why: str
    forced: bool
    policy_name: str
    policy: PromotionPolicy
    gates: list[Gate]
    answers: dict[str, str]
    scores: Scores | None
    reference: Rival | None
    champion: Rival | None
    standalone: bool = False
    """Whether transformers alone can load the bundle."""
    max_tokens: int = 0
    proof: Proof = Proof(examples=0)
    ledger: Anchor


def encode(dossier: Dossier) -> bytes:
    """The bytes of `promotion.json`: indented JSON with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(dossier), indent=1) + b"\n"
