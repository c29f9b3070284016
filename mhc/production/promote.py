"""Promote a run: judge it, build and prove its bundle, and only then put it into the ledger. All or nothing.

The order makes it so: everything is built in a hidden folder, renamed to its place, and counts from the moment its
entry stands in the ledger. What a kill leaves before that is known to no entry; `mhc verify --fix` clears it.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mhc import timestamps
from mhc.errors import BadInput, Conflict, MhcError, Refused
from mhc.policy import PromotionPolicy, name_of
from mhc.production import build_bundle, bundle, gates, ledger, snapshot, state
from mhc.production.build_bundle import RunSources
from mhc.production.decision import GateInputs, PromotionRecord, Request
from mhc.production.ledger import Entry, Writer
from mhc.production.measure import measure
from mhc.production.rescore import rescore_bundle
from mhc.record import Event, Gate, RunRecord
from mhc.runs import store

log = logging.getLogger("mhc.production")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What would come of a request, before anything is done."""

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
    """Put the run through every gate, and write nothing: what `--dry-run` shows.

    `entries` of the ledger, if the caller has read and verified it already.

    Raises:
        BadInput, Conflict: where the name cannot be had.
        Unreadable: where the record or the ledger cannot be believed.
    """
    record = record or store.read(request.run)
    sources = sources or RunSources()
    entries = ledger.believed(models) if entries is None else entries
    inputs = measure(
        request.run,
        record,
        outputs=outputs,
        models=models,
        policy=policy,
        near_copies=build_bundle.near_copies(request.run, policy.leakage.similarity, sources),
        answers=request.answers,
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
    """Make a bundle of the run, and the alias of the request point to it.

    Raises:
        BadInput: where nobody, or no reason, is named.
        Refused: where a gate was not passed; the refusal stands in the ledger.
        Conflict: where the name is taken.
        Unreadable: where the record, the ledger or the checkpoint cannot be believed.
    """
    _must_be_signed(request)
    now, sources = now or timestamps.now(), sources or RunSources()
    with ledger.changing(models, now) as writer:
        verdict = judge(
            request,
            outputs=outputs,
            models=models,
            policy=policy,
            record=record,
            sources=sources,
            entries=writer.entries,
        )
        if verdict.missed and not request.force:
            raise _refuse(writer, request, verdict, [_line(gate) for gate in verdict.missed], now)
        promotion = _promotion_record(request, verdict, policy, writer, now)
        draft = models / bundle.FOLDER / f".{verdict.name}{bundle.DRAFT}"
        try:
            promotion, seal = build_bundle.build(draft, request, promotion, verdict.inputs.record, models, sources)
        except MhcError as problem:
            raise _refuse(writer, request, verdict, [f"bundle: {problem}"], now) from problem
        _put_in_place(draft, models, verdict.name)
        writer.append(_promotion(request, verdict, promotion, seal, writer), now)
        snapshot.write(models, writer.entries, policy, f"Promote {verdict.name}", tag=verdict.name)
    _note(request, promotion, now)
    return promotion


def _must_be_signed(request: Request) -> None:
    if not request.by.strip() or not request.why.strip():
        raise BadInput("A promotion needs who does it and why, forced or not: --by NAME --reason 'WHY'")


def _name(request: Request, record: RunRecord, entries: Sequence[Entry]) -> str:
    """The bundle's name: as asked for, or the next free version.

    Raises:
        Conflict: where it is taken, by a retired bundle too: a bundle is never overwritten.
    """
    known = state.fold(entries)
    taken = set(known.bundles) | {alias for mine in known.aliases.values() for alias in mine} | {state.CHAMPION}
    if request.alias is not None:
        bundle.checked_name(request.alias)
        if request.alias in known.bundles:
            raise Conflict(f"{request.alias} is a bundle, so it cannot be an alias")
    if request.name is not None:
        if bundle.checked_name(request.name) in taken:
            raise Conflict(
                f"The name {request.name} is taken. Choose another --name, or leave it out for the next free one"
            )
        return request.name
    stem = "".join(
        letter if letter in "abcdefghijklmnopqrstuvwxyz0123456789._-" else "-" for letter in record.name.lower()
    )
    stem = stem.strip("._-").replace("..", ".")[:90] or "model"
    number = 1 + sum(name.rpartition("_v")[0] == stem for name in known.bundles)
    while f"{stem}_v{number}" in taken:
        number += 1
    return f"{stem}_v{number}"


def _promotion_record(
    request: Request, verdict: Verdict, policy: PromotionPolicy, writer: Writer, now: datetime
) -> PromotionRecord:
    inputs = verdict.inputs
    labels = inputs.record.data.labels if inputs.record.data else []
    return PromotionRecord(
        name=verdict.name,
        task=state.task_of(labels),
        labels=labels,
        run=inputs.record.id,
        at=timestamps.text(now),
        by=request.by,
        why=request.why,
        forced=bool(verdict.missed),
        policy_name=verdict.policy_name,
        policy=policy,
        gates=verdict.gates,
        answers=inputs.answers,
        scores=inputs.scores,
        reference=inputs.reference,
        champion=inputs.champion,
        ledger=build_bundle.anchor(writer),
    )


def _refuse(writer: Writer, request: Request, verdict: Verdict, failed: Sequence[str], now: datetime) -> Refused:
    """Put the refusal into the ledger, and return the sentence for the person."""
    entry = replace(
        ledger.draft("refused", request.by, request.why),
        run=verdict.inputs.record.id,
        policy=verdict.policy_name,
        failed=list(failed),
        answers=verdict.inputs.answers,
    )
    writer.append(entry, now)
    snapshot.write(writer.models, writer.entries, None, "")
    listed = "\n".join(f"  {line}" for line in failed)
    hint = "" if request.force else "\nOverrule the gates with --force and a reason; it shows for ever."
    return Refused(f"{verdict.inputs.record.id} was not promoted:\n{listed}{hint}")


def _line(gate: Gate) -> str:
    return f"{gate.name}: {gate.verdict}: {gate.reason}"


def _put_in_place(draft: Path, models: Path, name: str) -> None:
    """Rename the draft to its place; what a killed promotion left there was never in the ledger, and is cleared."""
    to = bundle.place(models, name)
    if to.exists():
        shutil.rmtree(to)
    bundle.sync(draft)
    draft.rename(to)
    ledger.sync_folder(to.parent)


def _promotion(request: Request, verdict: Verdict, promotion: PromotionRecord, seal: str, writer: Writer) -> Entry:
    alias = request.alias or ""
    aliases = state.fold(writer.entries).aliases.get(promotion.task, {})
    return replace(
        ledger.draft("promoted", request.by, request.why),
        task=promotion.task,
        labels=promotion.labels,
        bundle=promotion.name,
        alias=alias,
        before=aliases.get(alias, ""),
        run=promotion.run,
        forced=promotion.forced,
        policy=verdict.policy_name,
        failed=[_line(gate) for gate in gates.refusals(promotion.gates)],
        answers=promotion.answers,
        checksums=seal,
    )


def _note(request: Request, made: PromotionRecord, now: datetime) -> None:
    """Tell the run's own record. The ledger has it already, so a record that cannot be written is no failure."""
    what = "promoted by force" if made.forced else "promoted"
    event = Event(at=timestamps.text(now), what=what, by=made.by, why=f"as {made.name}: {made.why}")

    def noted(record: RunRecord) -> RunRecord:
        bundles = [*record.promotion.bundles, made.name]
        return replace(record, promotion=replace(record.promotion, gates=made.gates, bundles=bundles))

    try:
        store.update(request.run, noted, event)
    except MhcError as problem:
        log.warning("%s is promoted, but its run's record does not say so: %s", made.name, problem)
