from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mhc.errors import BadInput, Conflict, Refused, Unreadable
from mhc.production import ledger, verify
from mhc.production.api import Registry
from mhc.production.build_bundle import RunSources
from mhc.production.decision import PromotionRecord, Request
from mhc.production.promote import judge, promote
from mhc.record import Category, Lineage
from mhc.runs import store
from tests.support.promotions import LABELS, NOW, World, a_trained_run, policy

Place = tuple[Path, Path]


def ask(run: Path, place: Place, **said: Any) -> PromotionRecord:
    chosen = said.pop("policy", None) or policy()
    sources = said.pop("sources", None)
    request = Request(run=run, **({"by": "ada", "why": "best of the week"} | said))
    return promote(request, outputs=place[0], models=place[1], policy=chosen, now=NOW, sources=sources)


def entries(place: Place) -> list[ledger.Entry]:
    return ledger.believed(place[1])


def test_run_that_passes_becomes_champion(world: World, place: Place) -> None:
    run = a_trained_run(*place, world)
    made = ask(run, place)
    assert made.name == "attention_v1"
    assert not made.forced
    assert {gate.verdict for gate in made.gates} == {"passed"}
    assert Registry(place[1], place[0]).champion().name == "attention_v1"
    assert verify.check(place[1]).ok
    [entry] = entries(place)
    assert (entry.what, entry.bundle, entry.alias, entry.run, entry.by, entry.why) == (
        "promoted", "attention_v1", "champion", run.name, "ada", "best of the week",
    )  # fmt: skip


def test_bundle_is_self_contained(world: World, place: Place) -> None:
    ask(a_trained_run(*place, world), place)
    shutil.rmtree(place[0])
    folder = place[1] / "production" / "attention_v1"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there >= {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md", "promotion.json",
        "run.json", "training.yaml", "calibration.json", "evaluation/val.npz", "evaluation/test.npz",
        "checksums.sha256",
    }  # fmt: skip
    assert json.loads((folder / "config.json").read_text())["id2label"] == dict(zip("0123", LABELS, strict=True))
    assert verify.check(place[1]).ok


def test_bundle_was_proved_by_scoring_with_transformers_alone(world: World, place: Place) -> None:
    proof = ask(a_trained_run(*place, world), place).proof
    assert proof.by == "transformers alone"
    assert proof.examples == 64
    assert proof.largest_gap is not None
    assert proof.largest_gap < 1e-5
    assert proof.mean_gap_to_evidence is not None
    assert proof.mean_gap_to_evidence < 1e-5


def test_run_on_record_tells_of_its_bundle(world: World, place: Place) -> None:
    run = a_trained_run(*place, world)
    ask(run, place)
    record = store.read(run)
    assert record.promotion.bundles == ["attention_v1"]
    assert (record.history[-1].what, record.history[-1].by) == ("promoted", "ada")


def test_versions_count_up(world: World, place: Place) -> None:
    run = a_trained_run(*place, world)
    assert [ask(run, place).name for _ in range(3)] == ["attention_v1", "attention_v2", "attention_v3"]


def test_better_run_follows_with_the_paired_comparison_shown(world: World, place: Place) -> None:
    ask(a_trained_run(*place, world, "weak_20261120_120000_aaaa", quality="weak"), place)
    made = ask(a_trained_run(*place, world, "strong_20261120_130000_bbbb"), place)
    assert made.champion is not None
    assert made.champion.name == "weak_v1"
    found = made.champion.comparison
    assert found is not None
    assert found.examples == 240
    assert found.difference > 0
    card = (place[1] / "production" / "strong_v1" / "README.md").read_text()
    assert "on the same 240 examples" in card


def never_says_suicidal(world: World) -> np.ndarray:
    probabilities = world.probabilities["strong", "test"].copy()
    probabilities[:, 3] = 0
    return probabilities / probabilities.sum(1, keepdims=True)


def with_copies(world: World, tmp_path: Path) -> World:
    """The same data, but 20 test texts were put into train, in capitals and with a full stop."""
    folder = tmp_path / "leaking"
    shutil.copytree(world.folder, folder, ignore=shutil.ignore_patterns("cache"))
    with (folder / "train.csv").open("a") as file:
        for text, label in zip(world.texts["test"][:20], world.labels["test"], strict=False):
            file.write(f"{text.upper()}.,{LABELS[label]}\n")
    return dataclasses.replace(world, folder=folder)


REFUSALS: dict[str, tuple[Callable[[World], dict[str, Any]], str]] = {
    "the model that never predicts one class": (
        lambda world: {"probabilities": never_says_suicidal(world)},
        r"recall.suicidal: failed: recall of suicidal 0.000 .*at least 0.2",
    ),
    "the synthetic run": (
        lambda world: {"data": {"synthetic": True}},
        r"real_data: failed: the data \w+ is synthetic",
    ),
    "the debug run": (
        lambda world: {"category": Category.DEBUG, "category_reason": "the word micro in the name"},
        r"not_debug: failed: the run is debug: the word micro in the name",
    ),
    "the run from a crashed training": (
        lambda world: {"status": "failed", "status_reason": "RuntimeError: out of memory"},
        r"completed: failed: the run is failed: RuntimeError: out of memory",
    ),
    "the lost run": (lambda world: {"status": "lost"}, r"completed: failed: the run is lost"),
    "the run without a category": (
        lambda world: {"category": None},
        r"not_debug: not enough evidence: the run was not classified",
    ),
    "the run without a git commit": (
        lambda world: {"lineage": Lineage()},
        r"git_state: not enough evidence: no git commit is on record",
    ),
    "the dirty run without its diff": (
        lambda world: {"lineage": Lineage(git_commit="0" * 40, git_dirty=True, git_diff="git.diff")},
        r"git_state: failed: uncommitted changes on 000000000000, and its diff is not on record",
    ),
    "the run with authors on both sides": (
        lambda world: {
            "data": {"splits": world.facts.splits | {"test": shared(world)}},
        },
        r"no_leakage: failed: .*; 7 author\(s\) stand in both",
    ),
    "the run that is too good to be true": (
        lambda world: {"probabilities": np.eye(4)[world.labels["test"]]},
        r"plausible: not enough evidence: macro-F1 1.000 is implausibly high; .*--answer plausible=",
    ),
    "the run with evidence of half the test split": (
        lambda world: {"data": {"splits": world.facts.splits | {"test": larger(world)}}},
        r"accuracy: not enough evidence: its evidence covers 240 of the 480 test rows",
    ),
}


def shared(world: World) -> Any:
    return msgspec.structs.replace(world.facts.splits["test"], shared_groups=7)


def larger(world: World) -> Any:
    return msgspec.structs.replace(world.facts.splits["test"], rows=480)


def must_be_refused(run: Path, place: Place, sentence: str) -> None:
    before = len(entries(place))
    with pytest.raises(Refused, match=sentence):
        ask(run, place)
    refusal = entries(place)[before]
    assert (refusal.what, refusal.run, refusal.by, refusal.why) == ("refused", run.name, "ada", "best of the week")
    assert refusal.failed
    assert not list((place[1] / "production").glob(f"{run.name}*"))
    assert verify.check(place[1]).ok


@pytest.mark.parametrize(("wrong", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_is_refused_with_a_ledger_entry(
    world: World, place: Place, wrong: Callable[[World], dict[str, Any]], sentence: str
) -> None:
    must_be_refused(a_trained_run(*place, world, **wrong(world)), place, sentence)


def test_run_with_planted_near_copies_is_refused_though_its_record_denies_them(
    world: World, place: Place, tmp_path: Path
) -> None:
    run = a_trained_run(*place, with_copies(world, tmp_path))
    test = store.read(run).data.splits["test"]  # type: ignore[union-attr]
    assert test.near_duplicates == 0
    must_be_refused(run, place, r"no_leakage: failed: 20 of 240 test rows \(8.3%\) are near copies of a train row")


def test_run_worse_than_the_champion_is_refused(world: World, place: Place) -> None:
    ask(a_trained_run(*place, world), place)
    worse = a_trained_run(*place, world, "weak_20261121_120000_cccc", quality="weak")
    must_be_refused(worse, place, r"not_worse_than_champion: failed: macro-F1 0.\d+ against 0.\d+ of attention_v1")


def test_run_on_another_test_set_is_refused_until_the_champion_is_scored_on_it(world: World, place: Place) -> None:
    ask(a_trained_run(*place, world), place)
    other = [f"{text} more" for text in world.texts["test"]]
    run = a_trained_run(*place, world, "other_20261121_120000_cccc", texts=other)
    must_be_refused(run, place, r"not enough evidence: compared with the champion attention_v1: .*another test set")


def test_champion_scored_on_the_new_test_set_is_compared(world: World, place: Place) -> None:
    ask(a_trained_run(*place, world), place)
    other = [f"{text} more" for text in world.texts["test"]]
    run = a_trained_run(*place, world, "other_20261121_120000_cccc", texts=other)
    there = place[1] / "evaluations" / "attention_v1"
    there.mkdir(parents=True)
    shutil.copyfile(run / "evaluation" / "test.npz", there / "today.npz")
    verdict = judge(Request(run=run, by="", why=""), outputs=place[0], models=place[1], policy=policy())
    [gate] = [gate for gate in verdict.gates if gate.name == "not_worse_than_champion"]
    assert gate.verdict == "passed"
    assert "on the same 240 examples" in gate.reason


def test_cut_checkpoint_is_refused(world: World, place: Place) -> None:
    run = a_trained_run(*place, world)
    path = run / "checkpoints" / "best.ckpt"
    path.write_bytes(path.read_bytes()[:-100])
    must_be_refused(
        run, place, r"checkpoint: failed: the checkpoint checkpoints/best.ckpt has \d+ bytes, on record are"
    )


def test_exchanged_checkpoint_is_refused(world: World, place: Place) -> None:
    run = a_trained_run(*place, world)
    path = run / "checkpoints" / "best.ckpt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    must_be_refused(run, place, r"checkpoint: failed: .* does not have the sha256 on record")


def test_linear_run_on_record_has_to_be_beaten(world: World, place: Place) -> None:
    linear = a_trained_run(*place, world, "linear_20261119_120000_dddd", quality="strong")
    store.update(
        linear, lambda old: msgspec.structs.replace(old, model=msgspec.structs.replace(old.model, name="linear"))
    )
    weak = a_trained_run(*place, world, "weak_20261121_120000_cccc", quality="weak")
    must_be_refused(weak, place, r"better_than_reference: failed: .* of linear_20261119_120000_dddd")


def test_bundle_that_does_not_say_what_the_run_said_is_never_promoted(world: World, place: Place) -> None:
    rng = np.random.default_rng(0)
    doctored = 0.8 * world.probabilities["strong", "test"] + 0.2 * rng.dirichlet(np.ones(4), 240)
    run = a_trained_run(*place, world, probabilities=doctored)
    with pytest.raises(Refused, match=r"the bundle does not say what the run said: .*evidence"):
        ask(run, place, force=True)
    assert entries(place)[-1].what == "refused"
    assert verify.check(place[1]).ok


def gone(folder: Path, split: str) -> list[str]:
    raise Unreadable("the posts were deleted")


def test_bundle_that_cannot_be_checked_goes_only_by_force(world: World, place: Place) -> None:
    run = a_trained_run(*place, world)
    sources = RunSources(texts=gone)
    with pytest.raises(Refused, match="could not be checked against its run: the posts were deleted"):
        ask(run, place, sources=sources)
    made = ask(run, place, sources=sources, force=True, why="the data had to be deleted")
    assert made.forced
    assert made.proof.flaw == "the posts were deleted"


def test_force_overrules_the_gates_and_shows_for_ever(world: World, place: Place) -> None:
    run = a_trained_run(*place, world, data={"synthetic": True})
    made = ask(run, place, force=True, why="a demonstration")
    assert made.forced
    assert entries(place)[-1].forced
    assert "real_data: failed" in entries(place)[-1].failed[0]
    assert "Promoted by force" in (place[1] / "production" / made.name / "README.md").read_text()
    assert json.loads((place[1] / "registry.json").read_text())["forced"] == 1
    assert store.read(run).history[-1].what == "promoted by force"


def test_force_that_nothing_was_overruled_by_is_no_force(world: World, place: Place) -> None:
    assert not ask(a_trained_run(*place, world), place, force=True).forced


@pytest.mark.parametrize("said", [{"by": ""}, {"why": "  "}, {"by": " ", "force": True}], ids=["by", "why", "forced"])
def test_nobody_and_no_reason_promote_nothing(world: World, place: Place, said: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="needs who does it and why, forced or not"):
        ask(a_trained_run(*place, world), place, **said)
    assert not (place[1] / "production").exists()


def test_answer_to_the_gate_that_asks_is_kept(world: World, place: Place) -> None:
    perfect = np.eye(4)[world.labels["test"]]
    run = a_trained_run(*place, world, probabilities=perfect)
    verdict = judge(
        Request(run=run, by="", why="", answers={"plausible": "the labels were made by a rule"}),
        outputs=place[0],
        models=place[1],
        policy=policy(),
    )
    [gate] = [gate for gate in verdict.gates if gate.name == "plausible"]
    assert gate.verdict == "passed"
    assert "was answered for: the labels were made by a rule" in gate.reason


def test_rehearsal_writes_nothing(world: World, place: Place) -> None:
    run = a_trained_run(*place, world)
    before = {path: path.read_bytes() for path in place[0].rglob("*") if path.is_file()}
    judge(Request(run=run, by="", why=""), outputs=place[0], models=place[1], policy=policy())
    assert {path: path.read_bytes() for path in place[0].rglob("*") if path.is_file()} == before
    assert {path.name for path in place[1].iterdir()} == {".evidence_key"}


@pytest.mark.parametrize(
    "name", ["../../etc", "/tmp/x", "a b", "Model", ".hidden", "", "a/b", "x" * 101, "a..b", "x\n", "<b>"]
)
def test_name_that_could_mean_another_place_is_refused(world: World, place: Place, name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a bundle or an alias"):
        ask(a_trained_run(*place, world), place, name=name)
    assert entries(place) == []


@pytest.mark.parametrize("name", ["attention_v1", "champion"])
def test_name_that_is_taken_is_never_given_again(world: World, place: Place, name: str) -> None:
    run = a_trained_run(*place, world)
    ask(run, place)
    with pytest.raises(Conflict, match=f"The name {name} is taken"):
        ask(run, place, name=name)


def test_challenger_leaves_the_champion(world: World, place: Place) -> None:
    run = a_trained_run(*place, world)
    ask(run, place)
    ask(run, place, alias="challenger")
    ask(run, place, alias=None)
    known = Registry(place[1], place[0]).state()
    assert list(known.aliases.values()) == [{"champion": "attention_v1", "challenger": "attention_v2"}]
    assert list(known.bundles) == ["attention_v1", "attention_v2", "attention_v3"]


def test_strict_policy_judges_on_what_is_sure(world: World, place: Place) -> None:
    run = a_trained_run(*place, world, quality="weak")
    reasons = {
        name: {gate.name: gate for gate in judge(
            Request(run=run, by="", why=""), outputs=place[0], models=place[1], policy=policy(name)
        ).gates}
        for name in ("default", "strict")
    }  # fmt: skip
    default, strict = reasons["default"]["accuracy"], reasons["strict"]["accuracy"]
    assert default.measured is not None
    assert strict.measured is not None
    assert strict.measured < default.measured


def test_champion_is_scored_on_the_new_test_set_where_its_texts_can_be_read(
    world: World, place: Place, tmp_path: Path
) -> None:
    ask(a_trained_run(*place, world, "weak_20261120_120000_aaaa", quality="weak"), place)
    halved = with_half_the_test_split(world, tmp_path)
    run = a_trained_run(*place, halved, "strong_20261121_120000_cccc")
    made = ask(run, place)
    assert made.champion is not None
    assert made.champion.comparison is not None
    assert made.champion.comparison.examples == 120
    assert made.champion.name == "weak_v1"


def with_half_the_test_split(world: World, tmp_path: Path) -> World:
    """The same data with only the first 120 test rows."""
    folder = tmp_path / "halved"
    shutil.copytree(world.folder, folder, ignore=shutil.ignore_patterns("cache"))
    lines = (folder / "test.csv").read_text().splitlines(keepends=True)
    (folder / "test.csv").write_text("".join(lines[:121]))
    test = msgspec.structs.replace(world.facts.splits["test"], rows=120, fingerprint="half" * 16)
    return dataclasses.replace(
        world,
        folder=folder,
        texts=world.texts | {"test": world.texts["test"][:120]},
        labels=world.labels | {"test": world.labels["test"][:120]},
        probabilities=world.probabilities | {("strong", "test"): world.probabilities["strong", "test"][:120]},
        facts=msgspec.structs.replace(world.facts, splits=world.facts.splits | {"test": test}),
    )


def test_onnx_is_added_on_request_and_says_the_same(world: World, place: Place) -> None:
    import onnxruntime

    from mhc.production import export

    made = ask(a_trained_run(*place, world), place, onnx=True)
    folder = place[1] / "production" / made.name
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    ids = np.array([[2, 5, 9, 13, 3], [2, 6, 10, 14, 3]])
    logits = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
    import torch
    from transformers import AutoModelForSequenceClassification

    with export.silent(), torch.inference_mode():
        network = AutoModelForSequenceClassification.from_pretrained(folder)
        expected = network(input_ids=torch.tensor(ids), attention_mask=torch.ones(2, 5, dtype=torch.long)).logits
    assert np.abs(logits - expected.numpy()).max() < 1e-4
    assert verify.check(place[1]).ok
