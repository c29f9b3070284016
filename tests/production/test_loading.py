"""A model is loaded exactly as it was trained, or not at all; no code in its files is executed."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mhc.errors import Conflict, MhcError, NotFound, Unreadable
from mhc.inference.predictor import Predictor
from mhc.model.weights import labels_of
from mhc.production import loading
from mhc.production.measure import checkpoint_flaw
from mhc.runs import checkpoints, store
from tests.support.builders import LABELS, a_run
from tests.support.trained import ID, MAX_TOKENS, a_bundle, a_network, a_trained_run, some_texts


@pytest.fixture(params=["encoder", "bag"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return a_trained_run(tmp_path / "outputs", request.param)


def change_record(run: Path, **changes: object) -> None:
    """Change the run's record on the disk, without the checks of the store."""
    values = json.loads((run / "run.json").read_bytes())
    (run / "run.json").write_text(json.dumps(values | changes))


def test_run_is_loaded_with_the_weights_of_its_best_checkpoint(run: Path) -> None:
    loaded = loading.from_run(run)
    state = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert loaded.labels == list(LABELS)
    assert (loaded.name, loaded.max_tokens, loaded.temperature) == (ID, MAX_TOKENS, 1.0)
    assert not loaded.network.training
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, state[f"network.{name}"])


def test_loading_does_not_change_the_random_state_of_torch(run: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    loading.from_run(run)
    assert torch.equal(torch.rand(3), expected)


def test_bundle_has_the_probabilities_of_its_run(run: Path, tmp_path: Path) -> None:
    folder = a_bundle(tmp_path / "models" / "production" / "tiny_v1", run)
    texts = some_texts(20)
    _, expected = Predictor(loading.from_run(run), precision="fp32")(texts)
    _, probabilities = Predictor(loading.from_bundle(folder), precision="fp32")(texts)
    assert abs(probabilities - expected).max() < 1e-6


def test_temperature_of_a_bundle_is_applied(run: Path, tmp_path: Path) -> None:
    warm = Predictor(loading.from_bundle(a_bundle(tmp_path / "warm", run, temperature=3.0)), precision="fp32")
    plain = Predictor(loading.from_run(run), precision="fp32")
    texts = some_texts(20)
    assert warm(texts)[0] == plain(texts)[0]
    assert (warm(texts)[1].max(axis=1) < plain(texts)[1].max(axis=1)).all()
    assert abs(warm.raw(texts) - plain.raw(texts)).max() < 1e-6


def test_run_is_found_by_folder_and_by_beginning_of_its_id(tmp_path: Path, run: Path) -> None:
    outputs = tmp_path / "outputs"
    assert loading.find_run(outputs, str(run)) == run
    assert loading.find_run(tmp_path / "elsewhere", str(run)) == run
    assert loading.find_run(outputs, ID) == run
    assert loading.find_run(outputs, "tin") == run
    with pytest.raises(NotFound, match="No run 'nope'"):
        loading.find_run(outputs, "nope")
    a_run(outputs, "tiny_20261120_130000_ffff")
    with pytest.raises(Conflict, match="2 runs match 'tiny'"):
        loading.find_run(outputs, "tiny")


def test_missing_bundle_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No bundle and no alias 'champion'"):
        loading.find_bundle(tmp_path / "models", "champion")
    with pytest.raises(NotFound, match="There is no bundle"):
        loading.from_bundle(tmp_path / "nothing")


def cut_checkpoint(run: Path) -> None:
    path = run / "checkpoints" / "best.ckpt"
    path.write_bytes(path.read_bytes()[:-100])


def cut_before_recording(run: Path) -> None:
    cut_checkpoint(run)
    path = run / "checkpoints" / "best.ckpt"
    change_record(run, checkpoint={"path": "checkpoints/best.ckpt", "sha256": checkpoints.sha256(path), "bytes": 1})


def other_weights(run: Path) -> None:
    path = run / "checkpoints" / "best.ckpt"
    torch.save({"state_dict": {"network.other": torch.ones(3)}}, path)
    change_record(run, checkpoint={"path": "checkpoints/best.ckpt", "sha256": checkpoints.sha256(path), "bytes": 1})


def config(text: str) -> Callable[[Path], object]:
    return lambda run: (run / ".hydra" / "config.yaml").write_text(text)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (cut_checkpoint, "does not have the recorded sha256"),
        (cut_before_recording, "cannot be read: .*cut short"),
        (other_weights, "do not fit the network"),
        (lambda run: (run / "checkpoints" / "best.ckpt").unlink(), "is missing"),
        (lambda run: change_record(run, checkpoint=None), "has no recorded checkpoint: it is completed"),
        (lambda run: change_record(run, data=None), "has no recorded labels"),
        (lambda run: shutil.rmtree(run / "tokenizer"), "There is no tokenizer"),
        (lambda run: (run / "tokenizer" / "tokenizer.json").write_text("{"), r"tokenizer\.json cannot be read"),
        (lambda run: (run / ".hydra" / "config.yaml").unlink(), "which describes the network"),
        (config("model: [1"), "cannot be read"),
        (config("model: {name: x}"), "does not describe the network"),
        (config("model: {network: {_target_: mhc.no.such}, tokenizer: {max_tokens: 8}}"), "cannot be built again"),
        (lambda run: (run / "run.json").write_text("{"), "torn or is not JSON"),
    ],
    ids=[
        *("cut", "cut before it was recorded", "other weights", "no file", "no checkpoint", "no labels"),
        *("no tokenizer", "torn tokenizer", "no config", "torn config", "no network", "unknown network", "torn record"),
    ],
)
def test_damaged_run_is_reported_in_one_sentence(
    damage: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    run = a_trained_run(tmp_path / "outputs")
    damage(run)
    with pytest.raises(MhcError, match=sentence) as caught:
        loading.from_run(run)
    assert "\n" not in str(caught.value)


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("exploded",)


def test_checkpoint_with_code_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = a_trained_run(tmp_path / "outputs")
    path = run / "checkpoints" / "best.ckpt"
    torch.save({"state_dict": {}, "bomb": Bomb()}, path)
    change_record(run, checkpoint={"path": "checkpoints/best.ckpt", "sha256": checkpoints.sha256(path), "bytes": 1})
    with pytest.raises(Unreadable, match="of another kind"):
        loading.from_run(run)
    assert not (tmp_path / "exploded").exists()


def change_a_byte(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def add_a_pickle(folder: Path) -> None:
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr("data.pkl", b"cos\nmkdir\n(S'exploded'\ntR.")


@pytest.mark.parametrize(
    "damage",
    [
        change_a_byte,
        add_a_pickle,
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "checksums.sha256").unlink(),
        lambda folder: (folder / "calibration.json").write_text('{"temperature": 9}'),
    ],
    ids=["flipped byte", "pickle", "no weights", "no checksums", "temperature"],
)
def test_changed_bundle_is_not_used(damage: Callable[[Path], object], tmp_path: Path, run: Path) -> None:
    folder = a_bundle(tmp_path / "bundle", run)
    damage(folder)
    with pytest.raises(Unreadable, match="is not as it was promoted"):
        loading.from_bundle(folder)


def test_label_names_are_read_in_the_order_of_the_outputs() -> None:
    many = {str(number): f"label {number}" for number in range(12)}
    assert labels_of({"id2label": many}, None) == [f"label {number}" for number in range(12)]
    with pytest.raises(Unreadable, match="no label names"):
        labels_of({"id2label": {"0": "a", "2": "b"}}, None)


def test_tokenizer_is_the_saved_one(run: Path, tmp_path: Path) -> None:
    loading.from_run(run).tokenizer.save_pretrained(str(tmp_path / "again"))
    name = "ngrams.json" if (run / "tokenizer" / "ngrams.json").exists() else "tokenizer.json"
    assert json.loads((tmp_path / "again" / name).read_bytes()) == json.loads((run / "tokenizer" / name).read_bytes())


def test_networks_of_these_tests_distinguish_texts(run: Path) -> None:
    kind = "bag" if (run / "tokenizer" / "ngrams.json").exists() else "encoder"
    assert a_network(kind, Predictor(loading.from_run(run)).encode) is not None
    labels, _ = Predictor(loading.from_run(run))(some_texts(100))
    assert len(set(labels)) > 1


@pytest.mark.parametrize("way", ["parent", "absolute", "link", "linked folder"])
def test_checkpoint_outside_of_the_run_is_not_loaded(tmp_path: Path, way: str) -> None:
    run = a_trained_run(tmp_path / "outputs")
    outside = tmp_path / "outputs" / "elsewhere"
    shutil.copytree(run / "checkpoints", outside)
    paths = {"parent": "../elsewhere/best.ckpt", "absolute": str(outside / "best.ckpt")}
    if way == "link":
        (run / "checkpoints" / "best.ckpt").unlink()
        (run / "checkpoints" / "best.ckpt").symlink_to(outside / "best.ckpt")
    if way == "linked folder":
        shutil.rmtree(run / "checkpoints")
        (run / "checkpoints").symlink_to(outside)
    checkpoint = json.loads((run / "run.json").read_bytes())["checkpoint"]
    change_record(run, checkpoint=checkpoint | {"path": paths.get(way, "checkpoints/best.ckpt")})
    with pytest.raises(Unreadable, match=r"is outside of the run's folder .* It is not read"):
        loading.from_run(run)
    assert "is outside of the run's folder" in (checkpoint_flaw(run, store.read(run)) or "")


@pytest.mark.parametrize("names", [{}, {"0": "sad"}])
def test_a_config_of_fewer_than_two_labels_is_refused(names: dict[str, str]) -> None:
    with pytest.raises(Unreadable, match="a classifier has at least 2"):
        labels_of({"id2label": names}, Path("config.json"))
