from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mhc.errors import BadInput, Conflict, Refused, Unreadable
from mhc.model.weights import Loaded
from mhc.production import ledger, verify
from mhc.production.api import Registry
from mhc.production.build_bundle import RunSources, obstacle
from mhc.production.decision import PromotionRecord, Request
from mhc.production.promote import judge, promote
from mhc.record import Category, ChangedFile, Content, Lineage
from mhc.runs import store
from tests.support.own_network import OwnNetwork
from tests.support.promotions import LABELS, NOW, World, a_trained_run, policy

Folders = tuple[Path, Path]


def promote_run(run: Path, folders: Folders, **changes: Any) -> PromotionRecord:
    selected = changes.pop("policy", None) or policy()
    sources = changes.pop("sources", None)
    request = Request(run=run, **({"by": "ada", "reason": "best of the week"} | changes))
    return promote(request, outputs=folders[0], models=folders[1], policy=selected, now=NOW, sources=sources)


def entries(folders: Folders) -> list[ledger.Entry]:
    return ledger.verified_entries(folders[1])


def test_run_that_passes_becomes_champion(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world)
    promotion = promote_run(run, folders)
    assert promotion.name == "attention_v1"
    assert not promotion.forced
    assert {gate.verdict for gate in promotion.gates} == {"passed"}
    assert Registry(folders[1], folders[0]).champion().name == "attention_v1"
    assert verify.check(folders[1]).ok
    [entry] = entries(folders)
    assert (entry.what, entry.bundle, entry.alias, entry.run, entry.by, entry.why) == (
        "promoted", "attention_v1", "champion", run.name, "ada", "best of the week",
    )  # fmt: skip


def test_bundle_is_self_contained(world: World, folders: Folders) -> None:
    promote_run(a_trained_run(*folders, world), folders)
    shutil.rmtree(folders[0])
    folder = folders[1] / "production" / "attention_v1"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files >= {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md", "promotion.json",
        "run.json", "training.yaml", "calibration.json", "evaluation/val.npz", "evaluation/test.npz",
        "checksums.sha256",
    }  # fmt: skip
    assert json.loads((folder / "config.json").read_text())["id2label"] == dict(zip("0123", LABELS, strict=True))
    assert verify.check(folders[1]).ok


def test_bundle_has_nothing_private(world: World, folders: Folders) -> None:
    contents = {"patient_ada.csv": Content.NOT_CODE, "x.py": Content.KEPT}
    changes = [ChangedFile(path=path, content=content) for path, content in contents.items()]
    words = ["+tracker.api_key=PLANTED", f"data.train={folders[0]}/train.csv"]
    lineage = Lineage(git_commit="0" * 40, git_dirty=True, git_diff="git.diff", git_changes=changes, overrides=words)
    run = a_trained_run(*folders, world, lineage=lineage, description="see https://ada:PLANTED@host")
    (run / "git.diff").write_text("diff --git a/x.py b/x.py\n+PLANTED\n")
    with (run / ".hydra" / "config.yaml").open("a") as file:
        file.write(f"tracker: {{api_key: PLANTED, token: '${{oc.env:TOKEN}}', log: {folders[0]}/log}}\n")
    request = Request(run=run, by="ada", reason="token=PLANTED, and more", answers={"x": "password=PLANTED"})
    promote(request, outputs=folders[0], models=folders[1], policy=policy(), now=NOW)
    folder = folders[1] / "production" / "attention_v1"
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for needle in (b"PLANTED", str(folders[0].parent).encode(), b"diff --git", b"patient_ada"):
        assert needle not in content
    assert b"${oc.env:TOKEN}" in (folder / "training.yaml").read_bytes()
    assert not (folder / "git.diff").exists()
    assert b"PLANTED" not in (folders[1] / ledger.FILE).read_bytes()


@pytest.mark.parametrize(
    ("contents", "file", "verdict"),
    [
        ([Content.KEPT, Content.NOT_CODE, Content.UNTRACKED], True, "passed"),
        ([Content.NOT_CODE], False, "passed"),
        ([Content.KEPT], False, "failed"),
        ([Content.KEPT, Content.LEFT_OUT], True, "failed"),
    ],
    ids=["code kept", "no code changed", "diff lost", "code left out"],
)
def test_changed_code_has_to_be_beside_the_run(
    world: World, folders: Folders, contents: list[Content], file: bool, verdict: str
) -> None:
    changes = [ChangedFile(path=f"f{number}", content=content) for number, content in enumerate(contents)]
    diff = "git.diff" if Content.KEPT in contents else None
    lineage = Lineage(git_commit="0" * 40, git_dirty=True, git_diff=diff, git_changes=changes)
    run = a_trained_run(*folders, world, lineage=lineage)
    if file:
        (run / "git.diff").write_text("diff --git a/f0 b/f0\n")
    judged = judge(Request(run=run, by="", reason=""), outputs=folders[0], models=folders[1], policy=policy())
    [gate] = [gate for gate in judged.gates if gate.name == "git_state"]
    assert gate.verdict == verdict


def test_bundle_is_checked_with_transformers_alone(world: World, folders: Folders) -> None:
    check = promote_run(a_trained_run(*folders, world), folders).proof
    assert check.by == "transformers alone"
    assert check.examples == 64
    assert check.largest_gap is not None
    assert check.largest_gap < 1e-5
    assert check.mean_gap_to_evidence is not None
    assert check.mean_gap_to_evidence < 1e-5


def test_record_of_the_run_names_its_bundle(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world)
    promote_run(run, folders)
    record = store.read(run)
    assert record.promotion.bundles == ["attention_v1"]
    assert (record.history[-1].what, record.history[-1].by) == ("promoted", "ada")


def test_versions_count_up(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world)
    assert [promote_run(run, folders).name for _ in range(3)] == ["attention_v1", "attention_v2", "attention_v3"]


def test_better_run_is_promoted_with_its_paired_comparison(world: World, folders: Folders) -> None:
    promote_run(a_trained_run(*folders, world, "weak_20261120_120000_aaaa", quality="weak"), folders)
    promotion = promote_run(a_trained_run(*folders, world, "strong_20261120_130000_bbbb"), folders)
    assert promotion.champion is not None
    assert promotion.champion.name == "weak_v1"
    comparison = promotion.champion.comparison
    assert comparison is not None
    assert comparison.examples == 240
    assert comparison.difference > 0
    card = (folders[1] / "production" / "strong_v1" / "README.md").read_text()
    assert "on the same 240 examples" in card


def never_says_suicidal(world: World) -> np.ndarray:
    probabilities = world.probabilities["strong", "test"].copy()
    probabilities[:, 3] = 0
    return probabilities / probabilities.sum(1, keepdims=True)


def with_copies(world: World, tmp_path: Path) -> World:
    """Return the same data, with 20 test texts added to train, in capitals and with a full stop."""
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
        r"git_state: not enough evidence: no git commit was recorded",
    ),
    "the dirty run without its diff": (
        lambda world: {"lineage": Lineage(git_commit="0" * 40, git_dirty=True, git_diff="git.diff")},
        r"git_state: failed: uncommitted changes on 000000000000; the changed code is not recorded completely",
    ),
    "the run with authors on both sides": (
        lambda world: {
            "data": {"splits": world.facts.splits | {"test": shared(world)}},
        },
        r"no_leakage: failed: .*; 7 authors in both",
    ),
    "the run that is too good to be true": (
        lambda world: {"probabilities": np.eye(4)[world.labels["test"]]},
        r"(?s)plausible: not enough evidence: macro-F1 1.000 is implausibly high.*--answer plausible=",
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


def must_be_refused(run: Path, folders: Folders, sentence: str) -> None:
    before = len(entries(folders))
    with pytest.raises(Refused, match=sentence):
        promote_run(run, folders)
    refusal = entries(folders)[before]
    assert (refusal.what, refusal.run, refusal.by, refusal.why) == ("refused", run.name, "ada", "best of the week")
    assert refusal.failed
    assert not list((folders[1] / "production").glob(f"{run.name}*"))
    assert verify.check(folders[1]).ok


@pytest.mark.parametrize(("wrong", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_run_is_refused_with_a_ledger_entry(
    world: World, folders: Folders, wrong: Callable[[World], dict[str, Any]], sentence: str
) -> None:
    must_be_refused(a_trained_run(*folders, world, **wrong(world)), folders, sentence)


def test_near_copies_that_the_record_denies_are_found(world: World, folders: Folders, tmp_path: Path) -> None:
    run = a_trained_run(*folders, with_copies(world, tmp_path))
    test = store.read(run).data.splits["test"]  # type: ignore[union-attr]
    assert test.near_duplicates == 0
    must_be_refused(run, folders, r"no_leakage: failed: 20 of 240 test rows \(8.3%\) are near copies of a train row")


def test_run_worse_than_the_champion_is_refused(world: World, folders: Folders) -> None:
    promote_run(a_trained_run(*folders, world), folders)
    worse = a_trained_run(*folders, world, "weak_20261121_120000_cccc", quality="weak")
    must_be_refused(worse, folders, r"not_worse_than_champion: failed: macro-F1 0.\d+ against 0.\d+ of attention_v1")


def test_run_on_a_test_set_without_champion_scores_is_refused(world: World, folders: Folders) -> None:
    promote_run(a_trained_run(*folders, world), folders)
    other = [f"{text} more" for text in world.texts["test"]]
    run = a_trained_run(*folders, world, "other_20261121_120000_cccc", texts=other)
    must_be_refused(run, folders, r"not enough evidence: compared with the champion attention_v1: .*another test set")


def test_champion_scored_on_the_new_test_set_is_compared(world: World, folders: Folders) -> None:
    promote_run(a_trained_run(*folders, world), folders)
    other = [f"{text} more" for text in world.texts["test"]]
    run = a_trained_run(*folders, world, "other_20261121_120000_cccc", texts=other)
    evaluations = folders[1] / "evaluations" / "attention_v1"
    evaluations.mkdir(parents=True)
    shutil.copyfile(run / "evaluation" / "test.npz", evaluations / "today.npz")
    verdict = judge(Request(run=run, by="", reason=""), outputs=folders[0], models=folders[1], policy=policy())
    [gate] = [gate for gate in verdict.gates if gate.name == "not_worse_than_champion"]
    assert gate.verdict == "passed"
    assert "on the same 240 examples" in gate.reason


def test_cut_checkpoint_is_refused(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world)
    path = run / "checkpoints" / "best.ckpt"
    path.write_bytes(path.read_bytes()[:-100])
    must_be_refused(run, folders, r"checkpoint: failed: the checkpoint checkpoints/best.ckpt has \d+ bytes instead of")


def test_exchanged_checkpoint_is_refused(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world)
    path = run / "checkpoints" / "best.ckpt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    must_be_refused(run, folders, r"checkpoint: failed: .* does not have the recorded sha256")


def test_recorded_linear_run_has_to_be_beaten(world: World, folders: Folders) -> None:
    linear = a_trained_run(*folders, world, "linear_20261119_120000_dddd", quality="strong")
    store.update(
        linear, lambda old: msgspec.structs.replace(old, model=msgspec.structs.replace(old.model, name="linear"))
    )
    weak = a_trained_run(*folders, world, "weak_20261121_120000_cccc", quality="weak")
    must_be_refused(weak, folders, r"better_than_reference: failed: .* of linear_20261119_120000_dddd")


def test_bundle_that_contradicts_its_run_is_never_promoted(world: World, folders: Folders) -> None:
    rng = np.random.default_rng(0)
    changed = 0.8 * world.probabilities["strong", "test"] + 0.2 * rng.dirichlet(np.ones(4), 240)
    run = a_trained_run(*folders, world, probabilities=changed)
    with pytest.raises(Refused, match=r"the bundle gives other probabilities than the run: .*evidence"):
        promote_run(run, folders, force=True)
    assert entries(folders)[-1].what == "refused"
    assert verify.check(folders[1]).ok


def deleted_texts(folder: Path, split: str) -> list[str]:
    raise Unreadable("the posts were deleted")


def test_bundle_that_cannot_be_checked_needs_force(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world)
    sources = RunSources(texts=deleted_texts)
    with pytest.raises(Refused, match="could not be checked against its run: the posts were deleted"):
        promote_run(run, folders, sources=sources)
    promotion = promote_run(run, folders, sources=sources, force=True, reason="the data had to be deleted")
    assert promotion.forced
    assert promotion.proof.flaw == "the posts were deleted"


def test_force_overrules_the_gates_and_is_recorded(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world, data={"synthetic": True})
    promotion = promote_run(run, folders, force=True, reason="a demonstration")
    assert promotion.forced
    assert entries(folders)[-1].forced
    assert "real_data: failed" in entries(folders)[-1].failed[0]
    assert "Promoted by force" in (folders[1] / "production" / promotion.name / "README.md").read_text()
    assert json.loads((folders[1] / "registry.json").read_text())["forced"] == 1
    assert store.read(run).history[-1].what == "promoted by force"


def test_force_without_a_missed_gate_is_not_recorded(world: World, folders: Folders) -> None:
    assert not promote_run(a_trained_run(*folders, world), folders, force=True).forced


@pytest.mark.parametrize(
    "changes", [{"by": ""}, {"reason": "  "}, {"by": " ", "force": True}], ids=["by", "reason", "forced"]
)
def test_promotion_needs_an_author_and_a_reason(world: World, folders: Folders, changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="A promotion, forced or not, needs an author and a reason"):
        promote_run(a_trained_run(*folders, world), folders, **changes)
    assert not (folders[1] / "production").exists()


def test_answer_to_a_gate_is_part_of_its_reason(world: World, folders: Folders) -> None:
    perfect = np.eye(4)[world.labels["test"]]
    run = a_trained_run(*folders, world, probabilities=perfect)
    verdict = judge(
        Request(run=run, by="", reason="", answers={"plausible": "the labels were made by a rule"}),
        outputs=folders[0],
        models=folders[1],
        policy=policy(),
    )
    [gate] = [gate for gate in verdict.gates if gate.name == "plausible"]
    assert gate.verdict == "passed"
    assert "which was explained: the labels were made by a rule" in gate.reason


def test_dry_run_writes_nothing(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world)
    before = {path: path.read_bytes() for path in folders[0].rglob("*") if path.is_file()}
    judge(Request(run=run, by="", reason=""), outputs=folders[0], models=folders[1], policy=policy())
    assert {path: path.read_bytes() for path in folders[0].rglob("*") if path.is_file()} == before
    assert {path.name for path in folders[1].iterdir()} == {".evidence_key"}


@pytest.mark.parametrize(
    "name", ["../../etc", "/tmp/x", "a b", "Model", ".hidden", "", "a/b", "x" * 101, "a..b", "x\n", "<b>"]
)
def test_name_that_could_lead_to_another_folder_is_refused(world: World, folders: Folders, name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a bundle or an alias"):
        promote_run(a_trained_run(*folders, world), folders, name=name)
    assert entries(folders) == []


@pytest.mark.parametrize("name", ["attention_v1", "champion"])
def test_taken_name_is_refused(world: World, folders: Folders, name: str) -> None:
    run = a_trained_run(*folders, world)
    promote_run(run, folders)
    with pytest.raises(Conflict, match=f"The name {name} is taken"):
        promote_run(run, folders, name=name)


def test_challenger_does_not_replace_the_champion(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world)
    promote_run(run, folders)
    promote_run(run, folders, alias="challenger")
    promote_run(run, folders, alias=None)
    production = Registry(folders[1], folders[0]).state()
    assert list(production.aliases.values()) == [{"champion": "attention_v1", "challenger": "attention_v2"}]
    assert list(production.bundles) == ["attention_v1", "attention_v2", "attention_v3"]


def test_strict_policy_judges_on_the_lower_bound(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world, quality="weak")
    reasons = {
        name: {gate.name: gate for gate in judge(
            Request(run=run, by="", reason=""), outputs=folders[0], models=folders[1], policy=policy(name)
        ).gates}
        for name in ("default", "strict")
    }  # fmt: skip
    default, strict = reasons["default"]["accuracy"], reasons["strict"]["accuracy"]
    assert default.measured is not None
    assert strict.measured is not None
    assert strict.measured < default.measured


def test_champion_is_scored_on_a_new_test_set_with_texts(world: World, folders: Folders, tmp_path: Path) -> None:
    promote_run(a_trained_run(*folders, world, "weak_20261120_120000_aaaa", quality="weak"), folders)
    halved = with_half_the_test_split(world, tmp_path)
    run = a_trained_run(*folders, halved, "strong_20261121_120000_cccc")
    promotion = promote_run(run, folders)
    assert promotion.champion is not None
    assert promotion.champion.comparison is not None
    assert promotion.champion.comparison.examples == 120
    assert promotion.champion.name == "weak_v1"


def with_half_the_test_split(world: World, tmp_path: Path) -> World:
    """Return the same data with only the first 120 test rows."""
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


def test_onnx_is_added_on_request_with_equal_outputs(world: World, folders: Folders) -> None:
    import onnxruntime

    from mhc.production import export

    promotion = promote_run(a_trained_run(*folders, world), folders, onnx=True)
    folder = folders[1] / "production" / promotion.name
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    ids = np.array([[2, 5, 9, 13, 3], [2, 6, 10, 14, 3]])
    logits = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
    import torch
    from transformers import AutoModelForSequenceClassification

    with export.without_progress_bars(), torch.inference_mode():
        network = AutoModelForSequenceClassification.from_pretrained(folder)
        expected = network(input_ids=torch.tensor(ids), attention_mask=torch.ones(2, 5, dtype=torch.long)).logits
    assert np.abs(logits - expected.numpy()).max() < 1e-4
    assert verify.check(folders[1]).ok


def test_folder_in_the_way_is_moved_aside_and_named(
    world: World, folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    run = a_trained_run(*folders, world)
    by_hand = folders[1] / "production" / "attention_v1"
    by_hand.mkdir(parents=True)
    (by_hand / "notes.txt").write_text("by hand")
    promote_run(run, folders)
    [aside] = (folders[1] / ".aside").iterdir()
    assert (aside / "notes.txt").read_text() == "by hand"
    assert str(aside) in caplog.text
    assert [entry.what for entry in entries(folders)] == ["mended", "promoted"]
    assert f"attention_v1, which the ledger did not know, was moved to .aside/{aside.name}" == entries(folders)[0].why
    assert verify.check(folders[1]).ok


def test_promotion_without_the_ledger_deletes_nothing(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world)
    promote_run(run, folders)
    (folders[1] / "ledger.jsonl").unlink()
    before = sorted(folders[1].rglob("*"))
    request = Request(run=run, by="", reason="")
    sentence = r"ledger\.jsonl is missing, but there is registry\.json, attention_v1"
    with pytest.raises(Unreadable, match=sentence):
        judge(request, outputs=folders[0], models=folders[1], policy=policy())
    with pytest.raises(Unreadable, match=sentence):
        promote_run(run, folders, force=True)
    assert sorted(folders[1].rglob("*")) == before


def test_network_of_the_user_is_refused_in_a_sentence(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world)
    own = OwnNetwork(4, 33, 0, LABELS)
    sources = RunSources(
        load=lambda folder: Loaded(
            network=own, tokenizer_folder=folder / "tokenizer", labels=LABELS, max_tokens=16, name=folder.name
        )
    )
    sentence = r"tests\.support\.own_network\.OwnNetwork is a class of your own, and a bundle contains no code"
    assert re.search(sentence, obstacle(run, sources))
    with pytest.raises(Refused, match=sentence):
        promote_run(run, folders, force=True, sources=sources)
    assert entries(folders)[-1].what == "refused"
    assert not list((folders[1] / "production").iterdir())
    assert verify.check(folders[1]).ok
