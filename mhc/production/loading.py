"""A model to predict with, from where mhc keeps models: the folder of a run, or a bundle.

A run's configuration says which of our functions builds its network, so a run's folder is trusted as the code is. A
bundle may come from anywhere: it is checked, and nothing in it is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mhc.data import ngrams
from mhc.errors import MhcError, NotFound, Unreadable
from mhc.model.weights import Loaded, checkpoint_weights, fill, json_object, labels_of, safe_weights
from mhc.production import bundle, ledger, state
from mhc.record import RunRecord
from mhc.runs import checkpoints, folders, resolve, store

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import nn


def find_run(outputs: Path, said: str) -> Path:
    """Return the folder of a run: by a path to it, or by the beginning of its id.

    Raises:
        NotFound, Conflict: there is none, or several.
    """
    return Path(said) if folders.holds_record(said) else resolve.find(outputs, said)


def find_bundle(models: Path, said: str) -> tuple[Path, str | None]:
    """Return the folder of a bundle, and the sha256 of its checksums as the ledger has it.

    `said` is a name, an alias, or a path (which no ledger vouches for: None).

    Raises:
        NotFound, Conflict: there is none, or the alias means several.
        Unreadable: the ledger cannot be believed.
    """
    if "/" in said:
        return Path(said), None
    found = state.resolve(state.fold(ledger.believed(models)), said)
    return bundle.place(models, found.name), found.checksums


def from_run(folder: Path) -> Loaded:
    """Load the best checkpoint of a run, checked against the sha256 on its record.

    Raises:
        NotFound: the run has no checkpoint, or a file of it is gone.
        Unreadable: the record, the checkpoint, the tokenizer or the configuration is damaged.
    """
    record = store.read(folder)
    labels = record.data.labels if record.data else []
    path = checkpoint_of(folder, record)
    if not labels:
        raise NotFound(f"The run {record.id} has no labels on record: it is {record.status}. Choose another run")
    tokenizer_folder = _tokenizer_folder(folder / "tokenizer")
    cfg = recorded_model(folder)
    max_tokens = int(cfg.model.tokenizer.max_tokens)
    shape = folder / "network"
    empty = _shaped(shape) if shape.is_dir() else _network(cfg, labels, tokenizer_folder, max_tokens)
    network = fill(empty, checkpoint_weights(path), path)
    return Loaded(
        network=network, tokenizer_folder=tokenizer_folder, labels=labels, max_tokens=max_tokens, name=record.id
    )


def checkpoint_of(folder: Path, record: RunRecord) -> Path:
    """Return the run's best checkpoint, whole as it was recorded.

    Raises:
        NotFound: there is none.
        Unreadable: its bytes are not those on record.
    """
    if record.checkpoint is None:
        raise NotFound(f"The run {record.id} has no checkpoint on record: it is {record.status}. Choose another run")
    path = folder / record.checkpoint.path
    if not path.is_file():
        raise NotFound(f"The checkpoint {path} of run {record.id} is gone. Bring the file back, or choose another run")
    if checkpoints.sha256(path) != record.checkpoint.sha256:
        raise Unreadable(
            f"The checkpoint {path} is not the one on record (its sha256 differs): it was cut short or changed. "
            "Bring the original back, or choose another run"
        )
    return path


def recorded_model(folder: Path) -> DictConfig:
    """Return the configuration that the run was trained with.

    Raises:
        NotFound, Unreadable: it was not kept, or is damaged.
    """
    from omegaconf import DictConfig, OmegaConf
    from yaml import YAMLError

    path = folder / ".hydra" / "config.yaml"
    try:
        cfg = OmegaConf.load(path)
    except FileNotFoundError:
        raise NotFound(f"There is no {path}, which says how the network is built. Choose another run") from None
    except (OSError, YAMLError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read ({type(error).__name__}). Choose another run") from error
    if not isinstance(cfg, DictConfig) or OmegaConf.select(cfg, "model.network._target_") is None:
        raise Unreadable(f"{path} does not say how the network is built (model.network). Choose another run")
    return cfg


def _shaped(folder: Path) -> nn.Module:
    """Build an encoder without its weights from the config that its training kept; the same, wherever it came from.

    Raises:
        Unreadable: the config is damaged.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    try:
        with torch.random.fork_rng(devices=[]):
            config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
            network: nn.Module = AutoModelForSequenceClassification.from_config(config, attn_implementation="sdpa")
    except (OSError, ValueError, KeyError) as error:
        raise Unreadable(f"{folder} cannot be read ({type(error).__name__}). Choose another run") from error
    return network


def _network(cfg: DictConfig, labels: list[str], tokenizer_folder: Path, max_tokens: int) -> nn.Module:
    """Build the network without its weights; torch's random numbers are left as they were."""
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
            f"({cfg.model.network.get('_target_')}). Use the version of mhc that trained it"
        ) from error
    return network


def _tokenizer_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise NotFound(f"There is no tokenizer in {folder}: the run ended before it was kept. Choose another run")
    return folder


def from_bundle(folder: Path, checksums: str | None = None) -> Loaded:
    """Load a bundle after checking every file of it against its checksums, and these against `checksums`.

    Raises:
        NotFound: there is no such folder.
        Unreadable: it is not what was sealed, or could do harm.
    """
    if not folder.is_dir():
        raise NotFound(f"There is no bundle {folder}. See what there is with: mhc champion")
    bundle.must_be_whole(folder, checksums)
    config = json_object(folder / "config.json")
    labels = labels_of(config, folder / "config.json")
    linear = (folder / ngrams.FILE).is_file()  # ours, not one of transformers
    return Loaded(
        network=_linear(folder, labels) if linear else _transformer(folder),
        tokenizer_folder=folder,
        labels=labels,
        max_tokens=_max_tokens(folder),
        temperature=_temperature(folder),
        name=folder.name,
    )


def _transformer(folder: Path) -> nn.Module:
    """Build the network from its config; transformers' own loader, 30 times slower, is for names that differ only."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    path = folder / bundle.WEIGHTS
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        with torch.random.fork_rng(devices=[]):
            network: nn.Module = AutoModelForSequenceClassification.from_config(config, attn_implementation="sdpa")
    except (OSError, ValueError, KeyError) as error:
        raise Unreadable(f"The bundle {folder} cannot be built by transformers ({type(error).__name__})") from error
    weights = safe_weights(path)
    if set(weights) == set(network.state_dict()):
        return fill(network.float(), weights, path)
    return _by_transformers(folder)


def _by_transformers(folder: Path) -> nn.Module:
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    from mhc.model.log_filters import quieten

    quieten()
    logging.disable_progress_bar()
    try:
        network: nn.Module = AutoModelForSequenceClassification.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            attn_implementation="sdpa",
            dtype="float32",
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise Unreadable(f"The bundle {folder} cannot be loaded by transformers ({type(error).__name__})") from error
    return network.eval()


def _linear(folder: Path, labels: list[str]) -> nn.Module:
    from mhc.data.ngrams import NgramTokenizer
    from mhc.model.linear import bag

    path = folder / bundle.WEIGHTS
    network = bag(len(labels), NgramTokenizer.from_pretrained(folder).buckets, NgramTokenizer.pad_token_id, labels)
    return fill(network, safe_weights(path), path)


def _max_tokens(folder: Path) -> int:
    """Return the longest text of a bundle, as its tokenizer says."""
    ours = folder / ngrams.FILE
    path, key = (ours, "max_tokens") if ours.is_file() else (folder / "tokenizer_config.json", "model_max_length")
    said = json_object(path).get(key)
    if not isinstance(said, int) or not 0 < said < 1_000_000:
        raise Unreadable(f"{path} does not say how long a text may be ({key})")
    return said


def _temperature(folder: Path) -> float:
    path = folder / bundle.CALIBRATION
    said = json_object(path).get("temperature") if path.is_file() else 1.0
    if not isinstance(said, int | float) or not 0 < said < 1_000:
        raise Unreadable(f"{path} holds no temperature")
    return float(said)
