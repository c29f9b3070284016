"""Build the folder of a bundle from a run: network, tokenizer, evidence, record, card, checksums, consistency check."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from mhc import files, reduction
from mhc.errors import MhcError, Unreadable
from mhc.production import bundle, decision, export, gates, model_card, rescore
from mhc.production.decision import Anchor, ConsistencyCheck, PromotionRecord, Request
from mhc.production.ledger import Writer
from mhc.record import RECORD_FILE, Gate, RunRecord, encode
from mhc.runs import evidence

if TYPE_CHECKING:
    from mhc.data.datamodule import TextDataModule
    from mhc.model.weights import Loaded


def load_run(folder: Path) -> Loaded:
    """Return the run's network with the best weights, and its tokenizer.

    Raises:
        NotFound: if the run has no checkpoint, or one of its files is missing.
        Unreadable: if the record, the checkpoint, the tokenizer or the configuration is damaged.
    """
    from mhc.production.loading import from_run

    return from_run(folder)


def texts_of_run(folder: Path, split: str) -> Sequence[str]:
    """Read the data of a run again by its config, and return the normalised texts of a split.

    Raises:
        MhcError: if the data cannot be read any more.
    """
    return list(data_of_run(folder).normalised_texts(split))


def data_of_run(folder: Path) -> TextDataModule:
    """Read the data of a run again by its config.

    Raises:
        MhcError: if it cannot be read any more.
    """
    from hydra.errors import HydraException
    from hydra.utils import instantiate

    from mhc.production.loading import recorded_model

    try:
        datamodule: TextDataModule = instantiate(recorded_model(folder).data, _convert_="all")
    except HydraException as problem:
        raise Unreadable(f"the data of {folder} cannot be read again: {problem.__cause__ or problem}") from problem
    datamodule.prepare()
    return datamodule


class RunSources(msgspec.Struct, frozen=True, kw_only=True):
    """The functions that load the model and the texts of a run."""

    load: Callable[[Path], Loaded] = load_run
    texts: Callable[[Path, str], Sequence[str]] = texts_of_run


def near_copies(run: Path, similarity: float, sources: RunSources) -> int | None:
    """Count the test rows that are near copies of a train row; None if the texts cannot be read any more."""
    from mhc.data.leakage import near_duplicates

    try:
        return len(near_duplicates(list(sources.texts(run, "train")), list(sources.texts(run, "test")), similarity))
    except (MhcError, OSError):
        return None


def obstacle(run: Path, sources: RunSources) -> str:
    """Return why no bundle can be built from the run; empty if its network can be loaded, and served.

    That a bundle gives the same probabilities as the run is checked only by a promotion.
    """
    try:
        trained = sources.load(run)
        if not type(trained.network).__module__.startswith(("mhc.", "transformers.")):
            with TemporaryDirectory() as place, export.without_progress_bars():
                export.write(trained, Path(place), 1.0)
    except MhcError as problem:
        return str(problem)
    return ""


def anchor(writer: Writer) -> Anchor:
    """Return the head of the ledger, which is stored in the bundle."""
    return Anchor(seq=len(writer.entries), head=writer.head)


def build(
    folder: Path, request: Request, draft: PromotionRecord, record: RunRecord, models: Path, sources: RunSources
) -> tuple[PromotionRecord, str]:
    """Build the bundle in the new `folder`; return `draft` with the consistency check, and the sha256 of the checksums.

    The consistency check is the last gate. With `force` a bundle that cannot be checked is accepted; one that
    contradicts its run never is.

    Raises:
        Unreadable: if the run cannot be loaded, or the bundle gives other probabilities than the run.
    """
    folder.mkdir(parents=True)
    try:
        with export.without_progress_bars():
            return _build(folder, request, draft, record, models, sources)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _build(
    folder: Path, request: Request, draft: PromotionRecord, record: RunRecord, models: Path, sources: RunSources
) -> tuple[PromotionRecord, str]:
    trained = sources.load(request.run)
    temperature = draft.scores.temperature if draft.scores else None
    export.write(trained, folder, temperature or 1.0)
    bundle.seal(folder)
    check = rescore.check_consistency(folder, request.run, trained, temperature or 1.0, models, sources.texts)
    verdicts = [*draft.gates, _consistency_gate(check, request)]
    promotion = replace(
        draft,
        standalone=export.standalone(trained),
        max_tokens=trained.max_tokens,
        proof=check,
        gates=verdicts,
        forced=bool(gates.refusals(verdicts)),
    )
    if request.onnx:
        _add_onnx(folder)
    record, shown = reduction.reduced(record), reduction.cleaned(promotion)
    _write_run_files(request.run, record, folder)
    (folder / bundle.PROMOTION).write_bytes(decision.encode(shown))
    (folder / bundle.CARD).write_text(model_card.render(shown, record), encoding="utf-8")
    hazards = bundle.hazards(folder)
    if hazards:
        raise Unreadable(f"the bundle would contain files that are not allowed: {'; '.join(hazards)}")
    return promotion, bundle.seal(folder)


def _add_onnx(folder: Path) -> None:
    """Write model.onnx, checked for equal outputs; the temperature is part of its weights as well."""
    from mhc.model.onnx_export import export as export_onnx
    from mhc.production.loading import from_bundle

    export_onnx(from_bundle(folder), folder)


def _consistency_gate(check: ConsistencyCheck, request: Request) -> Gate:
    """Return the verdict on the bundle.

    Raises:
        Unreadable: if the bundle contradicts its run, or cannot be checked and is not forced.
    """
    contradiction = rescore.contradiction(check)
    if contradiction:
        raise Unreadable(f"the bundle gives other probabilities than the run: {contradiction}")
    if check.flaw and not request.force:
        raise Unreadable(f"the bundle could not be checked against its run: {check.flaw}")
    reason = check.flaw or f"{check.examples} test examples scored again by {check.by} have the same probabilities"
    return Gate(
        name="same_probabilities",
        verdict=gates.UNKNOWN if check.flaw else gates.PASSED,
        reason=reason,
        measured=check.largest_gap,
        threshold=rescore.MAX_GAP,
        why="The model that was judged has to be the model that is served.",
    )


def _write_run_files(run: Path, record: RunRecord, folder: Path) -> None:
    """Write the record and the config of the run without anything private, and copy its evidence."""
    (folder / RECORD_FILE).write_bytes(encode(record))
    if (run / ".hydra" / "config.yaml").is_file():
        text = files.yaml_text(run / ".hydra" / "config.yaml")
        (folder / bundle.CONFIG).write_text(reduction.reduced_config(text), encoding="utf-8")
    for name in ("evaluation/test.npz", "evaluation/val.npz", f"evaluation/{evidence.FOLDS_FILE}"):
        if (run / name).is_file():
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(run / name, folder / name)
