"""A bundle without mhc: a process that has torch and transformers, and can import nothing of ours."""

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
print(json.dumps([{one["label"]: one["score"] for one in found} for found in classify(texts)]))
"""


def test_bundle_copied_elsewhere_predicts_the_same_probabilities_without_mhc(
    world: World, place: tuple[Path, Path], tmp_path: Path
) -> None:
    run = a_trained_run(*place, world)
    made = promote(Request(run=run, by="ada", why="x"), outputs=place[0], models=place[1], policy=policy(), now=NOW)
    assert made.scores is not None
    assert made.scores.temperature != 1
    texts = [*world.texts["test"][:30], " ".join(world.texts["test"][:20])]
    predictor = Predictor.load(bundle=made.name, models=place[1], precision="fp32", device="cpu")
    _, expected = predictor(texts)
    elsewhere = shutil.copytree(place[1] / "production" / made.name, tmp_path / "elsewhere")
    shutil.rmtree(place[1])
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(elsewhere), str(tmp_path / "texts.json")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    found = [[scores[label] for label in LABELS] for scores in json.loads(done.stdout)]
    assert np.abs(np.array(found) - expected).max() < 1e-5
