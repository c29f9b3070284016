"""Files in the formats of the old tracker and of plain Hydra, for tests. All texts are invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIRST_LAYOUT = {
    "experiment_id": "baseline_v1_20250101_060000",
    "timestamp": "2025-01-01T06:00:00.123456",
    "model_type": "baseline_transformer",
    "architecture": {"n_embd": 256},
    "description": "before the tracker",
    "snapshot_path": "model_snapshots/baseline_v1_20250101_060000",
    "status": "preserved",
    "tags": ["baseline", "3-class"],
}


def second_layout(key: str, **changes: Any) -> dict[str, Any]:
    name, day, time = key.rsplit("_", 2)
    stamp = f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}.500000"
    fields = {"experiment_name": name, "description": "", "config_hash": "b3ed80d8", "tags": [], "status": "running"}
    return {"experiment_id": key, "timestamp": stamp, **fields, **changes}


def third_layout(key: str, category: str = "baseline", **changes: Any) -> dict[str, Any]:
    return second_layout(key, experiment_category=category, tracking_version="v2.0_consolidated", **changes)


def write_log(folder: Path, *entries: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "experiments_log.jsonl"
    path.write_text("\n".join(json.dumps(entry) for entry in entries))
    return path


def write_registry(folder: Path, **sections: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "models_registry_consolidated.json"
    path.write_text(json.dumps({"project_name": "an old project", **sections}, indent=2))
    return path


def write_experiment(experiments: Path, key: str, **metadata: Any) -> Path:
    folder = experiments / key
    (folder / "models").mkdir(parents=True)
    (folder / "metadata.json").write_text(json.dumps({"experiment_id": key, "status": "running", **metadata}, indent=2))
    return folder


def write_hydra_job(
    folder: Path, ran_at: str, job: str = "train", num: int | None = None, config: str = "seed: 7\n"
) -> Path:
    (folder / ".hydra").mkdir(parents=True)
    mode = "RUN" if num is None else "MULTIRUN"
    hydra = f"hydra:\n  mode: {mode}\n  job:\n    name: {job}\n    num: {'???' if num is None else num}\n"
    hydra += f"  runtime:\n    version: 1.3.2\n    output_dir: {ran_at}\n"
    (folder / ".hydra" / "config.yaml").write_text(config)
    (folder / ".hydra" / "hydra.yaml").write_text(hydra)
    (folder / ".hydra" / "overrides.yaml").write_text("- model.width=3\n")
    return folder


def whole_project(root: Path) -> int:
    """Write an old project that describes 9 experiments in 16 places; return the number of experiments."""
    write_log(
        root,
        FIRST_LAYOUT,
        second_layout("small_20250101_070000"),
        second_layout("micro_20250101_080000", tags=["debug"]),
        third_layout("simple_20250102_090000"),
        third_layout("test_fix_20250102_100000", "debug"),
    )
    write_registry(
        root,
        production_models={
            "baseline_v9": {
                "original_experiment": "ten_k_20250101_110000",
                "performance": {"accuracy": 0.58, "f1_macro": 0.53, "f1_depression": 0.22},
                "status": "production_ready",
                "training_completed": "2025-01-01T12:00:00",
            }
        },
        archived_models={"reference": {"original_experiment": "small_20250101_070000", "status": "archived"}},
        debug_models={"mini": {"original_experiment": "mini_20250101_130000", "status": "debug_reference"}},
        active_experiments={
            "simple_20250102_090000": {
                "experiment_name": "simple",
                "status": "completed",
                "completed_at": "2025-01-02T09:30:00",
                "final_metrics": {"accuracy": 0.6, "f1_macro": 0.5, "loss": 0.7},
                "promotion_candidate": True,
            },
            "test_fix_20250102_100000": {"experiment_name": "test_fix", "status": "running"},
        },
        archived_experiments={"archive_debug": {"micro_20250101_080000": {"archive_reason": "manual_archive"}}},
        consolidation_summary={"total_experiments_before": 23},
    )
    moves = {
        "consolidation_metadata": {"version": "v1.0"},
        "consolidation_actions": {
            "pending_archive_moves": {"to_archive_debug": ["mini_20250101_130000"], "to_archive_baseline": []},
            "completed_archive_moves": [
                {"from": "experiments/wide_20250103_010000", "to": "experiments/archive_baseline/wide_20250103_010000"}
            ],
            "archive_errors": ["Failed to move nothing: no such file"],
        },
    }
    (root / "experiment_consolidation_log.json").write_text(json.dumps(moves, indent=2))
    config = {"seed": 42, "model": {"n_embd": 8}}
    write_experiment(root / "experiments", "simple_20250102_090000", status="completed", config=config, notes="good")
    archive = root / "experiments" / "archive_baseline"
    write_experiment(archive, "deep_20250104_020000", status="failed", created_at="2025-01-04T02:00:00")
    write_experiment(archive, "wide_20250103_010000", created_at="2025-01-03T01:00:00")
    return 9
