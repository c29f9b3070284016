"""A run that averages the probabilities of others: its weights, predictions and record, and its copy of the models."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace
from omegaconf import OmegaConf

from mhc import policy, user_text
from mhc.facts import DataFacts, ModelFacts, Smoke
from mhc.model.calibration import apply_temperature, fit_temperature
from mhc.model.ensemble import fit_weights, mean
from mhc.policy import Policy
from mhc.production import bundle, export, loading
from mhc.production.ensemble.folder import IN_RUN, MEMBERS, write_config
from mhc.production.measure import has_diff
from mhc.provenance import lineage
from mhc.record import Category, EnsembleMember
from mhc.runs import evidence, folders
from mhc.runs.evidence import Evidence
from mhc.runs.live import LiveRun
from mhc.runs.outcome import recording
from mhc.runs.signals import signals_deferred
from mhc.training import completed
from mhc.training.ensemble_members import Member, members_of, predictions
from mhc.training.recorded_config import write_config as write_run_config
from mhc.training.resume import log_to


class Wish(NamedTuple):
    """What the command line asks for."""

    runs: Sequence[str]
    name: str
    description: str
    policy: str
    outputs: Path
    models: Path


def average(wish: Wish) -> LiveRun:
    """Make a run of the mean of the runs, judge it, and print its closing page.

    Raises:
        MhcError: if the runs cannot be averaged; nothing is written then.
    """
    rules = policy.load(wish.policy)
    user_text.check_run(wish.name, wish.description, "", [])
    members = members_of(wish.outputs, wish.runs)
    splits = {
        split: predictions(members, split, wish.models)
        for split in ("val", "test")
        if split in members[0].record.data.splits  # type: ignore[union-attr]  # checked with the members
    }
    parts, mixed = fitted(members, splits)
    folder = folders.claim(wish.outputs, wish.name, datetime.now(UTC))
    log_to(folder)
    try:
        with signals_deferred():
            run = register(wish, folder, members, parts, rules)
    except Exception:
        folders.discard_claim(folder)
        raise
    with recording(run):
        write(run, members, parts, mixed)
        judge(run, wish, rules)
    completed.write_report(run)
    completed.show_closing_page(run, gates=False)
    return run


def fitted(
    members: Sequence[Member], splits: dict[str, list[Evidence]]
) -> tuple[list[EnsembleMember], dict[str, Evidence]]:
    """Return the members with temperatures and weights, fitted on val, and the mean of each split."""
    labels = splits["val"][0].labels
    temperatures = [fit_temperature(part.probabilities, labels) for part in splits["val"]]
    calibrated = {
        split: [apply_temperature(part.probabilities, by) for part, by in zip(parts, temperatures, strict=True)]
        for split, parts in splits.items()
    }
    weights = fit_weights(calibrated["val"], labels).tolist()
    described = [
        described_member(number, member, weight, temperature)
        for number, (member, weight, temperature) in enumerate(zip(members, weights, temperatures, strict=True))
    ]
    mixed = {
        split: Evidence(
            ids=parts[0].ids,
            labels=parts[0].labels,
            probabilities=mean(calibrated[split], weights),
            label_names=parts[0].label_names,
        )
        for split, parts in splits.items()
    }
    return described, mixed


def described_member(number: int, member: Member, weight: float, temperature: float) -> EnsembleMember:
    """Return what the record has of a member."""
    record = member.record
    return EnsembleMember(
        run=record.id,
        folder=f"{number}_{record.model.name if record.model else 'model'}",
        model=record.model.name if record.model else "",
        checkpoint=record.checkpoint.sha256 if record.checkpoint else "",
        weight=weight,
        temperature=temperature,
        category=record.category,
        git_commit=record.lineage.git_commit,
        git_dirty=record.lineage.git_dirty,
        has_diff=has_diff(member.folder, record),
    )


def register(
    wish: Wish, folder: Path, members: Sequence[Member], parts: Sequence[EnsembleMember], rules: Policy
) -> LiveRun:
    """Write the config and the record of the run."""
    config = config_of(wish, folder, members)
    write_run_config(folder, OmegaConf.create(config))
    group = lineage.config_hash({"ensemble": [part.checkpoint for part in parts]})
    code_files = OmegaConf.load(policy.CONF / "train.yaml").code_files
    return LiveRun.register(
        folder,
        name=wish.name,
        description=wish.description,
        tags=[],
        note="",
        seed=None,
        category_said=Category.DEBUG if any(part.category == Category.DEBUG for part in parts) else None,
        sweep=None,
        group=group,
        lineage=lineage.gather(
            folder,
            overrides=sys.argv[1:],
            config_hash=group,
            code_files=list(code_files),
            not_code=[wish.outputs, wish.models],
        ),
        liveness=rules.liveness,
        now=datetime.now(UTC),
        ensemble=parts,
    )


def config_of(wish: Wish, folder: Path, members: Sequence[Member]) -> dict[str, Any]:
    """Return the config of the run: the data of the first member, and the ids of all."""
    cfg = loading.recorded_model(members[0].folder)
    return {
        "name": wish.name,
        "description": wish.description,
        "data": OmegaConf.to_container(cfg.data, resolve=True),
        "model": {
            "name": "ensemble",
            "network": {"_target_": "mhc.model.ensemble.Ensemble"},
            "members": [member.record.id for member in members],
        },
        "paths": {"outputs": str(wish.outputs), "models": str(wish.models), "run": str(folder)},
    }


def write(run: LiveRun, members: Sequence[Member], parts: Sequence[EnsembleMember], mixed: dict[str, Evidence]) -> None:
    """Copy the models into the run, and record predictions, metrics and facts."""
    from mhc.metrics import measure

    data, model = facts_of(members)
    run.note_start(smoke=Smoke(), data=data, model=model, world_size=1)
    shares = ", ".join(f"{part.run} {part.weight:.3f} (temperature {part.temperature:.3g})" for part in parts)
    run.event("weights fitted on val", shares)
    write_models(run.folder / IN_RUN, members, parts)
    run.note_checkpoint(run.folder / IN_RUN / bundle.CHECKSUMS)
    for split, part in mixed.items():
        path = run.folder / "evaluation" / f"{split}.npz"
        evidence.write(path, part.ids, part.labels, part.probabilities, part.label_names)
        run.note_metrics(split, measure(part.labels, part.probabilities, part.label_names))


def write_models(folder: Path, members: Sequence[Member], parts: Sequence[EnsembleMember]) -> None:
    """Write each member as a bundle has it, its temperature worked in, and seal the folder."""
    with export.without_progress_bars():
        for member, part in zip(members, parts, strict=True):
            place = folder / MEMBERS / part.folder
            place.mkdir(parents=True)
            export.write(member.loaded, place, part.temperature)
    write_config(folder, members[0].loaded.labels, {part.folder: part.weight for part in parts})
    bundle.seal(folder)


def facts_of(members: Sequence[Member]) -> tuple[DataFacts, ModelFacts]:
    """Return the facts of the data, which all members share, and of the models together."""
    data = members[0].record.data
    assert data is not None
    splits = {name: replace(split, tokens=None, truncated=None) for name, split in data.splits.items()}
    models = [member.record.model for member in members if member.record.model]
    model = ModelFacts(
        name="ensemble",
        architecture="Ensemble",
        parameters=sum(model.parameters for model in models),
        trainable_parameters=sum(model.trainable_parameters for model in models),
        max_tokens=max(member.loaded.max_tokens for member in members),
    )
    return replace(data, splits=splits, tokenizer=None), model


def judge(run: LiveRun, wish: Wish, rules: Policy) -> None:
    """Classify the run, and judge it by every gate, as after a training."""
    from callbacks.flag_for_promotion import FlagForPromotion

    run.classify(rules)
    FlagForPromotion(run, rules, wish.outputs, wish.models).on_test_end(None, None)  # type: ignore[arg-type]
