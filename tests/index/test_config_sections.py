"""Sections of configs: read once, as OmegaConf reads them, with references resolved and secrets masked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mhc.index import config_sections
from mhc.index.index import Index
from mhc.index.records import config_names, record_dicts
from mhc.policy import load
from tests.support.builders import a_run

RECORDED = Path(__file__).parents[1] / "recorded" / "project" / "outputs"


def config_of(text: str) -> dict[str, object]:
    return {section.name: json.loads(section.json) for section in config_sections.sections_of(text)}


def index_of(tmp_path: Path) -> Index:
    return Index(tmp_path / "outputs", tmp_path / "models", lambda: load().liveness)


@pytest.mark.parametrize("folder", sorted(path.parent.parent for path in RECORDED.rglob("config.yaml")), ids=str)
def test_recorded_config_is_read_as_omegaconf_reads_it(folder: Path) -> None:
    text = (folder / ".hydra" / "config.yaml").read_text()
    sections = config_of(text)
    config = OmegaConf.create(text)
    assert sections["model"]["optimizer"] == OmegaConf.to_container(config.model.optimizer, resolve=True)
    assert sections["trainer"] == OmegaConf.to_container(config.trainer, resolve=True)
    assert sections["data"]["batching"] == OmegaConf.to_container(config.data.batching, resolve=True)
    assert sections.keys() == config.keys()


def test_numbers_are_those_of_omegaconf() -> None:
    text = "a: 1e-4\nb: 1.0e-05\nc: 1_000\nd: '1e-4'\ne: .5\nf: 3E2\ng: 1e5x\nh: -2e-3\ni: 1.2.3\nj: 'no'\nk: 0x10\n"
    assert config_of(text) == OmegaConf.to_container(OmegaConf.create(text))


def test_references_to_single_values_are_resolved() -> None:
    config = config_of(
        "a: {b: 3, c: '${.b}', d: '${a.c}', e: 'x/${a.b}/${a.none}', none: null}\n"
        "f: ${a.b}\ng: ${a}\nh: ${oc.env:HOME}\ni: ${j}\nj: ${i}\nk: ${missing}\nl: ${flag}\nflag: true\n"
    )
    assert config["a"] == {"b": 3, "c": 3, "d": 3, "e": "x/3/${a.none}", "none": None}
    assert [config[name] for name in "fghijkl"] == [3, "${a}", "${oc.env:HOME}", "${j}", "${i}", "${missing}", True]


def test_equal_values_of_other_types_are_told_apart() -> None:
    configs = [config_of(f"a: ${{b}}\nb: {value}\n") for value in ("1", "1.0", "true")]
    assert [type(config["a"]) for config in configs] == [int, float, bool]


@pytest.mark.parametrize(
    "text",
    ["a: 1\n- b\n", "a: &x 1\nb: *x\n", "[" * 200_000, "- " * 200_000, "a: [1", "text", "a: 1\nb\n", "\0", "a: \ud800"],
    ids=lambda text: ascii(text)[:20],
)
def test_config_that_cannot_be_read_is_replaced(tmp_path: Path, text: str) -> None:
    folder = a_run(tmp_path / "outputs", model="medium")
    (folder / ".hydra" / "config.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    (record,) = record_dicts(index_of(tmp_path), index_of(tmp_path).rows())
    assert record["config"] == {"model": "medium"}


def test_odd_values_are_stored_as_text() -> None:
    text = "a: 2026-11-20\nb: .nan\nc: 99999999999999999999\n1: 2\nd: {3: {x: 1}}\ntags:\n- b\n- c\n"
    assert config_of(text) == {
        "a": "2026-11-20", "b": "nan", "c": "99999999999999999999", "1": 2, "d": {"3": {"x": 1}},
        "tags": ["b", "c"],
    }  # fmt: skip


def test_secrets_of_configs_and_overrides_are_not_indexed(tmp_path: Path) -> None:
    secret = "s3cr3t-Value-77"
    folder = a_run(tmp_path / "outputs", "old_20261120_120000_0001")
    record = json.loads((folder / "run.json").read_text())
    record["lineage"]["overrides"] = [f"logger.wandb.api_key={secret}"]
    record["lineage"]["command"] = ["python", "-m", "mhc.train", f"logger.wandb.api_key={secret}"]
    record["sweep"] = {"id": "s", "job": 0, "overrides": [f"logger.wandb.api_key={secret}"]}
    (folder / "run.json").write_text(json.dumps(record))
    config = (
        f"logger: {{wandb: {{api_key: {secret}, project: x}}}}\nurl: https://ada:{secret}@host/x\ntoken: {secret}\n"
    )
    (folder / ".hydra" / "config.yaml").write_text(f"{config}max_tokens: 128\n")
    index = index_of(tmp_path)
    (shown,) = record_dicts(index, index.rows())
    assert secret not in json.dumps(shown)
    assert (shown["config"]["max_tokens"], shown["config"]["logger"]["wandb"]["project"]) == (128, "x")
    assert secret.encode() not in (tmp_path / "outputs" / ".index.sqlite").read_bytes()


def test_equal_sections_are_stored_once(tmp_path: Path) -> None:
    for number in range(20):
        a_run(tmp_path / "outputs", f"run_20261120_120000_{number:04x}", seed=number % 2)
    index = index_of(tmp_path)
    names = [name for (name,) in index.query("SELECT name FROM sections ORDER BY name")]
    assert names == ["model", "seed", "seed", "trainer"]
    assert sorted(config_names(index).own) == [
        ("model", "name"), ("model", "optimizer", "lr"), ("seed",), ("trainer", "max_epochs"),
    ]  # fmt: skip


def test_config_is_read_again_when_its_record_changes(tmp_path: Path) -> None:
    folder = a_run(tmp_path / "outputs")
    assert index_of(tmp_path).rows()
    (folder / ".hydra" / "config.yaml").write_text("seed: 7\n")
    (folder / "run.json").write_bytes((folder / "run.json").read_bytes() + b"\n")
    index = index_of(tmp_path)
    assert record_dicts(index, index.rows())[0]["config"] == {"seed": 7}


def test_bundle_has_the_config_of_its_run(tmp_path: Path) -> None:
    bundle = tmp_path / "models" / "production" / "champion"
    bundle.parent.mkdir(parents=True)
    a_run(tmp_path).rename(bundle)
    (bundle / ".hydra" / "config.yaml").rename(bundle / "training.yaml")
    index = index_of(tmp_path)
    assert record_dicts(index, index.rows())[0]["config"]["model"]["optimizer"] == {"lr": 0.0003}
