"""Build the folder of a bundle from a run: network, tokenizer, evidence, record, card, checksums, and the proof."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mhc.errors import MhcError, Unreadable
from mhc.production import bundle, decision, export, gates, model_card, rescore
from mhc.production.decision import Anchor, ConsistencyCheck, PromotionRecord, Request
from mhc.production.export import Trained
from mhc.production.ledger import Writer
from mhc.record import Gate, RunRecord
from mhc.runs import store


def load_run(folder: Path) -> Trained:
    """The run's network with the best weights, and its tokenizer."""
    from mhc.production.loading import from_run

    return from_run(folder)


def texts_of_run(folder: Path, split: str) -> Sequence[str]:
    """The normalised texts of a split of the run's data, read again as its config says.

    Raises:
        MhcError: where the data cannot be read any more.
    """
    from hydra.errors import HydraException
    from hydra.utils import instantiate

    from mhc.production.loading import recorded_model

    try:
        datamodule = instantiate(recorded_model(folder).data, _convert_="all")
    except HydraException as problem:
        raise Unreadable(f"the data of {folder} cannot be read again: {problem.__cause__ or problem}") from problem
    datamodule.prepare()
    return list(datamodule.normalised_texts(split))


class RunSources(msgspec.Struct, frozen=True, kw_only=True):
    """The functions that load the model and the texts of a run."""

    load: Callable[[Path], Trained] = load_run
    texts: Callable[[Path, str], Sequence[str]] = texts_of_run


def near_copies(run: Path, similarity: float, sources: RunSources) -> int | None:
    """Count the test rows that are near copies of a train row; None where the texts cannot be read any more."""
    from mhc.data.leakage import near_duplicates

    try:
        return len(near_duplicates(list(sources.texts(run, "train")), list(sources.texts(run, "test")), similarity))
    except (MhcError, OSError):
        return None


def anchor(writer: Writer) -> Anchor:
    """The head of the ledger, to be kept in the bundle."""
    return Anchor(seq=len(writer.entries), head=writer.head)


def build(
    folder: Path, request: Request, decided: PromotionRecord, record: RunRecord, models: Path, sources: RunSources
) -> tuple[PromotionRecord, str]:
    """Build the bundle in `folder`; return what was decided, with the proof, and the sha256 of its checksums.

    The proof is the last gate. With `force` a bundle that cannot be checked goes on; one that is wrong never does.

    Raises:
        Unreadable: where the run cannot be loaded, or the bundle does not say what the run said.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with export.silent():
            return _built(folder, request, decided, record, models, sources)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _built(
    folder: Path, request: Request, decided: PromotionRecord, record: RunRecord, models: Path, sources: RunSources
) -> tuple[PromotionRecord, str]:
    trained = sources.load(request.run)
    temperature = decided.scores.temperature if decided.scores else None
    export.write(trained, folder, temperature or 1.0)
    bundle.seal(folder)
    check = rescore.check_consistency(folder, request.run, trained, temperature or 1.0, models, sources.texts)
    gate = _consistency_gate(check, request)
    decided = replace(
        decided,
        standalone=export.standalone(trained),
        max_tokens=trained.max_tokens,
        proof=check,
        gates=[*decided.gates, gate],
        forced=bool(gates.refusals([*decided.gates, gate])),
    )
    if request.onnx:
        _add_onnx(folder)
    _copy(request.run, folder)
    (folder / bundle.PROMOTION).write_bytes(decision.encode(decided))
    (folder / bundle.CARD).write_text(model_card.render(decided, record), encoding="utf-8")
    harmful = bundle.harm(folder)
    if harmful:
        raise Unreadable(f"the bundle would hold what no bundle may: {'; '.join(harmful)}")
    return decided, bundle.seal(folder)


def _add_onnx(folder: Path) -> None:
    """Write model.onnx, checked for equal outputs; the temperature is in its weights as well."""
    from mhc.model.onnx_export import export as export_onnx
    from mhc.production.loading import from_bundle

    export_onnx(from_bundle(folder), folder)


def _consistency_gate(check: ConsistencyCheck, request: Request) -> Gate:
    """The verdict on the bundle: one that contradicts its run is never promoted, an unchecked one by force only."""
    contradiction = rescore.contradiction(check)
    if contradiction:
        raise Unreadable(f"the bundle does not say what the run said: {contradiction}")
    if check.flaw and not request.force:
        raise Unreadable(f"the bundle could not be checked against its run: {check.flaw}")
    reason = check.flaw or f"{check.examples} test examples scored anew by {check.by} give the same probabilities"
    return Gate(
        name="same_probabilities",
        verdict=gates.UNKNOWN if check.flaw else gates.PASSED,
        reason=reason,
        measured=check.largest_gap,
        threshold=rescore.SAME,
        why="What was judged has to be what is served.",
    )


def _copy(run: Path, folder: Path) -> None:
    """Take the record, the config, the diff and the evidence of the run along."""
    shutil.copyfile(run / store.RECORD, folder / store.RECORD)
    wanted = {
        ".hydra/config.yaml": "training.yaml",
        "git.diff": "git.diff",
        "evaluation/test.npz": "evaluation/test.npz",
        "evaluation/val.npz": "evaluation/val.npz",
    }
    for source, name in wanted.items():
        if (run / source).is_file():
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(run / source, folder / name)
