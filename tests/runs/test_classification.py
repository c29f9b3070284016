from __future__ import annotations

import pytest

from mhc import policy
from mhc.facts import DataFacts, Smoke
from mhc.record import Category
from mhc.runs.classification import classify, inflections, reclassify, split_words
from tests.support.builders import a_record, data_facts

POLICY = policy.load().classification

BASELINE_NAMES = [
    "medium_cpu_experiment", "latest", "contest", "protest_detection", "attested", "attention_v3", "baseline",
    "greatest_hits", "testament", "fastest-run", "microscope", "micrograd", "mockingbird", "destiny", "minimalist",
    "smokehouse", "latest_contest", "testosterone", "unittest", "tinygrad", "debugger_free", "run_2024_11", "",
]  # fmt: skip
DEBUG_NAMES = {
    "test_fix": "test", "simple-test": "test", "debugging_loader": "debug", "baseline_ultra_micro": "micro",
    "debug": "debug", "my test": "test", "test2": "test", "2test": "test", "TEST": "test", "myTest": "test",
    "runTestsNow": "test", "HTTPTest": "test", "tests": "test", "tested": "test", "testing": "test", "debugs": "debug",
    "debugged": "debug", "mocked.loader": "mock", "mocks": "mock", "smoking": "smoke", "smoked": "smoke",
    "smoke/quick": "smoke", "tiny+run": "tiny", "minimal": "minimal", "micro": "micro", "attention_micro_v2": "micro",
}  # fmt: skip


@pytest.mark.parametrize("name", BASELINE_NAMES)
def test_name_without_a_debug_word_makes_a_baseline_run(name: str) -> None:
    verdict = classify(a_record(name=name), POLICY)
    assert verdict == (Category.BASELINE, "no rule makes it a debug run")


@pytest.mark.parametrize(("name", "word"), DEBUG_NAMES.items(), ids=DEBUG_NAMES.keys())
def test_name_with_a_debug_word_makes_a_debug_run(name: str, word: str) -> None:
    verdict = classify(a_record(name=name), POLICY)
    assert verdict == (Category.DEBUG, f"the name {name!r} has the debug word {word!r}")


def test_tag_with_a_debug_word_makes_a_debug_run() -> None:
    verdict = classify(a_record(name="attention", tags=["research", "smoke-test"]), POLICY)
    assert verdict == (Category.DEBUG, "the tag 'smoke-test' has the debug word 'test'")


def test_words_of_several_parts_match_however_they_are_joined() -> None:
    only = policy.ClassificationPolicy(debug_words=["ultra-micro"], min_train_fraction=0.5)
    for name in ("ultra-micro", "ultra_micro", "UltraMicro", "baseline ultra micros"):
        assert classify(a_record(name=name), only).category is Category.DEBUG, name
    for name in ("micro_ultra", "ultra", "micro", "ultra_large_micro"):
        assert classify(a_record(name=name), only).category is Category.BASELINE, name


@pytest.mark.parametrize(
    ("smoke", "reason"),
    [
        (Smoke(fast_dev_run=True), "smoke test: fast_dev_run"),
        (Smoke(limited=["limit_train_batches=2"]), "smoke test: limit_train_batches=2"),
        (Smoke(limited=["overfit_batches=0.01"]), "smoke test: overfit_batches=0.01"),
    ],
)
def test_smoke_mode_of_the_trainer_makes_a_debug_run(smoke: Smoke, reason: str) -> None:
    assert classify(a_record(smoke=smoke), POLICY) == (Category.DEBUG, reason)


@pytest.mark.parametrize(("fraction", "category"), [(0.49, Category.DEBUG), (0.5, Category.BASELINE)])
def test_run_on_too_small_a_part_of_train_is_a_debug_run(fraction: float, category: Category) -> None:
    assert classify(a_record(data=data_facts(train_fraction=fraction)), POLICY).category is category


def test_reason_names_the_fraction_that_was_used() -> None:
    verdict = classify(a_record(data=data_facts(train_fraction=0.02)), POLICY)
    assert verdict.reason == "only 0.02 of the training split was used, less than 0.5"


def test_first_match_wins_and_the_users_choice_comes_first() -> None:
    everything = {"name": "debug", "smoke": Smoke(fast_dev_run=True), "data": data_facts(train_fraction=0.1)}
    assert classify(a_record(**everything), POLICY).reason == "smoke test: fast_dev_run"
    chosen = a_record(**everything, category_said=Category.BASELINE)
    assert classify(chosen, POLICY) == (Category.BASELINE, "the user said so")
    assert classify(a_record(name="attention", category_said=Category.DEBUG), POLICY).category is Category.DEBUG


def test_changed_policy_changes_the_category_of_the_same_facts() -> None:
    record = a_record(name="probe_v1", category=None)
    assert reclassify(record, POLICY).category is Category.BASELINE
    stricter = policy.ClassificationPolicy(debug_words=["probe"], min_train_fraction=0.5)
    again = reclassify(record, stricter)
    assert (again.category, again.category_reason) == (Category.DEBUG, "the name 'probe_v1' has the debug word 'probe'")


def test_run_without_data_facts_can_be_classified() -> None:
    nothing: DataFacts | None = None
    assert classify(a_record(name="attention", data=nothing, model=None), POLICY).category is Category.BASELINE


def test_words_are_split_at_non_letters_and_case_changes() -> None:
    assert split_words("myTest_run-2 HTTPServer") == ("my", "test", "run", "http", "server")


def test_inflections_double_the_last_letter_or_drop_the_e() -> None:
    assert {"debugs", "debugged", "debugging"} <= inflections("debug")
    assert {"smokes", "smoked", "smoking"} <= inflections("smoke")
    assert {"tests", "tested", "testing"} <= inflections("test")
    assert "testting" not in inflections("test")


def test_model_with_a_debug_word_makes_a_debug_run() -> None:
    verdict = classify(a_record(name="lr_sweep", model="micro"), POLICY)
    assert verdict == (Category.DEBUG, "the model 'micro' has the debug word 'micro'")
