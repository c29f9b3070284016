"""Score a run or a bundle on a split: `python -m mhc.evaluate run=attention_v3 split=test`, evidence included.

`evaluate(loaded, texts)` is the same for whoever has the texts: an older champion is judged by it on today's test set.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mhc.errors import BadConfig, BadInput
from mhc.inference import arguments
from mhc.policy import CONF
from mhc.training import exit_codes

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from mhc.data.corpus import Corpus
    from mhc.facts import Metrics
    from mhc.model.weights import Loaded

SUMMARY = """Score a run or a bundle on a split, and keep what it said of every example (never a text).

  python -m mhc.evaluate run=attention_v3 split=test
  python -m mhc.evaluate bundle=champion data=files data.train=train.csv data.test=new.csv output=champion_new.npz

Without data= a run is scored on the data it was trained with; data.<key>= changes what the config says, as in training.
The evidence goes to output=; without it, a run's on its own data goes to its folder, and none other is kept."""

KNOWN = {
    "run": "a run: its folder, or the beginning of its id",
    "bundle": "a bundle: its name, an alias such as champion, or its folder (with a slash)",
    "data": "an option of conf/data: synthetic, files, huggingface [the run's own]",
    "data.<key>": "any value of the data's config, such as data.test=new.csv",
    "split": "train, val or test [test]",
    "output": "the evidence to write, such as new_test.npz",
    "precision": "fp32, bf16, or auto: bf16 where the hardware has it [auto]",
    "device": "auto, cpu, cuda, mps [auto]",
    "paths.outputs": "folder of the runs [outputs]",
    "paths.models": "folder of the bundles [models]",
    "paths.cache": "folder of read data [.cache]",
}


def evaluate(
    loaded: Loaded, texts: Sequence[str], precision: str = "auto", device: str = "auto"
) -> NDArray[np.float32]:
    """Return the probabilities [n, k] of normalised texts, as the network gives them: no temperature is applied."""
    from mhc.inference.predictor import Predictor

    return Predictor(loaded, precision=precision, device=device).raw(texts)


def main() -> None:
    """Do as the command line says."""
    words = sys.argv[1:]
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(arguments.usage(SUMMARY, KNOWN) + "\n")
        return
    overrides = [word for word in words if word.startswith(("data.", "+data."))]
    try:
        values = arguments.parse([word for word in words if word not in overrides], KNOWN)
        kind = arguments.one_of(values, "run", "bundle")
        if kind == "bundle" and not values.get("data"):
            raise BadConfig("Say the data for a bundle: data=files data.train=... data.test=...")
        if values.get("split", "test") not in ("train", "val", "test"):
            raise BadConfig(f"split={values['split'][:40]} is none of train, val, test")
    except BadConfig as error:
        sys.exit(exit_codes.say(str(error), 2))
    score(values, overrides)


def score(values: dict[str, str], overrides: list[str]) -> None:
    """Load the data, then the model, score, and write the evidence and the table."""
    from mhc.metrics import measure
    from mhc.production import loading

    split, models = values.get("split", "test"), place(values, "models")
    run = loading.find_run(place(values, "outputs"), values["run"]) if values.get("run") else None
    corpus = corpus_of(config_of(run, values, overrides), split)
    loaded = loading.from_run(run) if run else loading.from_bundle(*loading.find_bundle(models, values["bundle"]))
    labels = in_order_of(loaded.labels, corpus.about.labels, np.asarray(corpus.label_ids(split), np.int64))
    texts = list(corpus.texts(split))
    found = evaluate(loaded, texts, values.get("precision", "auto"), values.get("device", "auto"))
    own = run / "evaluation" / f"{split}.npz" if run and not overrides and not values.get("data") else None
    kept = Path(values["output"]) if values.get("output") else own
    if kept is not None:
        keep(kept, texts, labels, found, loaded.labels, models)
    show(measure(labels, found, loaded.labels), np.bincount(labels, minlength=len(loaded.labels)).tolist())
    exit_codes.say(
        f"Evidence of {len(texts):,} rows: {kept}" if kept else "No evidence was kept; say output=FILE.npz", 0
    )


def place(values: dict[str, str], what: str) -> Path:
    """Return the folder of outputs, models or cache: as said, of the environment, or the default."""
    default = ".cache" if what == "cache" else what
    return Path(values.get(f"paths.{what}") or os.environ.get(f"MHC_{what.upper()}") or default)


def config_of(run: Path | None, values: dict[str, str], overrides: list[str]) -> DictConfig:
    """Return the config that describes the data: the run's own, or composed as for a training.

    Raises:
        BadConfig: an override of the run's own data does not fit; names the key.
    """
    from mhc.production import loading

    if values.get("data") or run is None:
        from hydra import compose, initialize_config_dir

        from mhc.training import config

        config.register()
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            cfg = compose("train", overrides=[f"data={values['data']}", *overrides])
    else:
        cfg = loading.recorded_model(run)
        for word in overrides:
            _override(cfg, word)
    cfg.paths.cache = str(place(values, "cache"))
    return cfg


def _override(cfg: DictConfig, word: str) -> None:
    from omegaconf import OmegaConf
    from yaml import safe_load

    key, _, value = word.partition("=")
    if OmegaConf.select(cfg, key.rpartition(".")[0]) is None or key.rpartition(".")[2] not in OmegaConf.select(
        cfg, key.rpartition(".")[0]
    ):
        raise BadConfig(f"There is no key {key[:60]!r} in the run's data. It has: {', '.join(map(str, cfg.data))}")
    OmegaConf.update(cfg, key, safe_load(value))


def corpus_of(cfg: DictConfig, split: str) -> Corpus:
    """Return the data, cleaned and cut as for a training, without making a tokenizer or importing Lightning.

    Raises:
        BadInput: it cannot be used, or has no such split.
    """
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from mhc.data import corpus, options

    values = OmegaConf.to_container(cfg.data, resolve=True)
    assert isinstance(values, dict)
    found = corpus.ensure(
        instantiate(cfg.data.source, _convert_="all"),
        options.read(values["cleaning"], options.Cleaning, "data.cleaning"),
        options.read(values["splitting"], options.Splitting, "data.splitting"),
        {str(value): str(name) for value, name in (values["label_names"] or {}).items()},
        values["near_duplicates"],
        Path(cfg.paths.cache),
    )
    if split not in found.splits:
        raise BadInput(f"The data has no split {split!r}. It has: {', '.join(found.splits)}")
    return found


def in_order_of(model: Sequence[str], data: Sequence[str], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return [n] positions in the model's labels, from positions in the data's.

    Raises:
        BadInput: the split has a label that the model does not know.
    """
    unknown = [data[label] for label in np.unique(labels).tolist() if data[label] not in model]
    if unknown:
        raise BadInput(f"The data has the label {unknown[0]!r}, but the model knows {', '.join(model)}")
    order = np.array([model.index(name) if name in model else -1 for name in data], np.int64)
    return order[labels]


def keep(
    path: Path,
    texts: Sequence[str],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    names: Sequence[str],
    models: Path,
) -> None:
    """Write the evidence."""
    from mhc.runs import evidence

    key = evidence.key(models)
    ids = np.frombuffer(b"".join(evidence.example_id(text, key) for text in texts), np.uint8)
    evidence.write(path, ids.reshape(-1, evidence.ID_BYTES), labels, probabilities, names)


def show(metrics: Metrics, rows: Sequence[int]) -> None:
    """Write the numbers to stdout: of all classes, then per class."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    whole = Table(box=None, pad_edge=False, header_style="bold")
    names = {"accuracy": "accuracy", "f1_macro": "macro-F1", "ece": "calibration error", "loss": "loss"}
    for title in names.values():
        whole.add_column(title, justify="right")
    whole.add_row(*(f"{getattr(metrics, key):.3f}" for key in names))
    each = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("class", "precision", "recall", "F1", "rows"):
        each.add_column(title, justify="left" if title == "class" else "right", overflow="fold")
    for (label, f1), count in zip(metrics.f1.items(), rows, strict=True):
        numbers = (metrics.precision[label], metrics.recall[label], f1)
        each.add_row(Text(label), *(f"{number:.3f}" for number in numbers), str(count))
    console = Console()
    console.print(whole, "", each, sep="\n")


if __name__ == "__main__":
    exit_codes.leave(main)
