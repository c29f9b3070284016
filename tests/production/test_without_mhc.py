"""A bundle without mhc: a process that has torch and transformers, but cannot import mhc."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from mhc.inference.predictor import Predictor
from mhc.production.decision import Request
from mhc.production.promote import promote
from tests.support.promotions import LABELS, NOW, World, a_trained_run, policy

ALONE = """
import json, sys
for module in ("mhc", "callbacks", "pytorch_lightning", "hydra", "omegaconf", "datasets", "torchmetrics", "datasketch"):
    sys.modules[module] = None
from transformers import pipeline
classify = pipeline("text-classification", model=sys.argv[1], truncation=True, top_k=None)
texts = json.load(open(sys.argv[2]))
print(json.dumps([{one["label"]: one["score"] for one in scores} for scores in classify(texts)]))
"""


def test_copied_bundle_has_the_same_probabilities_without_mhc(
    world: World, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    run = a_trained_run(*folders, world)
    promotion = promote(
        Request(run=run, by="ada", reason="x"), outputs=folders[0], models=folders[1], policy=policy(), now=NOW
    )
    assert promotion.scores is not None
    assert promotion.scores.temperature != 1
    texts = [*world.texts["test"][:30], " ".join(world.texts["test"][:20])]
    predictor = Predictor.load(bundle=promotion.name, models=folders[1], precision="fp32", device="cpu")
    _, expected = predictor(texts)
    elsewhere = shutil.copytree(folders[1] / "production" / promotion.name, tmp_path / "elsewhere")
    shutil.rmtree(folders[1])
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    process = subprocess.run(
        [sys.executable, "-c", ALONE, str(elsewhere), str(tmp_path / "texts.json")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    results = [[scores[label] for label in LABELS] for scores in json.loads(process.stdout)]
    assert np.abs(np.array(results) - expected).max() < 1e-5
