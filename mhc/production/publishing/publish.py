"""Copy a bundle to a folder or any URL of fsspec, to a Hugging Face repository, or to an MLflow registry.

Each target needs its own package (fsspec with the protocol's driver, huggingface_hub, mlflow); an error names a missing
one. A bundle is checked before it is copied, and its new address is recorded in the ledger. A target is empty, or has
nothing but what mhc published there; it is never inside a models folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol

from mhc import redaction, user_text
from mhc.errors import BadConfig, BadInput, Conflict
from mhc.production import aliases, bundle, consistency
from mhc.production.api import Registry
from mhc.production.publishing import target as publish_target
from mhc.production.state import Bundle


class Publisher(Protocol):
    """A function that copies a bundle to one kind of target."""

    def __call__(self, folder: Path, source: Bundle, to: str, names: list[str], *, public: bool) -> str:
        """Copy the bundle in `folder` with the aliases `names`, and return its address; `public` is for the Hub."""


def publish(registry: Registry, name: str, to: str, *, by: str, reason: str, public: bool = False) -> str:
    """Copy the bundle `name` to `to`, record that in the ledger, and return its address without credentials.

    Raises:
        BadInput: if the author or the reason is missing, or the address cannot be used.
        BadConfig: if the package for the target is missing.
        NotFound: if there is no such bundle.
        Conflict: if the target has this bundle already, or files that are not mhc's.
        Refused: if the target is inside a models folder.
        Unreadable: if the bundle is not as it was promoted, or the ledger does not agree with the models folder.
    """
    user_text.require_author("Publishing", by, reason)
    consistency.require(registry.models)
    source = registry.resolve(name)
    folder = registry.folder(source.name)
    task_aliases = registry.state().aliases.get(source.task, {})
    names = sorted(alias for alias, bundle_name in task_aliases.items() if bundle_name == source.name)
    address = redaction.text(_publisher(to)(folder, source, to, names, public=public))
    aliases.note_published(registry.models, source.name, address, by=by, reason=reason, policy=registry.policy)
    return address


def check(registry: Registry, name: str, to: str) -> str:
    """Return the name of the bundle, after checking all that can be checked without writing.

    Raises:
        BadInput: if the address cannot be used.
        Conflict: if the target has this bundle already, or files that are not mhc's.
        Refused: if the target is inside a models folder.
        Unreadable: if the bundle is not as it was promoted, or the ledger does not agree with the models folder.
    """
    consistency.require(registry.models)
    source = registry.resolve(name)
    folder = registry.folder(source.name)
    if _publisher(to) is to_folder:
        publish_target.open_folder(folder, source, to, _package("fsspec", "fsspec"))
    return source.name


def _publisher(to: str) -> Publisher:
    if to.startswith("hf://"):
        return to_hugging_face
    return to_mlflow if to.startswith("mlflow:") else to_folder


def to_folder(folder: Path, source: Bundle, to: str, names: list[str], *, public: bool) -> str:
    """Copy the files to `<to>/<name>`, checksums last: a copy without them is not complete.

    Raises:
        BadInput: if fsspec cannot use the address, or copying fails.
        Conflict: if the target has this bundle already, or files that are not mhc's.
        Refused: if the target is inside a models folder.
    """
    system, target = publish_target.open_folder(folder, source, to, _package("fsspec", "fsspec"))
    try:
        for file in [*sorted(set(bundle.files(folder)) - {bundle.CHECKSUMS}), bundle.CHECKSUMS]:
            system.makedirs(f"{target}/{file}".rpartition("/")[0], exist_ok=True)
            system.put_file(str(folder / file), f"{target}/{file}")
    except OSError as problem:
        raise BadInput(f"{source.name} could not be copied to {to}: {problem}") from problem
    return str(system.unstrip_protocol(target))


def to_hugging_face(folder: Path, source: Bundle, to: str, names: list[str], *, public: bool) -> str:
    """Upload to the model repository `hf://owner/name` in one commit, tagged with the bundle's name.

    Raises:
        BadInput: if the address is not that of a repository, or uploading fails.
        Conflict: if the repository has files, but none of a bundle.
    """
    hub = _package("huggingface_hub", "huggingface_hub")
    repository = to.removeprefix("hf://").strip("/")
    if repository.count("/") != 1:
        raise BadInput(f"{to} is not a repository. Write hf://owner/name")
    api = hub.HfApi()
    try:
        api.create_repo(repository, private=not public, exist_ok=True)
        _refuse_foreign_repository(api.list_repo_files(repository), to)
        api.upload_folder(repo_id=repository, folder_path=str(folder), commit_message=f"Publish {source.name}")
        api.create_tag(repository, tag=source.name)
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as problem:
        raise BadInput(f"{source.name} could not be published to {to}: {type(problem).__name__}") from problem
    return f"hf://{repository}@{source.name}"


def _refuse_foreign_repository(files: Sequence[str], to: str) -> None:
    """Refuse a repository with files that no bundle has brought there."""
    foreign = sorted(set(files) - {".gitattributes"})
    if foreign and bundle.PROMOTION not in files:
        raise Conflict(f"{to} has files, but none of mhc's bundles: {', '.join(foreign[:3])}. Choose a new repository")


def to_mlflow(folder: Path, source: Bundle, to: str, names: list[str], *, public: bool) -> str:
    """Register the files as a version of the MLflow model `mlflow:NAME`, with the bundle's aliases.

    The server is set by MLflow's own variables: MLFLOW_TRACKING_URI, MLFLOW_REGISTRY_URI.

    Raises:
        BadInput: if MLflow refuses.
        Conflict: if the model has versions that are not mhc's.
    """
    mlflow = _package("mlflow", "mhc[mlflow]")
    model = bundle.checked_name(to.removeprefix("mlflow:").strip("/") or source.name)
    client = mlflow.MlflowClient()
    try:
        if any("bundle" not in version.tags for version in client.search_model_versions(f"name = '{model}'")):
            raise Conflict(f"The MLflow model {model} has versions that are no bundles of mhc. Choose another name")
        with mlflow.start_run(run_name=source.name) as run:
            mlflow.log_artifacts(str(folder), artifact_path="bundle")
        if not client.search_registered_models(f"name = '{model}'"):
            client.create_registered_model(model)
        artifacts = f"{run.info.artifact_uri}/bundle"
        tags = {"bundle": source.name, "forced": str(source.forced), "checksums": source.checksums}
        version = client.create_model_version(model, artifacts, run.info.run_id, tags=tags).version
        for alias in names:
            client.set_registered_model_alias(model, alias, version)
    except (OSError, mlflow.exceptions.MlflowException) as problem:
        raise BadInput(f"{source.name} could not be published to {to}: {problem}") from problem
    return f"models:/{model}/{version}"


def _package(module: str, install: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as problem:
        raise BadConfig(
            f"Publishing to this target needs a package that is not installed. Install it with: pip install '{install}'"
        ) from problem
