"""Promote a run: judge it, build and check its bundle, and only then append it to the ledger. All or nothing.

The order guarantees that: the bundle is built in a hidden folder, renamed to its final name, and exists only from the
moment its entry is in the ledger. No entry refers to the leftovers of an earlier kill; `mhc verify --fix` moves them
aside, as a promotion does with all that is in its way.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mhc import timestamps
from mhc.errors import Conflict, MhcError, Refused
from mhc.policy import PromotionPolicy, name_of
from mhc.production import build_bundle, bundle, change, consistency, decision, gates, ledger, snapshot, state
from mhc.production.build_bundle import RunSources
from mhc.production.decision import GateInputs, PromotionRecord, Request
from mhc.production.ledger import Entry, Writer
from mhc.production.measure import measure
from mhc.production.rescore import rescore_bundle
from mhc.record import Event, Gate, RunRecord
from mhc.runs import atomic, store

log = logging.getLogger("mhc.production")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The expected outcome of a request."""

    name: str
    inputs: GateInputs
    gates: list[Gate]
    policy_name: str

    @property
    def missed(self) -> list[Gate]:
        """The gates that were not passed."""
        return gates.refusals(self.gates)


def judge(
    request: Request,
    *,
    outputs: Path,
    models: Path,
    policy: PromotionPolicy,
    record: RunRecord | None = None,
    sources: RunSources | None = None,
    entries: Sequence[Entry] | None = None,
) -> Verdict:
    """Judge the run by every gate, and write nothing.

    `record` is the run's record, and `entries` are those of the ledger, if the caller has read and verified them.

    Raises:
        BadInput: if the name or the alias is invalid.
        Conflict: if the name is taken, or the alias is the name of a bundle.
        Unreadable: if the record or the ledger is damaged or was changed.
    """
    record = record or store.read(request.run)
    sources = sources or RunSources()
    if entries is None:
        consistency.require(models)
        entries = ledger.verified_entries(models)
    inputs = measure(
        request.run,
        record,
        outputs=outputs,
        models=models,
        policy=policy,
        near_copies=build_bundle.near_copies(request.run, policy.leakage.similarity, sources),
        answers=request.answers,
        labels=request.labels,
        task=request.task,
        rescore=partial(rescore_bundle, request.run, models, entries, sources.texts),
        entries=entries,
    )
    name = _name(request, record, entries)
    return Verdict(name=name, inputs=inputs, gates=gates.judge(inputs, policy), policy_name=name_of(policy))


def promote(
    request: Request,
    *,
    outputs: Path,
    models: Path,
    policy: PromotionPolicy,
    record: RunRecord | None = None,
    sources: RunSources | None = None,
    now: datetime | None = None,
) -> PromotionRecord:
    """Build a bundle from the run, and point the alias of the request to it.

    Raises:
        BadInput: if the author or the reason is missing, or the name is invalid.
        Refused: if a gate was not passed; the refusal is an entry of the ledger.
        Conflict: if the name is taken.
        Unreadable: if the record, the ledger or the checkpoint is damaged or was changed.
    """
    request = decision.checked(request)
    now, sources = now or timestamps.now(), sources or RunSources()
    with change.changing(models, now) as writer:
        verdict = judge(
            request,
            outputs=outputs,
            models=models,
            policy=policy,
            record=record,
            sources=sources,
            entries=writer.entries,
        )
        promotion = _build_and_append(writer, request, verdict, policy, sources, now)
    _update_run_record(request, promotion, now)
    return promotion


def _build_and_append(
    writer: Writer, request: Request, verdict: Verdict, policy: PromotionPolicy, sources: RunSources, now: datetime
) -> PromotionRecord:
    """Build the bundle and append it to the ledger, or raise the refusal after appending that."""
    if verdict.missed and not request.force:
        raise _refuse(writer, request, verdict, [_gate_line(gate) for gate in verdict.missed], now)
    models = writer.models
    draft = _promotion_record(request, verdict, policy, writer, now)
    folder = models / bundle.FOLDER / f".{verdict.name}{bundle.DRAFT}"
    _clear_the_way(folder, writer, now)
    try:
        promotion, checksums = build_bundle.build(folder, request, draft, verdict.inputs.record, models, sources)
    except MhcError as problem:
        raise _refuse(writer, request, verdict, [f"bundle: {problem}"], now) from problem
    to = bundle.folder_of(models, verdict.name)
    _move_into_place(folder, to, checksums, writer, now)
    writer.append(_promotion_entry(request, verdict, promotion, checksums, writer), now)
    bundle.note_of(to).unlink()
    snapshot.write(models, writer.entries, policy, f"Promote {verdict.name}", tag=verdict.name)
    return promotion


def _name(request: Request, record: RunRecord, entries: Sequence[Entry]) -> str:
    """Return the bundle's name: the requested one, or the next free version.

    Raises:
        BadInput: if the name or the alias is invalid.
        Conflict: if the name is taken, by a retired bundle too: a bundle is never overwritten.
    """
    production = state.fold(entries)
    if request.alias is not None:
        bundle.checked_name(request.alias)
        if request.alias in production.bundles:
            raise Conflict(f"{request.alias} is a bundle, so it cannot be an alias")
    aliases = {alias for task_aliases in production.aliases.values() for alias in task_aliases}
    reserved = {*production.bundles, *aliases, state.CHAMPION}
    if request.name is not None:
        if bundle.checked_name(request.name) in reserved:
            raise Conflict(
                f"The name {request.name} is taken. Choose another --name, or leave it out for the next free one"
            )
        return request.name
    stem = _stem(record.name)
    number = 1 + sum(name.rpartition("_v")[0] == stem for name in production.bundles)
    while f"{stem}_v{number}" in reserved:
        number += 1
    return f"{stem}_v{number}"


def _stem(run_name: str) -> str:
    """Return a run's name in the characters that a bundle's name may have."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789._-"
    stem = "".join(letter if letter in letters else "-" for letter in run_name.lower())
    return stem.strip("._-").replace("..", ".")[:90] or "model"


def _promotion_record(
    request: Request, verdict: Verdict, policy: PromotionPolicy, writer: Writer, now: datetime
) -> PromotionRecord:
    inputs = verdict.inputs
    labels = inputs.record.data.labels if inputs.record.data else []
    production = state.fold(writer.entries)
    return PromotionRecord(
        name=verdict.name,
        task=inputs.task,
        task_name=production.tasks.get(inputs.task) or request.task or state.default_name(labels),
        label_map=request.labels,
        labels=labels,
        run=inputs.record.id,
        at=timestamps.format_time(now),
        by=request.by,
        why=request.reason,
        forced=bool(verdict.missed),
        policy_name=verdict.policy_name,
        policy=msgspec.to_builtins(policy),
        gates=verdict.gates,
        answers=inputs.answers,
        scores=inputs.scores,
        reference=inputs.reference,
        champion=inputs.champion,
        ledger=build_bundle.anchor(writer),
    )


def _refuse(writer: Writer, request: Request, verdict: Verdict, failed: Sequence[str], now: datetime) -> Refused:
    """Append the refusal to the ledger, and return the error for the user."""
    entry = replace(
        ledger.draft("refused", request.by, request.reason),
        task=verdict.inputs.task,
        run=verdict.inputs.record.id,
        policy=verdict.policy_name,
        failed=list(failed),
        answers=verdict.inputs.answers,
        label_map=request.labels,
    )
    writer.append(entry, now)
    snapshot.write(writer.models, writer.entries, None, "")
    remedies = {_gate_line(gate): f"\n    would change it: {gate.remedy}" for gate in verdict.missed if gate.remedy}
    lines = "\n".join(f"  {line}{remedies.get(line, '')}" for line in failed)
    hint = (
        ""
        if request.force
        else "\nOverrule the gates with mhc promote --force and a reason, which are recorded permanently"
    )
    return Refused(f"{verdict.inputs.record.id} was not promoted:\n{lines}{hint}")


def _gate_line(gate: Gate) -> str:
    return f"{gate.name}: {gate.verdict}: {gate.reason}"


def _clear_the_way(path: Path, writer: Writer, now: datetime) -> None:
    """Move aside what has a name that the new bundle needs; the ledger does not know it."""
    if os.path.lexists(path):
        change.move_aside(path, writer, now)


def _move_into_place(draft: Path, to: Path, checksums: str, writer: Writer, now: datetime) -> None:
    """Rename the draft to the bundle's name, with a note that its entry is about to be written."""
    _clear_the_way(to, writer, now)
    _clear_the_way(bundle.note_of(to), writer, now)
    bundle.sync(draft)
    atomic.write(bundle.note_of(to), checksums.encode())
    draft.rename(to)
    atomic.sync(to.parent)


def _promotion_entry(
    request: Request, verdict: Verdict, promotion: PromotionRecord, checksums: str, writer: Writer
) -> Entry:
    alias = request.alias or ""
    aliases = state.fold(writer.entries).aliases.get(promotion.task, {})
    return replace(
        ledger.draft("promoted", request.by, request.reason),
        task=promotion.task,
        task_name=promotion.task_name,
        labels=promotion.labels,
        label_map=promotion.label_map,
        bundle=promotion.name,
        alias=alias,
        before=aliases.get(alias, ""),
        run=promotion.run,
        forced=promotion.forced,
        policy=verdict.policy_name,
        failed=[_gate_line(gate) for gate in gates.refusals(promotion.gates)],
        answers=promotion.answers,
        checksums=checksums,
    )


def _update_run_record(request: Request, promotion: PromotionRecord, now: datetime) -> None:
    """Add the promotion to the run's own record; a failure is only logged, because the ledger has it already."""
    what = "promoted by force" if promotion.forced else "promoted"
    why = f"as {promotion.name}: {promotion.why}"
    event = Event(at=timestamps.format_time(now), what=what, by=promotion.by, why=why)

    def with_bundle(record: RunRecord) -> RunRecord:
        bundles = [*record.promotion.bundles, promotion.name]
        return replace(record, promotion=replace(record.promotion, gates=promotion.gates, bundles=bundles))

    try:
        store.update(request.run, with_bundle, event)
    except MhcError as problem:
        log.warning("%s is promoted, but the record of its run could not be updated: %s", promotion.name, problem)
