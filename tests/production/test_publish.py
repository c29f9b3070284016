from __future__ import annotations

from pathlib import Path

import pytest

from mhc.errors import BadConfig, BadInput, Conflict, Unreadable
from mhc.production import bundle, publish
from mhc.production.api import Registry
from mhc.production.decision import Request
from mhc.production.promote import promote
from tests.support.promotions import NOW, World, a_trained_run, policy


@pytest.fixture
def registry(world: World, folders: tuple[Path, Path]) -> Registry:
    run = a_trained_run(*folders, world)
    promote(Request(run=run, by="ada", reason="x"), outputs=folders[0], models=folders[1], policy=policy(), now=NOW)
    return Registry(folders[1], folders[0])


@pytest.mark.parametrize("protocol", ["", "file://"])
def test_published_copy_is_intact_and_recorded(registry: Registry, tmp_path: Path, protocol: str) -> None:
    target = tmp_path / "elsewhere"
    address = publish.publish(registry, "champion", f"{protocol}{target}", by="ada", reason="for the clinic")
    assert address == f"file://{target}/attention_v1"
    assert bundle.flaws(target / "attention_v1", registry.champion().checksums) == []
    last = registry.history()[-1]
    assert (last.what, last.bundle, last.to, last.by) == ("published", "attention_v1", address, "ada")


def test_published_copy_is_never_overwritten(registry: Registry, tmp_path: Path) -> None:
    publish.publish(registry, "champion", str(tmp_path / "there"), by="ada", reason="x")
    with pytest.raises(Conflict, match="has attention_v1 already"):
        publish.publish(registry, "champion", str(tmp_path / "there"), by="ada", reason="x")


def test_changed_bundle_is_not_published(registry: Registry, tmp_path: Path) -> None:
    (registry.models / "production" / "attention_v1" / "README.md").write_text("better than it is")
    with pytest.raises(Unreadable, match=r"is not as it was promoted: README.md was changed"):
        publish.publish(registry, "champion", str(tmp_path / "there"), by="ada", reason="x")
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("to", ["hf://nobody", "hf://a/b/c", "nonsense://x/y"])
def test_invalid_address_is_refused(registry: Registry, to: str) -> None:
    with pytest.raises(BadInput, match=r"is not (a repository|an address)"):
        publish.publish(registry, "champion", to, by="ada", reason="x")


def test_missing_package_is_named() -> None:
    with pytest.raises(BadConfig, match=r"pip install 'mhc\[nothing\]'"):
        publish._package("no_such_module_of_ours", "mhc[nothing]")


def test_mlflow_registry_gets_a_version_with_the_alias(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="an extra: pip install 'mhc[mlflow]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    address = publish.publish(registry, "champion", "mlflow:classifier", by="ada", reason="x")
    assert address == "models:/classifier/1"
    version = mlflow.MlflowClient().get_model_version_by_alias("classifier", "champion")
    assert version.tags["checksums"] == registry.champion().checksums
