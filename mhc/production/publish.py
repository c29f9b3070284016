"""Copy a bundle to where others use it: a folder or any URL of fsspec, a Hugging Face repository, an MLflow registry.

Each way needs its own package (fsspec with the protocol's driver, huggingface_hub, mlflow); one that is missing is
said by name. A bundle is checked before it leaves, and where it went stands in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from mhc.errors import BadConfig, BadInput, Conflict
from mhc.production import aliases, bundle
from mhc.production.api import Registry
from mhc.production.state import Bundle

Send = Callable[[Path, Bundle, str, list[str], bool], str]
"""Called with folder, bundle, address, its aliases, and whether everybody may see it; returns where it lies."""


def publish(registry: Registry, name: str, to: str, *, by: str, reason: str, public: bool = False) -> str:
    """Copy the bundle `name` to `to`, put that on record, and return where it lies.

    Raises:
        BadInput: where nobody or no reason is named, or the address cannot be used.
        BadConfig: where the package for it is missing.
        Conflict: where something lies there already.
        Unreadable: where the bundle is not what was promoted.
    """
    if not by.strip() or not reason.strip():
        raise BadInput("Publishing needs who does it and why: --by NAME --reason 'WHY'")
    found = registry.resolve(name)
    folder = registry.folder(found.name)
    mine = registry.state().aliases.get(found.task, {})
    names = sorted(alias for alias, meant in mine.items() if meant == found.name)
    where = _way(to)(folder, found, to, names, public)
    aliases.note_published(registry.models, found.name, where, by=by, why=reason, policy=registry.policy)
    return where


def _way(to: str) -> Send:
    if to.startswith("hf://"):
        return to_hugging_face
    return to_mlflow if to.startswith("mlflow:") else to_folder


def to_folder(folder: Path, found: Bundle, to: str, names: list[str], public: bool) -> str:
    """Copy the files to `<to>/<name>`, checksums last: a copy without them is not finished."""
    fsspec = _package("fsspec", "fsspec")
    try:
        system, path = fsspec.core.url_to_fs(to)
    except (ValueError, ImportError) as problem:
        raise BadInput(f"{to} is no address that fsspec knows: {problem}") from problem
    target = f"{path.rstrip('/')}/{found.name}"
    if system.exists(f"{target}/{bundle.CHECKSUMS}"):
        raise Conflict(f"{to} holds {found.name} already; a published bundle is never overwritten")
    try:
        for one in [*sorted(set(bundle.files(folder)) - {bundle.CHECKSUMS}), bundle.CHECKSUMS]:
            system.makedirs(f"{target}/{one}".rpartition("/")[0], exist_ok=True)
            system.put_file(str(folder / one), f"{target}/{one}")
    except OSError as problem:
        raise BadInput(f"{found.name} could not be copied to {to}: {problem}") from problem
    return str(system.unstrip_protocol(target))


def to_hugging_face(folder: Path, found: Bundle, to: str, names: list[str], public: bool) -> str:
    """Upload to the model repository `hf://owner/name` in one commit, tagged with the bundle's name."""
    hub = _package("huggingface_hub", "huggingface_hub")
    repository = to.removeprefix("hf://").strip("/")
    if repository.count("/") != 1:
        raise BadInput(f"{to} is no repository; write hf://owner/name")
    api = hub.HfApi()
    try:
        api.create_repo(repository, private=not public, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=str(folder), commit_message=f"Publish {found.name}")
        api.create_tag(repository, tag=found.name)
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as problem:
        raise BadInput(f"{found.name} could not be published to {to}: {type(problem).__name__}") from problem
    return f"hf://{repository}@{found.name}"


def to_mlflow(folder: Path, found: Bundle, to: str, names: list[str], public: bool) -> str:
    """Register the files as a version of the MLflow model `mlflow:NAME`, with the bundle's aliases.

    The server is MLflow's own affair: MLFLOW_TRACKING_URI, MLFLOW_REGISTRY_URI.
    """
    mlflow = _package("mlflow", "mhc[mlflow]")
    model = to.removeprefix("mlflow:").strip("/") or found.name
    client = mlflow.MlflowClient()
    try:
        with mlflow.start_run(run_name=found.name) as run:
            mlflow.log_artifacts(str(folder), artifact_path="bundle")
        if not client.search_registered_models(f"name = '{bundle.checked_name(model)}'"):
            client.create_registered_model(model)
        source = f"{run.info.artifact_uri}/bundle"
        tags = {"bundle": found.name, "forced": str(found.forced), "checksums": found.checksums}
        version = client.create_model_version(model, source, run.info.run_id, tags=tags).version
        for alias in names:
            client.set_registered_model_alias(model, alias, version)
    except (OSError, mlflow.exceptions.MlflowException) as problem:
        raise BadInput(f"{found.name} could not be published to {to}: {problem}") from problem
    return f"models:/{model}/{version}"


def _package(module: str, install: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as problem:
        raise BadConfig(f"Publishing there needs a package that is not installed: pip install '{install}'") from problem
