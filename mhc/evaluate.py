"""Score a run or a bundle on a split, and save the evidence: `python -m mhc.evaluate run=attention_v3 split=test`.

`evaluate(loaded, texts)` scores texts in memory, for example an older champion on the current test set.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
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

SUMMARY = """Score a run or a bundle on a split, and save the evidence: its prediction for every example (never a text).

  python -m mhc.evaluate run=attention_v3 split=test
  python -m mhc.evaluate bundle=champion data=files data.train=train.csv data.test=new.csv output=champion_new.npz

Without data= a run is scored on the data it was trained with; data.<key>= overrides the config, as in training.
The scores are those of the probabilities that mhc.predict gives; of a bundle, which has a temperature, those without
it are shown as well. The evidence, always without a temperature, goes to output=. Without output=, it is saved only
for a run on its own data, in the folder of the run."""

KEYS = {
    **arguments.MODEL_KEYS,
    "data": "an option of conf/data: synthetic, files, huggingface [the run's own]",
    "data.<key>": "any value of the data's config, such as data.test=new.csv",
    "split": "train, val or test [test]",
    "output": "the evidence to write, such as new_test.npz",
    **arguments.HARDWARE_KEYS,
    **arguments.FOLDER_KEYS,
    "paths.cache": "folder of the data cache [.cache]",
}


def evaluate(
    loaded: Loaded, texts: Sequence[str], precision: str = "auto", device: str = "auto"
) -> NDArray[np.float32]:
    """Return the probabilities [n, k] of normalised texts, without the temperature."""
    from mhc.inference.predictor import Predictor

    return Predictor(loaded, precision=precision, device=device).raw(texts)


def main() -> None:
    """Run the command line."""
    words = sys.argv[1:]
    if arguments.asks_for_help(words):
        sys.stdout.write(arguments.usage(SUMMARY, KEYS) + "\n")
        return
    overrides = [word for word in words if word.startswith(("data.", "+data."))]
    try:
        values = arguments.parse([word for word in words if word not in overrides], KEYS)
        kind = arguments.one_of(values, "run", "bundle")
        if kind == "bundle" and not values.get("data"):
            raise BadConfig("Give the data for a bundle: data=files data.train=... data.test=...")
        if values.get("split", "test") not in ("train", "val", "test"):
            raise BadConfig(f"split={values['split'][:40]} is not one of train, val, test")
    except BadConfig as error:
        sys.exit(exit_codes.write_stderr(str(error), 2))
    score(values, overrides)


def score(values: dict[str, str], overrides: list[str]) -> None:
    """Load the model and the data; score, save the evidence, and print the metrics."""
    from mhc.production import loading

    split, models = values.get("split", "test"), arguments.folder(values, "models", os.environ)
    check_output(values.get("output"), models)
    run = (
        loading.find_run(arguments.folder(values, "outputs", os.environ), values["run"]) if values.get("run") else None
    )
    cfg = config_of(run, values, overrides)
    loaded = loading.from_run(run) if run else load_bundle(models, values)
    if values.get("data"):
        clean_as_in_training(cfg, loaded, overrides)
    corpus = corpus_of(cfg, split)
    labels = align_labels(loaded.labels, corpus.about.labels, np.asarray(corpus.label_ids(split), np.int64))
    texts = list(corpus.texts(split))
    probabilities = evaluate(loaded, texts, values.get("precision", "auto"), values.get("device", "auto"))
    default = run / "evaluation" / f"{split}.npz" if run and not overrides and not values.get("data") else None
    path = Path(values["output"]) if values.get("output") else default
    if path is not None:
        write_evidence(path, texts, labels, probabilities, loaded.labels, models)
    counts = np.bincount(labels, minlength=len(loaded.labels)).tolist()
    rows = dict(zip(loaded.labels, counts, strict=True))
    print_metrics(split, metrics_of(split, labels, probabilities, loaded), rows)
    exit_codes.write_stderr(
        f"Evidence of {len(texts):,} rows: {path}"
        if path
        else "The evidence was not saved. Save it with output=FILE.npz",
        0,
    )


def load_bundle(models: Path, values: Mapping[str, str]) -> Loaded:
    """Return the model of bundle= (and task=)."""
    from mhc.production import loading

    return loading.from_bundle(*loading.find_bundle(models, values["bundle"], values.get("task") or None))


def clean_as_in_training(cfg: DictConfig, loaded: Loaded, overrides: Sequence[str]) -> None:
    """Mask and mend texts if the model was trained on such texts, unless the command line sets it."""
    for key, value in (("mask", masks(loaded)), ("repair", loaded.repairs)):
        if not any(f"data.cleaning.{key}=" in word for word in overrides):
            cfg.data.cleaning[key] = value


def masks(loaded: Loaded) -> bool:
    """Return whether the model masks the texts that it is given, so that it is scored on what it was trained for."""
    return loaded.encoder().masks


def metrics_of(
    split: str, labels: NDArray[np.int64], probabilities: NDArray[np.float32], loaded: Loaded
) -> dict[str, Metrics]:
    """Return the metrics of what the model serves, first, and without its temperature, if it has one; by title."""
    from mhc.metrics import measure
    from mhc.model.calibration import apply_temperature

    raw = measure(labels, probabilities, loaded.labels)
    if loaded.temperature == 1:
        return {split: raw}
    served = measure(labels, apply_temperature(probabilities, loaded.temperature), loaded.labels)
    return {f"{split}, as served": served, f"{split}, temperature 1": raw}


def check_output(output: str | None, models: Path) -> None:
    """Check where the evidence goes, and that production is intact: the key of the evidence is in the models folder.

    Raises:
        BadInput: if the file does not end in .npz.
        Refused: if the file belongs to production.
        Unreadable: if the ledger was changed, or does not agree with the bundles.
    """
    from mhc.production import bundle, consistency

    if output:
        if not output.endswith(".npz"):
            raise BadInput(f"output={output[:200]} must end in .npz, the format of evidence. Rename it")
        bundle.refuse_output(Path(output), models)
    consistency.require(models)


def config_of(run: Path | None, values: dict[str, str], overrides: list[str]) -> DictConfig:
    """Return the config of the data: that of the run, or one composed as for a training.

    Raises:
        BadConfig: if an override has a key that the data of the run does not have.
    """
    from mhc.production import loading

    if values.get("data") or run is None:
        from hydra import compose, initialize_config_dir

        from mhc.training import config

        config.register_config()
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            cfg = compose("train", overrides=[f"data={values['data']}", *overrides])
    else:
        cfg = loading.recorded_model(run)
        for word in overrides:
            _override(cfg, word)
    cfg.paths.cache = str(arguments.folder(values, "cache", os.environ))
    return cfg


def _override(cfg: DictConfig, word: str) -> None:
    from omegaconf import OmegaConf
    from yaml import safe_load

    key, _, value = word.partition("=")
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent)
    if node is None or name not in node:
        raise BadConfig(f"There is no key {key[:60]!r} in the data of the run. It has: {', '.join(map(str, cfg.data))}")
    OmegaConf.update(cfg, key, safe_load(value))


def corpus_of(cfg: DictConfig, split: str) -> Corpus:
    """Return the data, cleaned and split as for a training, without a tokenizer and without importing Lightning.

    Raises:
        BadInput: if the data cannot be used, or does not have the split.
    """
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from mhc.data import corpus, options

    values = OmegaConf.to_container(cfg.data, resolve=True)
    assert isinstance(values, dict)
    data = corpus.ensure(
        instantiate(cfg.data.source, _convert_="all"),
        options.read(values["cleaning"], options.Cleaning, "data.cleaning"),
        options.read(values["splitting"], options.Splitting, "data.splitting"),
        {str(value): str(name) for value, name in (values.get("label_names") or {}).items()},
        values["near_duplicates"],
        Path(cfg.paths.cache),
    )
    if split not in data.splits:
        raise BadInput(f"The data has no split {split!r}. It has: {', '.join(data.splits)}")
    return data


def align_labels(model: Sequence[str], data: Sequence[str], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return [n] indices into the labels of the model, from indices into those of the data.

    Raises:
        BadInput: if the split has a label that the model does not have.
    """
    unknown = [data[label] for label in np.unique(labels).tolist() if data[label] not in model]
    if unknown:
        raise BadInput(f"The data has the label {unknown[0]!r}, but the model has only {', '.join(model)}")
    order = np.array([model.index(name) if name in model else -1 for name in data], np.int64)
    return order[labels]


def write_evidence(
    path: Path,
    texts: Sequence[str],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    names: Sequence[str],
    models: Path,
) -> None:
    """Write the evidence: ids, labels and probabilities of the examples."""
    from mhc.runs import evidence

    key = evidence.key(models)
    ids = np.frombuffer(b"".join(evidence.example_id(text, key) for text in texts), np.uint8)
    evidence.write(path, ids.reshape(-1, evidence.ID_BYTES), labels, probabilities, names)


def print_metrics(split: str, metrics: Mapping[str, Metrics], rows: Mapping[str, int]) -> None:
    """Print the metrics of the split by title, and those of each class with its number of rows."""
    from rich.console import Console

    from mhc.report.tables import class_table, metrics_table, rich_table

    overall, classes = metrics_table(metrics), class_table(split, next(iter(metrics.values())), rows)
    Console().print(rich_table(overall), "", rich_table(classes), sep="\n")


if __name__ == "__main__":
    exit_codes.run_and_exit(main, result=True)
