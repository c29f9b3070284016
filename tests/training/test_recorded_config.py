"""The config of a run is recorded without credentials, and a resume asks for them again."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from omegaconf import DictConfig, OmegaConf

from mhc.distributed import MASKED
from mhc.errors import BadConfig
from mhc.runs import store
from mhc.training import recorded_config
from mhc.training.config import register_config
from mhc.training.resume import recorded_config as config_of
from mhc.training.resume import requested_action
from tests.support.programs import ROOT, run

ID = "attention_20261120_120000_a1b2"
FAST = ("model=micro", "trainer=cpu", "model.epochs=1", "data.rows=300", "paths.outputs=outputs", "paths.models=models")


def train(home: Path, *words: str) -> tuple[int, str]:
    """Return the exit code of `python -m mhc.train`, and what it printed."""
    done = run("mhc.train", *words, cwd=home, environment={"MHC_CACHE": str(home / "cache")})
    return done.returncode, done.stdout + done.stderr


def places_of(needle: str, folder: Path) -> list[str]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [str(path.relative_to(folder)) for path in paths if needle.encode() in path.read_bytes()]


def a_config(**values: object) -> DictConfig:
    return OmegaConf.create({"paths": {"run": None, "outputs": "outputs"}, **values})


def test_credentials_are_never_written_and_references_stay(tmp_path: Path) -> None:
    cfg = a_config(
        tracker={"api_key": "PLANTED", "uri": "https://ada:PLANTED@host/x", "token": "${oc.env:TOKEN}", "tokens": 5},
        name="${model.name}", model={"name": "a"}, lr="1e-3",
    )  # fmt: skip
    recorded_config.write_config(tmp_path, cfg)
    assert places_of("PLANTED", tmp_path) == []
    written = OmegaConf.load(tmp_path / ".hydra" / "config.yaml")
    assert OmegaConf.to_container(written, resolve=False) == {
        **OmegaConf.to_container(cfg, resolve=False),  # type: ignore[dict-item]
        "tracker": {"api_key": recorded_config.redaction.MASK, "uri": "https://***masked***@host/x",
                    "token": "${oc.env:TOKEN}", "tokens": 5},
    }  # fmt: skip


def test_resume_asks_for_a_masked_value_and_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ID
    folder.mkdir()
    cfg = a_config(tracker={"api_key": "PLANTED"}, note="https://ada:PLANTED@host")
    recorded_config.write_config(folder, cfg)
    with pytest.raises(BadConfig, match=rf"tracker.api_key of {ID} is masked.*resume={ID} tracker.api_key=<value>"):
        config_of(folder, {"resume": ID})
    assert config_of(folder, {"resume": ID, "tracker.api_key": "again"}).tracker.api_key == "again"
    assert recorded_config.credentials(cfg) == {"tracker.api_key": "PLANTED"}
    monkeypatch.setenv(MASKED, '{"tracker.api_key": "PLANTED"}')  # of rank 0, in a further rank
    assert config_of(folder, {}).tracker.api_key == "PLANTED"


def test_only_a_masked_value_can_be_given_again(tmp_path: Path) -> None:
    folder = tmp_path / ID
    folder.mkdir()
    recorded_config.write_config(folder, a_config(tracker={"api_key": "${oc.env:KEY}"}))
    assert requested_action([f"resume={ID}", "tracker.api_key=other"]) is not None
    with pytest.raises(BadConfig, match="is not masked in its record, and cannot be changed"):
        config_of(folder, {"resume": ID, "tracker.api_key": "other"})
    with pytest.raises(BadConfig, match="cannot be combined with 'seed=1'"):
        requested_action([f"resume={ID}", "seed=1"])


def test_jobs_of_a_sweep_get_their_masked_values_back() -> None:
    words = ["model=micro", f"+tracker.api_key={recorded_config.redaction.MASK}"]
    assert recorded_config.restore_overrides(words, {"tracker.api_key": "again"}, "s_sweep") == [
        "model=micro",
        "+tracker.api_key=again",
    ]
    with pytest.raises(BadConfig, match=r"tracker.api_key is masked in multirun.yaml of s_sweep"):
        recorded_config.restore_overrides(words, {}, "s_sweep")


def test_hydra_accepts_the_mask_as_a_value() -> None:
    from hydra import compose, initialize_config_dir

    register_config()
    with initialize_config_dir(config_dir=str(ROOT / "conf"), version_base="1.3"):
        words = [f"+tracker.api_key={recorded_config.redaction.MASK}", "paths.outputs=x"]
        assert compose("train", overrides=words).tracker.api_key == recorded_config.redaction.MASK


@pytest.mark.slow
def test_sweep_leaves_no_credential_on_the_disk(tmp_path: Path) -> None:
    needle = uuid4().hex  # a word that no file of the code has: the uncommitted changes of it are recorded
    code, printed = train(tmp_path, "--multirun", *FAST, f"+tracker.api_key={needle}", "seed=1,2", "test=false")
    assert code == 0, printed
    assert places_of(needle, tmp_path) == []
    assert needle not in printed
    [plan] = tmp_path.glob("outputs/*_sweep/multirun.yaml")
    assert "+tracker.api_key=***masked***" in plan.read_text()
    for record in map(store.read, (path.parent for path in tmp_path.glob("outputs/*_sweep/*/run.json"))):
        assert "+tracker.api_key=***masked***" in record.lineage.overrides


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["name='a\nb'"], "The name of the run (name=) has a line break"),
        (["note='a\udcffb'"], "The note (note=) has bytes that are not UTF-8"),
        ([f"tags=[{'x' * 81}]"], "A tag (tags=) has 81 characters. Give at most 80"),
    ],
)
def test_text_that_cannot_be_recorded_is_one_sentence(tmp_path: Path, words: list[str], sentence: str) -> None:
    code, printed = train(tmp_path, *FAST, *words)
    assert (code, sentence in printed, "a bug in mhc" in printed) == (1, True, False)
