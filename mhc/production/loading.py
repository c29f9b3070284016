"""Load a model for prediction, from the folder of a run or from a bundle.

The configuration of a run names the function that builds its network, so a run's folder is trusted like code. A bundle
may have any origin: it is checked, and nothing in it is executed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mhc import files
from mhc.data import ngrams
from mhc.data.embedding import tokenizer as embedding
from mhc.data.options import LongTexts
from mhc.data.tfidf import tokenizer as tfidf
from mhc.errors import MhcError, NotFound, Unreadable
from mhc.model.weights import Loaded, checkpoint_weights, fill, json_object, labels_of, safe_weights
from mhc.production import bundle, ledger, linear_bundle, state
from mhc.production.embedding import embedding_bundle
from mhc.production.encoders import encoder_bundle
from mhc.production.ensemble import folder as members
from mhc.record import RECORD_FILE, RunRecord
from mhc.runs import checkpoints, folders, resolve, store

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import nn

    from mhc.model.ensemble import Ensemble
    from mhc.model.tfidf.model import TfidfModel


def find_run(outputs: Path, run: str) -> Path:
    """Return the folder of a run, given its path or the beginning of its id.

    Raises:
        NotFound: if there is none.
        Conflict: if there are several.
    """
    return Path(run) if folders.has_record(run) else resolve.find(outputs, run)


def find_bundle(models: Path, name: str, task: str | None = None) -> tuple[Path, str | None]:
    """Return the folder of a bundle, and the sha256 of its checksums in the ledger.

    `name` is a name, an alias (of the task, or of the first task that has it), or a path; the sha256 of a path is None,
    because no ledger has it.

    Raises:
        NotFound: if there is none.
        Unreadable: if the ledger is damaged or was changed.
    """
    if "/" in name:
        return Path(name), None
    entry = state.resolve(state.fold(ledger.verified_entries(models)), name, task)
    return bundle.folder_of(models, entry.name), entry.checksums


def from_run(folder: Path) -> Loaded:
    """Load the best checkpoint of a run, checked against the recorded sha256.

    Raises:
        NotFound: if the run has no checkpoint, or one of its files is missing.
        Unreadable: if the record, the checkpoint, the tokenizer or the configuration is damaged.
    """
    from mhc.model.tfidf.network import TfidfLinear

    record = store.read(folder)
    if record.ensemble:
        return _ensemble_of_run(folder, record)
    labels = record.data.labels if record.data else []
    path = checkpoint_of(folder, record)
    if not labels:
        raise NotFound(f"The run {record.id} has no recorded labels: it is {record.status}. Choose another run")
    tokenizer_folder = _tokenizer_folder(folder / "tokenizer")
    cfg = recorded_model(folder)
    own_length = (tokenizer_folder / embedding.FILE).is_file()  # it may be less than that of the config
    max_tokens = _max_tokens(tokenizer_folder) if own_length else int(cfg.model.tokenizer.max_tokens)
    config = folder / "network"
    if embedding_bundle.has_config(config):
        empty = embedding_bundle.empty_network(config, labels, tokenizer_folder)
    elif config.is_dir():
        empty = encoder_bundle.empty_network(config)
    else:
        empty = _build_network(cfg, labels, tokenizer_folder, max_tokens)
    filled = _filled(empty, path, cfg.model.network)
    network = filled.model() if isinstance(filled, TfidfLinear) else filled
    return Loaded(
        network=network,
        tokenizer_folder=tokenizer_folder,
        labels=labels,
        max_tokens=max_tokens,
        reading=_reading(cfg),
        name=record.id,
        repairs=record.data is not None and record.data.repaired,
    )


def _ensemble_of_run(folder: Path, record: RunRecord) -> Loaded:
    """Load the members that the run has copies of, checked against their checksums."""
    checksums = checkpoint_of(folder, record)
    bundle.require_intact(checksums.parent, checkpoints.sha256(checksums))
    return replace(_from_folder(checksums.parent, record.id), repairs=record.data is not None and record.data.repaired)


def checkpoint_of(folder: Path, record: RunRecord) -> Path:
    """Return the path of the run's best checkpoint, after checking its sha256.

    Raises:
        NotFound: if there is none.
        Unreadable: if it does not have the recorded sha256, or is outside of the run's folder.
    """
    if record.checkpoint is None:
        raise NotFound(f"The run {record.id} has no recorded checkpoint: it is {record.status}. Choose another run")
    path = checkpoints.recorded(folder, record.checkpoint.path)
    try:
        with files.reading(f"The checkpoint {path}", "Restore the file, or choose another run"):
            sha256 = checkpoints.sha256(path)
    except FileNotFoundError:
        raise NotFound(
            f"The checkpoint {path} of run {record.id} is missing. Restore the file, or choose another run"
        ) from None
    if sha256 != record.checkpoint.sha256:
        raise Unreadable(
            f"The checkpoint {path} does not have the recorded sha256: it was cut short or changed. "
            "Restore the original, or choose another run"
        )
    return path


def recorded_model(folder: Path) -> DictConfig:
    """Return the configuration that the run was trained with.

    Raises:
        NotFound: if there is none.
        Unreadable: if it is damaged.
    """
    from omegaconf import DictConfig, OmegaConf

    path = folder / ".hydra" / "config.yaml"
    try:
        with files.reading(path, "Choose another run"):
            cfg = OmegaConf.create(files.yaml_text(path))
            target = OmegaConf.select(cfg, "model.network._target_")
    except FileNotFoundError:
        raise NotFound(f"There is no {path}, which describes the network. Choose another run") from None
    if not isinstance(cfg, DictConfig) or target is None:
        raise Unreadable(f"{path} does not describe the network (model.network). Choose another run")
    return cfg


def _reading(cfg: DictConfig) -> LongTexts:
    """Return how the run reads long texts; runs recorded before there was a choice cut them."""
    options, names = cfg.model.tokenizer, LongTexts.__struct_fields__
    return LongTexts(**{name: options[name] for name in names if options.get(name) is not None})


def _filled(empty: nn.Module, path: Path, options: DictConfig) -> nn.Module:
    """Return the network with the weights of a checkpoint; adapters are merged into them.

    Raises:
        BadConfig: if the run has adapters, and peft is not installed.
        Unreadable: if the weights do not fit the network.
    """
    if options.get("lora") is None:
        return fill(empty, checkpoint_weights(path), path)
    import torch

    from mhc.model.adaptation import lora
    from mhc.model.adaptation.preparation import prepare

    with torch.random.fork_rng(devices=[]):
        adapters = lora.read(dict(options.lora))
        if not lora.has_adapters(empty):
            prepare(empty, freeze_layers=options.get("freeze_layers", 0), adapters=adapters)
    return lora.merged(fill(empty, checkpoint_weights(path), path))


def _build_network(cfg: DictConfig, labels: list[str], tokenizer_folder: Path, max_tokens: int) -> nn.Module:
    """Build the network without its weights from the run's configuration; torch's random state is unchanged.

    Raises:
        MhcError: of the function that builds the network.
        Unreadable: if that function does not exist any more, or has other parameters.
    """
    import torch
    from hydra.errors import HydraException
    from hydra.utils import instantiate

    from mhc.data.tokenizer import Encoder
    from mhc.model.log_filters import quieten

    quieten()
    encoder = Encoder(tokenizer_folder, max_tokens)
    try:
        with torch.random.fork_rng(devices=[]):
            factory = instantiate(cfg.model.network, _convert_="all")
            network: nn.Module = factory(
                num_labels=len(labels), vocab_size=encoder.vocab_size, pad_id=encoder.pad_id, labels=labels
            )
    except HydraException as error:
        if isinstance(error.__cause__, MhcError):
            raise error.__cause__ from None
        raise Unreadable(
            f"The network of {cfg.model.get('name', 'the run')} cannot be built again from its configuration "
            f"({cfg.model.network.get('_target_')}). Use the version of mhc that trained it, and put the folder of a "
            "class of your own on PYTHONPATH"
        ) from error
    return network


def _tokenizer_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise NotFound(f"There is no tokenizer in {folder}: the run ended before it was saved. Choose another run")
    return folder


def from_bundle(folder: Path, checksums: str | None = None) -> Loaded:
    """Load a bundle after checking its files against its checksums, and their sha256 against `checksums` if given.

    Raises:
        NotFound: if there is no such folder.
        Unreadable: if it is not intact, or could do harm.
    """
    if not folder.is_dir():
        raise NotFound(f"There is no bundle {folder}. List the champions with: mhc champion")
    bundle.require_intact(folder, checksums)
    return _from_folder(folder, folder.name)


def _from_folder(folder: Path, name: str) -> Loaded:
    """Load a bundle, or a member of an ensemble, whose files have been checked."""
    config = json_object(folder / "config.json")
    labels = labels_of(config, folder / "config.json")
    network: nn.Module | TfidfModel | Ensemble
    if members.is_ensemble(config):
        network = ensemble = members.read(folder, labels, lambda part: _from_folder(part, part.name))
        longest = max(member.encoder().max_tokens for member in ensemble.members)
    else:
        network, longest = _network(folder, labels), _max_tokens(folder)
    return Loaded(
        network=network,
        tokenizer_folder=folder,
        labels=labels,
        max_tokens=longest,
        reading=encoder_bundle.reading_of(folder),
        temperature=_temperature(folder),
        name=name,
        repairs=_repairs(folder),
    )


def _repairs(folder: Path) -> bool:
    """Return whether the data of the bundle's run was mended, by its record."""
    data = store.read(folder).data if (folder / RECORD_FILE).is_file() else None
    return data is not None and data.repaired


def _network(folder: Path, labels: list[str]) -> nn.Module | TfidfModel:
    """Return a network of mhc or of transformers; the tokenizer's file tells which."""
    if (folder / embedding.FILE).is_file():
        return embedding_bundle.read(folder, labels)
    if (folder / tfidf.FILE).is_file():
        return linear_bundle.read(folder, labels)
    return _bag(folder, labels) if (folder / ngrams.FILE).is_file() else encoder_bundle.read(folder)


def _bag(folder: Path, labels: list[str]) -> nn.Module:
    from mhc.data.ngrams import NgramTokenizer
    from mhc.model.linear import bag

    path = folder / bundle.WEIGHTS
    network = bag(len(labels), NgramTokenizer.from_pretrained(folder).buckets, NgramTokenizer.pad_token_id, labels)
    return fill(network, safe_weights(path), path)


def _max_tokens(folder: Path) -> int:
    """Return the maximal number of tokens of a text, from the bundle's tokenizer."""
    bags = [folder / name for name in (embedding.FILE, ngrams.FILE, tfidf.FILE) if (folder / name).is_file()]
    path, key = (bags[0], "max_tokens") if bags else (folder / "tokenizer_config.json", "model_max_length")
    value = json_object(path).get(key)
    if not isinstance(value, int) or not 0 < value < 1_000_000:
        raise Unreadable(f"{path} has no valid maximal length of a text ({key})")
    return value


def _temperature(folder: Path) -> float:
    path = folder / bundle.CALIBRATION
    value = json_object(path).get("temperature") if path.is_file() else 1.0
    if not isinstance(value, int | float) or not 0 < value < 1_000:
        raise Unreadable(f"{path} has no valid temperature")
    return float(value)
