"""The model card: `README.md` of a bundle, with the Hub's metadata block. Pure: promotion and run record in, text out.

Text by users (names, descriptions, reasons, labels) is escaped, so that HTML and Markdown in it have no effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mhc.facts import ModelFacts
from mhc.markup import markdown as text
from mhc.production.decision import PromotionRecord
from mhc.record import RunRecord
from mhc.statistics.estimates import Interval

MASKED = (
    "URLs, e-mail addresses, user handles and phone numbers were replaced by marks such as \\[EMAIL\\] in training. "
    "The tokenizer in this folder replaces them in every text, with mhc and without."
)
REPAIRED = (
    "HTML entities were decoded, HTML tags removed and letters of a wrong encoding mended in training. mhc does the "
    "same with every text; a program without mhc has to give the model texts that are clean."
)
LONG_TEXTS = {
    "head_tail": "Of a text of more than {} tokens, a quarter of that many is read from its beginning, the rest from "
    "its end.",
    "windows": "A text of more than {} tokens is read in overlapping windows, whose logits are averaged.",
}
"""How texts are read that are not cut at their beginning, by the name in the record."""
NOT_MASKED = "URLs, e-mail addresses, user handles and phone numbers were not masked in training."


def render(promotion: PromotionRecord, record: RunRecord) -> str:
    """Return the model card."""
    parts = [_metadata(promotion, record), f"# {text(promotion.name)}"]
    if promotion.forced:
        parts.append(_forced(promotion))
    parts += [
        _about(promotion, record),
        _use(promotion, record),
        _limits(),
        _data(record),
        _results(promotion, record),
        _gates(promotion),
        _approval(promotion, record),
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(promotion: PromotionRecord, record: RunRecord) -> str:
    """Return the YAML block for the Hugging Face Hub; see huggingface.co/docs/hub/model-cards."""
    import yaml

    scores = promotion.scores
    metrics = {"accuracy": scores.accuracy.point, "f1": scores.f1_macro.point} if scores else {}
    values: dict[str, object] = {
        "library_name": "transformers" if promotion.standalone else "mhc",
        "pipeline_tag": "text-classification",
        "tags": [
            "text-classification",
            "mental-health",
            "not-for-diagnosis",
            *(["forced"] if promotion.forced else []),
        ],
        "metrics": ["accuracy", "f1"],
    }
    if metrics and record.data:
        values["model-index"] = [
            {
                "name": promotion.name,
                "results": [
                    {
                        "task": {"type": "text-classification"},
                        "dataset": {"name": record.data.name, "type": record.data.name, "split": "test"},
                        "metrics": [{"type": name, "value": round(value, 4)} for name, value in metrics.items()],
                    }
                ],
            }
        ]
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=False)}---"


def _forced(promotion: PromotionRecord) -> str:
    missed = ", ".join(text(gate.name) for gate in promotion.gates if gate.verdict != "passed") or "none"
    return (
        f"> **Promoted by force** by {text(promotion.by)}: {text(promotion.why)}\n>\n"
        f"> Gates that were not passed: {missed}"
    )


def _about(promotion: PromotionRecord, record: RunRecord) -> str:
    model = record.model
    size = f" with {model.parameters:,} parameters" if model else ""
    kind = f"{text(model.architecture)}{size}" if model else "A classifier"
    how = "with the vectors of" if model and model.architecture == "EmbeddingLinear" else "fine-tuned from"
    start = f", {how} {text(model.pretrained)}" if model and model.pretrained else ""
    description = f"\n\n{text(record.description)}" if record.description else ""
    labels = ", ".join(text(label) for label in promotion.labels)
    return f"{kind}{start}. It sorts a text into one of: {labels}.{description}"


def _use(promotion: PromotionRecord, record: RunRecord) -> str:
    with_mhc = f'python -m mhc.predict bundle={promotion.name} text="..."'
    if record.model and record.model.architecture == "TfidfLinear":
        return (
            "## How to use\n\nThis is TF-IDF and logistic regression. With Python, numpy and safetensors alone, from "
            'the folder of this file:\n\n```\npython load.py "..."\n```\n\n'
            f"or with mhc:\n\n```\n{with_mhc}\n```\n\nTexts are cut at {promotion.max_tokens} words."
        )
    if record.ensemble:
        return _ensemble(record, with_mhc)
    if record.model and record.model.architecture == "EmbeddingLinear":
        return (
            "## How to use\n\nThis is logistic regression on the vectors of a frozen encoder of transformers, which is "
            "in the folder `encoder`, with TF-IDF beside them if there is a `tfidf.json`. With torch and transformers "
            f'alone, from the folder of this file:\n\n```\npython load.py "..."\n```\n\nor with mhc:\n\n```\n'
            f"{with_mhc}\n```\n\n"
            f"The encoder reads at most {promotion.max_tokens} tokens of a text."
        )
    if record.model and (record.model.architecture == "PooledEncoder" or record.model.long_texts in LONG_TEXTS):
        return _encoder_script(record.model, promotion.max_tokens, with_mhc)
    if not promotion.standalone:
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
        f"```\n{with_mhc}\n```\n\nTexts are cut at {promotion.max_tokens} tokens."
    )


def _encoder_script(model: ModelFacts, max_tokens: int | None, with_mhc: str) -> str:
    """Return how to use an encoder that a plain pipeline does not score as in training."""
    why = "for long texts: `transformers.pipeline` loads it, but cuts them, and gives other probabilities"
    if model.architecture == "PooledEncoder":
        why = (
            "with a linear layer on its pooled output, for which transformers has no class: `transformers.pipeline` "
            "refuses it"
        )
    reading = LONG_TEXTS.get(model.long_texts or "", "Texts are cut at {} tokens.").format(max_tokens)
    return (
        f"## How to use\n\nThis is an encoder of transformers {why}. With torch and transformers, from the folder of "
        f'this file:\n\n```\npython load.py "..."\n```\n\nor with mhc:\n\n```\n{with_mhc}\n```\n\n{reading}'
    )


def _ensemble(record: RunRecord, with_mhc: str) -> str:
    """Return how to use an ensemble, and its members."""
    rows = [[part.folder, part.run, f"{part.weight:.3f}", f"{part.temperature:.3g}"] for part in record.ensemble]
    return (
        "## How to use\n\nThis is an ensemble: the weighted mean of the probabilities of the models in `members`. With "
        f'what these need, from the folder of this file:\n\n```\npython load.py "..."\n```\n\nor with mhc:\n\n```\n'
        f"{with_mhc}\n```\n\n{_table(['member', 'run', 'weight', 'temperature'], rows)}\n\n"
        "Weights and temperatures were fitted on validation; the temperatures are part of the members' weights."
    )


def _limits() -> str:
    return (
        "## What it must not be used for\n\n"
        "**Not for diagnosis.** It was trained on how people write, not on how they are. It must not decide on care, "
        "on admission, on insurance or on employment, nor monitor people who did not agree to it. A text that it "
        "classifies as harmless does not prove that its author is safe. It is meant for research, and for sorting "
        "texts that people review afterwards."
    )


def _data(record: RunRecord) -> str:
    data = record.data
    if data is None:
        return "## Data\n\nNot recorded."
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
        + f"\n\n{MASKED if data.masked else NOT_MASKED}"
        + (f"\n\n{REPAIRED}" if data.repaired else "")
    )


def _results(promotion: PromotionRecord, record: RunRecord) -> str:
    scores = promotion.scores
    if scores is None:
        return "## Results\n\n**The test split was not scored.**"
    rows = [["accuracy", *_numbers(scores.accuracy)], ["macro-F1", *_numbers(scores.f1_macro)]]
    rows += [
        [f"recall of {label}", *(_numbers(interval) if interval else ["not measured", "", "0"])]
        for label, interval in scores.recall.items()
    ]
    ece = "not measured" if scores.ece is None else f"{scores.ece:.3f}"
    temperature = "none" if scores.temperature is None else f"{scores.temperature:.3f}"
    return (
        f"## Results on the test split\n\n{_table(['measure', 'value', 'interval', 'examples'], rows)}\n\n"
        f"Intervals at {scores.accuracy.confidence:.0%}: Wilson's for accuracy and recall, a studentised stratified "
        f"bootstrap for macro-F1.\n\n"
        f"Calibration error {ece} at temperature {temperature}, fitted on "
        f"{'the predictions of the folds' if record.refit else 'validation'} ({scores.ece_before:.3f} without)."
    )


def _gates(promotion: PromotionRecord) -> str:
    rows = [[gate.name, gate.verdict, gate.reason, gate.why] for gate in promotion.gates]
    table = _table(["gate", "verdict", "reason", "why"], rows)
    return f"## Gates\n\nBy the policy {text(promotion.policy_name)}.\n\n{table}"


def _approval(promotion: PromotionRecord, record: RunRecord) -> str:
    commit = record.lineage.git_commit or "not recorded"
    changed = " with uncommitted changes" if record.lineage.git_dirty else ""
    answers = "".join(f"\n- answer to {text(name)}: {text(answer)}" for name, answer in promotion.answers.items())
    return (
        f"## Approval\n\n- {'promoted by force by' if promotion.forced else 'promoted by'} {text(promotion.by)} at "
        f"{promotion.at}\n- reason: {text(promotion.why)}\n- run: {text(promotion.run)}\n"
        f"- code: {text(commit)}{changed}{answers}\n"
        f"- ledger: after entry {promotion.ledger.seq} ({promotion.ledger.head[:16]})\n\n"
        "`promotion.json` has the whole decision, `run.json` the record of the run, `checksums.sha256` the checksums."
    )


def _numbers(interval: Interval) -> list[str]:
    return [f"{interval.point:.3f}", f"{interval.low:.3f} to {interval.high:.3f}", str(interval.examples)]


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [titles, ["---"] * len(titles)]
    shown = [*lines, *([text(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in shown)
