"""The names in `_target_` are a file format: runs on record are built again by them, whatever moves inside the code."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.utils import get_object

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "tests" / "recorded" / "project"

NAMES = (
    "callbacks.archive_debug_runs.ArchiveDebugRuns",
    "callbacks.classify_run.ClassifyRun",
    "callbacks.figures.Figures",
    "callbacks.flag_for_promotion.FlagForPromotion",
    "callbacks.hparams.HParams",
    "callbacks.pr_curves.PrCurves",
    "callbacks.progress.Progress",
    "callbacks.register_run.RegisterRun",
    "callbacks.throughput.Throughput",
    "callbacks.write_evidence.WriteEvidence",
    "mhc.data.datamodule.TextDataModule",
    "mhc.data.sources.Files",
    "mhc.data.sources.HuggingFace",
    "mhc.data.synthetic.Synthetic",
    "mhc.model.embedding.network.embedding_linear",
    "mhc.model.encoder.from_config",
    "mhc.model.encoder.pretrained",
    "mhc.model.ensemble.Ensemble",
    "mhc.model.linear.bag",
    "mhc.model.losses.CrossEntropy",
    "mhc.model.losses.Focal",
    "mhc.model.optimizers.adamw",
    "mhc.model.optimizers.sgd",
    "mhc.model.optimizers.warmup_then",
    "mhc.model.sharding.fsdp",
    "mhc.model.tfidf.logistic.LogisticRegression",
    "mhc.model.tfidf.network.tfidf_linear",
    "mhc.policy.from_values",
    "mhc.report.metrics_csv.MetricsCsv",
    "mhc.report.tensorboard.TensorBoard",
    "mhc.runs.live.LiveRun",
    "mhc.training.sweep_process.SweepProcess",
)
"""Names are added when conf/ gets a new one, and never taken out."""


def targets_in(folder: Path) -> set[str]:
    """Return the names of ours in the YAML files of a folder."""
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.yaml")]
    return {name for text in texts for name in re.findall(r"_target_: *[\"']?((?:mhc|callbacks)\.[\w.]+)", text)}


@pytest.mark.parametrize("name", NAMES)
def test_recorded_name_can_still_be_imported(name: str) -> None:
    found: Callable[..., object] = get_object(name)
    assert callable(found)
    assert found.__name__ == name.rpartition(".")[2]


def test_every_name_in_conf_is_pinned() -> None:
    targets = targets_in(ROOT / "conf")
    assert targets
    assert targets <= set(NAMES), f"Runs will record {sorted(targets - set(NAMES))}: add them to NAMES for good"


def test_every_name_on_record_is_pinned() -> None:
    targets = targets_in(RECORDED)
    assert "callbacks.register_run.RegisterRun" in targets
    assert targets <= set(NAMES)
