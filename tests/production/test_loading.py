"""A model comes back as it was trained, or not at all; nothing in its files is run."""

import json
import os
import shutil
import zipfile

import pytest
import torch

from mhc.errors import Conflict, MhcError, NotFound, Unreadable
from mhc.inference.predictor import Predictor
from mhc.model.weights import labels_of
from mhc.production import loading
from mhc.runs import checkpoints
from tests.support.builders import LABELS, a_run
from tests.support.trained import ID, MAX_TOKENS, a_bundle, a_network, a_trained_run, some_texts


@pytest.fixture(params=["encoder", "bag"])
def run(request, tmp_path):
    return a_trained_run(tmp_path / "outputs", request.param)


def recorded(run, **changes):
    """Change the run's record on the disk, as a hostile or careless person might."""
    values = json.loads((run / "run.json").read_bytes())
    (run / "run.json").write_text(json.dumps(values | changes))


def test_a_run_is_loaded_with_the_weights_of_its_best_checkpoint(run):
    loaded = loading.from_run(run)
    state = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert loaded.labels == list(LABELS)
    assert (loaded.name, loaded.max_tokens, loaded.temperature) == (ID, MAX_TOKENS, 1.0)
    assert not loaded.network.training
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, state[f"network.{name}"])


def test_loading_leaves_the_random_numbers_of_torch_as_they_were(run):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    loading.from_run(run)
    assert torch.equal(torch.rand(3), wanted)


def test_a_bundle_says_what_its_run_says(run, tmp_path):
    folder = a_bundle(tmp_path / "models" / "production" / "tiny_v1", run)
    texts = some_texts(20)
    _, wanted = Predictor(loading.from_run(run), precision="fp32")(texts)
    _, found = Predictor(loading.from_bundle(folder), precision="fp32")(texts)
    assert abs(found - wanted).max() < 1e-6


def test_the_temperature_of_a_bundle_is_applied(run, tmp_path):
    warm = Predictor(loading.from_bundle(a_bundle(tmp_path / "warm", run, temperature=3.0)), precision="fp32")
    plain = Predictor(loading.from_run(run), precision="fp32")
    texts = some_texts(20)
    assert warm(texts)[0] == plain(texts)[0]
    assert (warm(texts)[1].max(axis=1) < plain(texts)[1].max(axis=1)).all()
    assert abs(warm.raw(texts) - plain.raw(texts)).max() < 1e-6


def test_a_run_is_found_by_folder_by_id_and_by_the_beginning_of_its_id(tmp_path, run):
    outputs = tmp_path / "outputs"
    assert loading.find_run(outputs, str(run)) == run
    assert loading.find_run(tmp_path / "elsewhere", str(run)) == run
    assert loading.find_run(outputs, ID) == run
    assert loading.find_run(outputs, "tin") == run
    with pytest.raises(NotFound, match="No run 'nope'"):
        loading.find_run(outputs, "nope")
    a_run(outputs, "tiny_20261120_130000_ffff")
    with pytest.raises(Conflict, match="2 runs fit 'tiny'"):
        loading.find_run(outputs, "tiny")


def test_a_bundle_that_nobody_promoted_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="No bundle and no alias 'champion'"):
        loading.find_bundle(tmp_path / "models", "champion")
    with pytest.raises(NotFound, match="There is no bundle"):
        loading.from_bundle(tmp_path / "nothing")


def cut_checkpoint(run):
    path = run / "checkpoints" / "best.ckpt"
    path.write_bytes(path.read_bytes()[:-100])


def cut_and_recorded(run):
    cut_checkpoint(run)
    path = run / "checkpoints" / "best.ckpt"
    recorded(run, checkpoint={"path": "checkpoints/best.ckpt", "sha256": checkpoints.sha256(path), "bytes": 1})


def other_weights(run):
    path = run / "checkpoints" / "best.ckpt"
    torch.save({"state_dict": {"network.other": torch.ones(3)}}, path)
    recorded(run, checkpoint={"path": "checkpoints/best.ckpt", "sha256": checkpoints.sha256(path), "bytes": 1})


def config(text):
    return lambda run: (run / ".hydra" / "config.yaml").write_text(text)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (cut_checkpoint, "is not the one on record"),
        (cut_and_recorded, "cannot be read .*cut short"),
        (other_weights, "do not fit the network"),
        (lambda run: (run / "checkpoints" / "best.ckpt").unlink(), "is gone"),
        (lambda run: recorded(run, checkpoint=None), "has no checkpoint on record: it is completed"),
        (lambda run: recorded(run, data=None), "has no labels on record"),
        (lambda run: shutil.rmtree(run / "tokenizer"), "There is no tokenizer"),
        (lambda run: (run / "tokenizer" / "tokenizer.json").write_text("{"), "is not a tokenizer"),
        (lambda run: (run / ".hydra" / "config.yaml").unlink(), "says how the network is built"),
        (config("model: [1"), "cannot be read"),
        (config("model: {name: x}"), "does not say how the network is built"),
        (config("model: {network: {_target_: mhc.no.such}, tokenizer: {max_tokens: 8}}"), "cannot be built again"),
        (lambda run: (run / "run.json").write_text("{"), "torn or is not JSON"),
    ],
    ids=[
        *("cut", "cut before it was recorded", "other weights", "no file", "no checkpoint", "no labels"),
        *("no tokenizer", "torn tokenizer", "no config", "torn config", "no network", "unknown network", "torn record"),
    ],
)
def test_a_damaged_run_is_said_so_in_one_sentence(damage, sentence, tmp_path):
    run = a_trained_run(tmp_path / "outputs")
    damage(run)
    with pytest.raises(MhcError, match=sentence) as caught:
        loading.from_run(run)
    assert "\n" not in str(caught.value)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_a_checkpoint_that_holds_code_is_not_loaded_and_does_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = a_trained_run(tmp_path / "outputs")
    path = run / "checkpoints" / "best.ckpt"
    torch.save({"state_dict": {}, "bomb": Bomb()}, path)
    recorded(run, checkpoint={"path": "checkpoints/best.ckpt", "sha256": checkpoints.sha256(path), "bytes": 1})
    with pytest.raises(Unreadable, match="none of mhc"):
        loading.from_run(run)
    assert not (tmp_path / "exploded").exists()


def change_a_byte(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def pickle_beside(folder):
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr("data.pkl", b"cos\nmkdir\n(S'exploded'\ntR.")


@pytest.mark.parametrize(
    "damage",
    [
        change_a_byte,
        pickle_beside,
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "checksums.sha256").unlink(),
        lambda folder: (folder / "calibration.json").write_text('{"temperature": 9}'),
    ],
    ids=["flipped byte", "pickle", "no weights", "no checksums", "temperature"],
)
def test_a_bundle_that_is_not_what_was_sealed_is_not_used(damage, tmp_path, run):
    folder = a_bundle(tmp_path / "bundle", run)
    damage(folder)
    with pytest.raises(Unreadable, match="is not what was promoted"):
        loading.from_bundle(folder)


def test_label_names_are_read_in_the_order_of_the_outputs():
    many = {str(number): f"label {number}" for number in range(12)}
    assert labels_of({"id2label": many}, None) == [f"label {number}" for number in range(12)]
    with pytest.raises(Unreadable, match="no label names"):
        labels_of({"id2label": {"0": "a", "2": "b"}}, None)


def test_the_tokenizer_is_the_one_that_was_kept(run, tmp_path):
    loading.from_run(run).tokenizer.save_pretrained(str(tmp_path / "again"))
    kept = "ngrams.json" if (run / "tokenizer" / "ngrams.json").exists() else "tokenizer.json"
    assert json.loads((tmp_path / "again" / kept).read_bytes()) == json.loads((run / "tokenizer" / kept).read_bytes())


def test_the_builder_of_these_tests_makes_networks_that_tell_texts_apart(run):
    kind = "bag" if (run / "tokenizer" / "ngrams.json").exists() else "encoder"
    assert a_network(kind, Predictor(loading.from_run(run)).encode) is not None
    labels, _ = Predictor(loading.from_run(run))(some_texts(100))
    assert len(set(labels)) > 1
