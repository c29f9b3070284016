from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from mhc.facts import ModelFacts
from mhc.production import decision, model_card, state
from mhc.production.decision import Anchor, Baseline, PromotionRecord, Scores
from mhc.record import Gate, RunRecord
from mhc.statistics.estimates import wilson
from mhc.statistics.paired_comparison import Comparison
from tests.support.builders import LABELS, a_record, data_facts
from tests.support.promotions import policy

HOSTILE = (
    "<script>alert(1)</script> [click](javascript:alert(1)) ![x](http://evil/x.png) | `code` \n# title \x1b[31m\u202e"
)


def a_promotion_record(**changes: Any) -> PromotionRecord:
    interval = wilson(60, 100, 0.95)
    promotion = PromotionRecord(
        name="attention_v1", task=state.task_of(LABELS), labels=list(LABELS), run="attention_20261120_120000_a1b2",
        at="2026-11-21T09:00:00.000Z", by="ada", why="best of the week", forced=False, policy_name="default",
        policy=msgspec.to_builtins(policy()), answers={},
        standalone=True, max_tokens=256, ledger=Anchor(seq=3, head="ab" * 32),
        gates=[Gate(name="accuracy", verdict="passed", reason="accuracy 0.600", why="a purpose")],
        scores=Scores(
            examples=100, accuracy=interval, f1_macro=interval,
            recall=dict.fromkeys(LABELS, interval) | {"normal": None},
            ece=0.05, ece_before=0.11, temperature=1.4,
        ),
        reference=Baseline(name="the majority class"), champion=None,
    )  # fmt: skip
    return msgspec.structs.replace(promotion, **changes)


def rendered(record: RunRecord | None = None, **changes: Any) -> str:
    return model_card.render(a_promotion_record(**changes), record or a_record())


def test_card_begins_with_the_hubs_metadata() -> None:
    _, block, _ = rendered().split("---\n", 2)
    metadata = yaml.safe_load(block)
    assert metadata["library_name"] == "transformers"
    assert metadata["pipeline_tag"] == "text-classification"
    assert metadata["model-index"][0]["results"][0]["metrics"] == [
        {"type": "accuracy", "value": 0.6},
        {"type": "f1", "value": 0.6},
    ]


def test_hub_accepts_the_metadata() -> None:
    from huggingface_hub import ModelCard

    card = ModelCard(rendered())
    assert card.data.eval_results is not None
    assert card.data.eval_results[0].dataset_name == "mh4_balanced"


@pytest.mark.parametrize(
    "text",
    [
        "Not for diagnosis", "How to use", "pipeline(", "accuracy | 0.600 | 0.502 to 0.691 | 100",
        "recall of normal | not measured", "Calibration error 0.050 at temperature 1.400", "by ada", "best of the week",
        "after entry 3", "test0test0test0t",
    ],
)  # fmt: skip
def test_card_contains(text: str) -> None:
    assert text in rendered()


def test_card_of_a_linear_bundle_shows_its_usage() -> None:
    text = rendered(standalone=False)
    assert "transformers.pipeline` cannot load it" in text
    assert "python -m mhc.predict bundle=attention_v1" in text


def test_card_of_a_tfidf_bundle_names_its_script() -> None:
    model = ModelFacts(name="linear", architecture="TfidfLinear", parameters=10, trainable_parameters=10)
    card = rendered(msgspec.structs.replace(a_record(), model=model), standalone=False)
    assert 'python load.py "..."' in card
    assert "transformers.pipeline" not in card


def test_card_of_a_pooled_encoder_names_its_script() -> None:
    model = ModelFacts(name="pretrained", architecture="PooledEncoder", parameters=10, trainable_parameters=10)
    card = rendered(msgspec.structs.replace(a_record(), model=model), standalone=False)
    assert 'python load.py "..."' in card
    assert "`transformers.pipeline` refuses it" in card


@pytest.mark.parametrize(
    ("reading", "sentence"), [("windows", "in overlapping windows"), ("head_tail", "from its beginning, the rest")]
)
def test_card_tells_how_long_texts_are_read(reading: str, sentence: str) -> None:
    facts = {"name": "pretrained", "parameters": 10, "trainable_parameters": 10, "long_texts": reading}
    model = ModelFacts(architecture="BertForSequenceClassification", **facts)
    card = rendered(msgspec.structs.replace(a_record(), model=model), standalone=False)
    assert sentence in card
    assert "`transformers.pipeline` loads it, but cuts them" in card
    assert 'python load.py "..."' in card


def test_forced_promotion_shows_at_the_top() -> None:
    failed = Gate(name="accuracy", verdict="failed", reason="too low")
    text = rendered(forced=True, gates=[failed], why="a demonstration")
    assert text.index("Promoted by force** by ada: a demonstration") < text.index("How to use")
    assert "Gates that were not passed: accuracy" in text


@pytest.mark.parametrize("field", ["by", "why", "labels", "description", "name", "gate", "answers", "policy", "run"])
def test_text_of_users_is_escaped(field: str) -> None:
    data = data_facts(labels=[HOSTILE, *LABELS[1:]], name=HOSTILE, source=HOSTILE, high_risk=[HOSTILE])
    record = a_record(description=HOSTILE, data=data)
    changes: dict[str, Any] = {
        "by": {"by": HOSTILE}, "why": {"why": HOSTILE, "forced": True}, "labels": {"labels": [HOSTILE]},
        "gate": {"gates": [Gate(name=HOSTILE, verdict=HOSTILE, reason=HOSTILE, why=HOSTILE)]},
        "answers": {"answers": {HOSTILE: HOSTILE}},
        "policy": {"policy_name": HOSTILE}, "run": {"run": HOSTILE},
    }.get(field, {})  # fmt: skip
    text = rendered(record, **changes).split("---\n", 2)[2]
    assert "<script" not in text
    assert "](javascript" not in text
    assert "![x](" not in text
    assert "\n# title" not in text
    assert not any(letter in text for letter in "\x1b\u202e")


def test_hostile_names_do_not_break_the_metadata() -> None:
    data = data_facts(name=f"---\n{HOSTILE}\n---\nlicense: mit")
    _, block, rest = rendered(a_record(data=data)).split("---\n", 2)
    assert "license" not in yaml.safe_load(block)
    assert rest.lstrip().startswith("# attention")


def test_promotion_record_is_read_back_unchanged(tmp_path: Path) -> None:
    comparison = Comparison(
        examples=240, discordant=30, incumbent_f1_macro=0.5, challenger_f1_macro=0.6, difference=0.1, low=0.02,
        high=0.2, level=0.05, picked_from=1, accuracy_difference=0.1, mcnemar_p=0.01,
    )  # fmt: skip
    promotion = a_promotion_record(champion=Baseline(name="attention_v0", comparison=comparison))
    assert msgspec.json.decode(decision.encode(promotion), type=PromotionRecord) == promotion
