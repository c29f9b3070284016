from __future__ import annotations

from pathlib import Path

import pytest

from mhc.errors import BadConfig, BadInput, Conflict, Refused, Unreadable
from mhc.production import bundle
from mhc.production.api import Registry
from mhc.production.decision import Request
from mhc.production.promote import promote
from mhc.production.publishing import publish
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


def publish_to(registry: Registry, to: str | Path) -> str:
    return publish.publish(registry, "champion", str(to), by="ada", reason="for the clinic")


def test_file_of_another_person_in_the_target_is_kept(registry: Registry, tmp_path: Path) -> None:
    readme = tmp_path / "there" / "attention_v1" / "README.md"
    readme.parent.mkdir(parents=True)
    readme.write_text("mine")
    with pytest.raises(Conflict, match=r"has files that are not of attention_v1: README.md. Choose an empty folder"):
        publish_to(registry, tmp_path / "there")
    assert readme.read_text() == "mine"
    assert [path.name for path in readme.parent.iterdir()] == ["README.md"]
    assert registry.history()[-1].what == "promoted"


def test_object_of_another_person_in_a_remote_target_is_kept(registry: Registry) -> None:
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.pipe("/shared/attention_v1/README.md", b"mine")
    with pytest.raises(Conflict, match=r"has files that are not of attention_v1: README.md"):
        publish_to(registry, "memory://shared")
    assert system.cat("/shared/attention_v1/README.md") == b"mine"
    system.rm("/shared", recursive=True)
    assert publish_to(registry, "memory://shared") == "memory:///shared/attention_v1"
    system.rm("/shared", recursive=True)


def test_link_in_the_target_is_not_written_through(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_bytes((registry.models / "production" / "attention_v1" / "README.md").read_bytes())
    (tmp_path / "there" / "attention_v1").mkdir(parents=True)
    (tmp_path / "there" / "attention_v1" / "README.md").symlink_to(tmp_path / "mine.md")
    with pytest.raises(Conflict, match="has files that are not of"):
        publish_to(registry, tmp_path / "there")


def test_copy_that_a_kill_cut_off_is_completed(registry: Registry, tmp_path: Path) -> None:
    folder, copy = registry.models / "production" / "attention_v1", tmp_path / "there" / "attention_v1"
    copy.mkdir(parents=True)
    (copy / "README.md").write_bytes((folder / "README.md").read_bytes())
    (copy / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:100])
    publish_to(registry, tmp_path / "there")
    assert bundle.flaws(copy, registry.champion().checksums) == []


@pytest.mark.parametrize("place", ["models", "models/production", "models/production/attention_v1", "other", "link"])
def test_nothing_is_published_into_a_models_folder(registry: Registry, tmp_path: Path, place: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ledger.jsonl").write_text("")
    (tmp_path / "link").symlink_to(registry.models / "production" / "attention_v1")
    with pytest.raises(Refused, match=r"is in the models folder .*, which only a promotion changes"):
        publish_to(registry, tmp_path / place)
    with pytest.raises(Refused, match="is in the models folder"):
        publish.check(registry, "champion", str(tmp_path / place))
    assert registry.verify().ok


def test_repository_of_another_person_is_refused() -> None:
    publish._refuse_foreign_repository([".gitattributes"], "hf://ada/x")
    publish._refuse_foreign_repository([".gitattributes", "README.md", "promotion.json"], "hf://ada/x")
    with pytest.raises(Conflict, match=r"hf://ada/x has files, but none of mhc's bundles: README.md"):
        publish._refuse_foreign_repository([".gitattributes", "README.md"], "hf://ada/x")
