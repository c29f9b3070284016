"""Production for notebooks and scripts: `from mhc.production import Registry`.

registry = Registry("models", outputs="outputs")
registry.champion().name
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mhc import policy as policies
from mhc import timestamps
from mhc.errors import MhcError, NotFound
from mhc.production import aliases, bundle, ledger, state, verify
from mhc.production.ledger import Entry
from mhc.production.state import CHAMPION, Bundle, State
from mhc.runs import resolve

if TYPE_CHECKING:
    from mhc.production.decision import PromotionRecord
    from mhc.production.promote import Verdict
    from mhc.record import RunRecord


class Registry:
    """The bundles of a models folder: current and past champions, promotion, aliases, verification.

    Args:
        models: the folder of the bundles and of the ledger.
        outputs: the folder of the runs; needed to promote.
        policy: an option of conf/policy, or a path to a YAML file.
    """

    def __init__(
        self, models: str | Path = "models", outputs: str | Path = "outputs", policy: str | Path = "default"
    ) -> None:
        self.models, self.outputs = Path(models), Path(outputs)
        self.policy = policies.load(policy).promotion

    def state(self, at: str | None = None) -> State:
        """Return all bundles and aliases, now or at `at`: a date (its end, UTC) or a time.

        Raises:
            BadInput: if `at` is not a date or time.
            Unreadable: if the ledger is damaged or was changed.
        """
        entries = ledger.verified_entries(self.models)
        return state.fold(entries if at is None else state.until(entries, timestamps.parse_end(at)))

    def champion(self, task: str | None = None, at: str | None = None) -> Bundle:
        """Return the champion, now or at a date or time; without a task, that of the task that first had one.

        Raises:
            NotFound: if there is none.
        """
        production = self.state(at)
        if not any(CHAMPION in aliases for aliases in production.aliases.values()):
            missing = "is no champion" if at is None else f"was no champion on {at}"
            raise NotFound(
                f"There {missing} in {self.models}. Promote a run with: mhc promote ID --by NAME --reason 'REASON'"
            )
        return state.resolve(production, CHAMPION, task)

    def champions(self, at: str | None = None) -> list[Bundle]:
        """Return the champions of all tasks."""
        return state.champions(self.state(at))

    def resolve(self, name: str, task: str | None = None) -> Bundle:
        """Return the bundle with this name or alias; without a task, an alias means that of the task that got it first.

        Raises:
            NotFound: if there is none.
        """
        return state.resolve(self.state(), name, task)

    def folder(self, name: str, task: str | None = None) -> Path:
        """Return the folder of the bundle with this name or alias, after checking every file in it.

        Raises:
            NotFound: if there is none.
            Unreadable: if the bundle is not as it was promoted.
        """
        target = self.resolve(name, task)
        folder = bundle.folder_of(self.models, target.name)
        bundle.require_intact(folder, target.checksums)
        return folder

    def history(self, name: str | None = None, task: str | None = None) -> list[Entry]:
        """Return all ledger entries, oldest first, or those of one bundle, alias, run or task.

        A run is named as everywhere: by its id, or the beginning or the end of it.

        Raises:
            NotFound: if there is no such task.
            Conflict: if several runs match.
            Unreadable: if the ledger is damaged or was changed.
        """
        entries = ledger.verified_entries(self.models)
        if task is not None:
            chosen = state.find_task(state.fold(entries), task)
            entries = [entry for entry in entries if entry.task == chosen]
        return entries if name is None else _named(entries, name)

    def judge(self, run: str, answers: Mapping[str, str] | None = None) -> Verdict:
        """Return the verdict of every gate on a run (an id or its beginning); change nothing.

        Raises:
            NotFound: if no run has this id.
            Conflict: if several runs have it.
            Unreadable: if the record or the ledger is damaged or was changed.
        """
        from mhc.production.decision import Request
        from mhc.production.promote import judge

        request = Request(run=resolve.find(self.outputs, run), by="", reason="", answers=dict(answers or {}))
        return judge(request, outputs=self.outputs, models=self.models, policy=self.policy)

    def objections(self, runs: Iterable[tuple[Path, RunRecord]]) -> Iterator[str]:
        """Yield for each candidate why it would not be promoted now; an empty text if nothing is known against it.

        A run is judged again, without reading its data, if the champion of its task changed since it was judged, or if
        it was judged by another policy.

        Raises:
            Unreadable: if the ledger is damaged or was changed.
        """
        entries = ledger.verified_entries(self.models)
        production = state.fold(entries)
        for folder, record in runs:
            yield self._objection(folder, record, production, entries)

    def _objection(self, folder: Path, record: RunRecord, production: State, entries: Sequence[Entry]) -> str:
        from mhc.production import gates
        from mhc.production.measure import measure

        champions = {bundle.run: bundle.name for bundle in state.champions(production)}
        if record.id in champions:
            return f"it is the champion already, as {champions[record.id]}"
        if folder.parent == self.models / bundle.FOLDER:
            return "its folder is gone; only its bundle is left"
        if record.checkpoint is not None and not (folder / record.checkpoint.path).is_file():
            return f"its checkpoint {record.checkpoint.path} is missing"
        name = policies.name_of(self.policy)
        if record.promotion.policy == name and not _champion_changed(record, production, entries):
            return ""
        try:
            inputs = measure(
                folder, record, outputs=self.outputs, models=self.models, policy=self.policy, entries=entries
            )
        except MhcError as problem:
            return str(problem)
        promotion = gates.flag(inputs, self.policy, name)
        return "" if promotion.candidate else promotion.reason

    def promote(
        self,
        run: str,
        *,
        by: str,
        reason: str,
        name: str | None = None,
        alias: str | None = CHAMPION,
        force: bool = False,
        answers: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        task: str | None = None,
    ) -> PromotionRecord:
        """Promote a run (an id or its beginning).

        `labels` are the champion's labels by those of the run, if they differ: see `mhc.production.baselines`.

        Raises:
            NotFound: if no run has this id.
            BadInput: if the author or the reason is missing, or the name is invalid.
            Refused: if a gate was not passed; the refusal is an entry of the ledger.
            Conflict: if several runs have the id, or the name is taken.
            Unreadable: if the record, the ledger or the checkpoint is damaged or was changed.
        """
        from mhc.production.decision import Request
        from mhc.production.promote import promote

        request = Request(
            run=resolve.find(self.outputs, run),
            by=by,
            reason=reason,
            name=name,
            alias=alias,
            force=force,
            answers=dict(answers or {}),
            labels=dict(labels or {}),
            task=task,
        )
        return promote(request, outputs=self.outputs, models=self.models, policy=self.policy)

    def set_alias(self, alias: str, name: str, *, by: str, reason: str) -> Entry:
        """Point an alias to the bundle with this name or other alias.

        Raises:
            BadInput: if the alias is not a valid name, or the author or the reason is missing.
            NotFound: if there is no such bundle.
            Refused: if the bundle is retired.
            Conflict: if the alias points to the bundle already, or is the name of a bundle.
        """
        return aliases.set_alias(self.models, alias, name, by=by, reason=reason, policy=self.policy)

    def remove_alias(self, alias: str, *, by: str, reason: str, task: str | None = None) -> Entry:
        """Remove an alias; its bundle stays.

        Raises:
            BadInput: if the author or the reason is missing.
            NotFound: if there is no such alias.
            Conflict: if several tasks have the alias, and `task` is None.
        """
        return aliases.remove_alias(self.models, alias, by=by, reason=reason, policy=self.policy, task=task)

    def rollback(self, *, by: str, reason: str, task: str | None = None) -> Entry:
        """Make the previous champion champion again; a second rollback goes back one champion further.

        Raises:
            BadInput: if the author or the reason is missing.
            NotFound: if there is no champion, or no previous one.
            Conflict: if several tasks have a champion, and `task` is None.
        """
        return aliases.roll_back(self.models, by=by, reason=reason, policy=self.policy, task=task)

    def earlier_champion(self, task: str | None = None) -> str:
        """Return the name of the bundle that a rollback would make champion.

        Raises:
            NotFound: if there is no champion, or no previous one.
            Conflict: if several tasks have a champion, and `task` is None.
        """
        production = self.state()
        current = state.resolve_one(production, CHAMPION, task)
        previous = state.previous_champion(production, current.task)
        if previous is None:
            raise NotFound(f"There was no champion before {current.name} that is still in use")
        return previous

    def retire(self, name: str, *, by: str, reason: str) -> Entry:
        """Take a bundle out of use. Its files and its history stay.

        Raises:
            BadInput: if the author or the reason is missing.
            NotFound: if there is no such bundle.
            Refused: if an alias points to it.
            Conflict: if it is retired already.
        """
        return aliases.retire(self.models, name, by=by, reason=reason, policy=self.policy)

    def verify(self, *, without_weights: bool = False) -> verify.Report:
        """Check ledger, anchors, registry.json and every bundle.

        Raises:
            Unreadable: if the ledger cannot be opened.
        """
        return verify.check(self.models, without_weights=without_weights)


def _named(entries: Sequence[Entry], name: str) -> list[Entry]:
    """Return the entries of a bundle or an alias; if there are none, of the run that `name` means.

    Raises:
        Conflict: if several runs match.
    """
    exact = [entry for entry in entries if name in (entry.bundle, entry.alias, entry.before, entry.run)]
    if exact:
        return exact
    runs = list(dict.fromkeys(entry.run for entry in entries if entry.run))
    for pattern in resolve.patterns(name):
        matches = [run for run in runs if pattern.matches(run)]
        if len(matches) > 1:
            raise resolve.ambiguous(name, matches, matches)
        if matches:
            return [entry for entry in entries if entry.run == matches[0]]
    return []


def _champion_changed(record: RunRecord, production: State, entries: Sequence[Entry]) -> bool:
    """Return whether a champion changed after the run was judged, or was not compared on the high-risk classes.

    Champions of all tasks count, because the task of a run may depend on its data.
    """
    changes = [entry.at for entry in entries if entry.alias == CHAMPION and entry.what != "refused"]
    if not changes or not production.holders.get(CHAMPION):
        return False
    judged = [event.at for event in record.history if event.by == "FlagForPromotion"]
    times = [timestamps.parse_recorded(text) for text in (max(changes), (judged or [record.created_at])[-1])]
    compared = any(gate.name.startswith("high_risk_recall") for gate in record.promotion.gates)
    return not compared or None in times or times[0] > times[1]  # type: ignore[operator]
