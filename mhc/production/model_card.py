"""The model card: `README.md` of a bundle, with the Hub's metadata block. Pure: a dossier and a record in, text out.

What people wrote (names, descriptions, reasons, labels) is shown as text: neither HTML nor Markdown of theirs is live.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from mhc.production.decision import PromotionRecord
from mhc.production.statistics import Interval
from mhc.record import RunRecord

_LIVE = re.compile(r"([\\`*_{}\[\]()#+!|~^$:@-])")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_LONGEST = 500


def text(value: object) -> str:
    """Show a value as plain text: one line, HTML escaped, everything that Markdown reads escaped."""
    line = " ".join(_UNSEEN.sub(" ", str(value)).split())[:_LONGEST]
    return _LIVE.sub(r"\\\1", html.escape(line, quote=True).replace("://", ":\u200b//"))


def render(dossier: PromotionRecord, record: RunRecord) -> str:
    """The whole card."""
    parts = [_metadata(dossier, record), f"# {text(dossier.name)}"]
    if dossier.forced:
        parts.append(_forced(dossier))
    parts += [
        _about(dossier, record),
        _use(dossier),
        _limits(),
        _data(record),
        _results(dossier),
        _gates(dossier),
        _approval(dossier, record),
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(dossier: PromotionRecord, record: RunRecord) -> str:
    """The YAML block that the Hugging Face Hub reads; see huggingface.co/docs/hub/model-cards."""
    import yaml

    scores = dossier.scores
    found = {"accuracy": scores.accuracy.point, "f1": scores.f1_macro.point} if scores else {}
    values: dict[str, object] = {
        "library_name": "transformers" if dossier.standalone else "mhc",
        "pipeline_tag": "text-classification",
        "tags": ["text-classification", "mental-health", "not-for-diagnosis", *(["forced"] if dossier.forced else [])],
        "metrics": ["accuracy", "f1"],
    }
    if found and record.data:
        values["model-index"] = [
            {
                "name": dossier.name,
                "results": [
                    {
                        "task": {"type": "text-classification"},
                        "dataset": {"name": record.data.name, "type": record.data.name, "split": "test"},
                        "metrics": [{"type": name, "value": round(value, 4)} for name, value in found.items()],
                    }
                ],
            }
        ]
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=False)}---"


def _forced(dossier: PromotionRecord) -> str:
    missed = ", ".join(text(gate.name) for gate in dossier.gates if gate.verdict != "passed") or "none"
    return (
        f"> **Promoted by force** by {text(dossier.by)}: {text(dossier.why)}\n>\n> Gates that were not passed: {missed}"
    )


def _about(dossier: PromotionRecord, record: RunRecord) -> str:
    model = record.model
    size = f" with {model.parameters:,} parameters" if model else ""
    kind = f"{text(model.architecture)}{size}" if model else "A classifier"
    start = f", fine-tuned from {text(model.pretrained)}" if model and model.pretrained else ""
    described = f"\n\n{text(record.description)}" if record.description else ""
    labels = ", ".join(text(label) for label in dossier.labels)
    return f"{kind}{start}. It sorts a text into one of: {labels}.{described}"


def _use(dossier: PromotionRecord) -> str:
    with_mhc = f'python -m mhc.predict bundle={dossier.name} text="..."'
    if not dossier.standalone:
        return (
            "## How to use\n\nThis is a bag of n-grams, not a model of transformers: `transformers.pipeline` cannot "
            f"load it. Use it with mhc:\n\n```\n{with_mhc}\n```"
        )
    return (
        "## How to use\n\nWith transformers alone, from the folder of this file:\n\n```python\n"
        "from transformers import pipeline\n\n"
        'classify = pipeline("text-classification", model=".", truncation=True, top_k=None)\n'
        'classify("...")\n```\n\n'
        f"or with mhc, which also cleans the text as in training (NFC, control characters, white space):\n\n"
        f"```\n{with_mhc}\n```\n\nTexts are cut at {dossier.max_tokens} tokens."
    )


def _limits() -> str:
    return (
        "## What it must not be used for\n\n"
        "**Not for diagnosis.** It has seen how people write, not how they are. It must not decide on care, on "
        "admission, on insurance or on employment, nor watch people who did not agree to it. A text that it finds "
        "harmless is no proof that its author is safe. It is meant for research, and for sorting texts that people "
        "look at afterwards."
    )


def _data(record: RunRecord) -> str:
    data = record.data
    if data is None:
        return "## Data\n\nNot on record."
    rows = [
        [name, str(split.rows), split.fingerprint[:16], "" if split.near_duplicates is None else split.near_duplicates]
        for name, split in data.splits.items()
    ]
    kind = "**Synthetic texts.** " if data.synthetic else ""
    risk = f"\n\nMarked as high risk: {', '.join(text(label) for label in data.high_risk)}." if data.high_risk else ""
    return (
        f"## Data\n\n{kind}{text(data.name)}{f' ({text(data.source)})' if data.source else ''}\n\n"
        + _table(["split", "rows", "fingerprint", "near copies of train"], rows)
        + risk
    )


def _results(dossier: PromotionRecord) -> str:
    scores = dossier.scores
    if scores is None:
        return "## Results\n\n**The test split was not scored.**"
    rows = [["accuracy", *_numbers(scores.accuracy)], ["macro-F1", *_numbers(scores.f1_macro)]]
    rows += [
        [f"recall of {label}", *(_numbers(found) if found else ["not measured", "", "0"])]
        for label, found in scores.recall.items()
    ]
    ece = "not measured" if scores.ece is None else f"{scores.ece:.3f}"
    temperature = "none" if scores.temperature is None else f"{scores.temperature:.3f}"
    return (
        f"## Results on the test split\n\n{_table(['measure', 'value', 'interval', 'examples'], rows)}\n\n"
        f"Intervals at {scores.accuracy.confidence:.0%}: Wilson's for accuracy and recall, a studentised stratified "
        f"bootstrap for macro-F1.\n\n"
        f"Calibration error {ece} at temperature {temperature}, fitted on validation ({scores.ece_before:.3f} without)."
    )


def _gates(dossier: PromotionRecord) -> str:
    rows = [[gate.name, gate.verdict, gate.reason, gate.why] for gate in dossier.gates]
    table = _table(["gate", "verdict", "reason", "why"], rows)
    return f"## Gates\n\nBy the policy {text(dossier.policy_name)}.\n\n{table}"


def _approval(dossier: PromotionRecord, record: RunRecord) -> str:
    commit = record.lineage.git_commit or "not on record"
    changed = " with uncommitted changes" if record.lineage.git_dirty else ""
    answers = "".join(f"\n- answer to {text(name)}: {text(said)}" for name, said in dossier.answers.items())
    return (
        f"## Who approved it\n\n- {'promoted by force by' if dossier.forced else 'promoted by'} {text(dossier.by)} at "
        f"{dossier.at}\n- reason: {text(dossier.why)}\n- run: {text(dossier.run)}\n"
        f"- code: {text(commit)}{changed}{answers}\n"
        f"- ledger: after entry {dossier.ledger.seq} ({dossier.ledger.head[:16]})\n\n"
        "`promotion.json` has the whole evidence, `run.json` the run, `checksums.sha256` the files."
    )


def _numbers(interval: Interval) -> list[str]:
    return [f"{interval.point:.3f}", f"{interval.low:.3f} to {interval.high:.3f}", str(interval.examples)]


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [titles, ["---"] * len(titles)]
    shown = [*lines, *([text(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in shown)
