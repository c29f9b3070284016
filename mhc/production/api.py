"""Production for notebooks and scripts: `from mhc.production import Registry`.

registry = Registry("models", outputs="outputs")
registry.champion().name
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mhc import policy as policies
from mhc.errors import NotFound
from mhc.production import aliases, bundle, ledger, state, verify
from mhc.production.ledger import Entry
from mhc.production.state import CHAMPION, Bundle, State
from mhc.runs import resolve

if TYPE_CHECKING:
    from mhc.production.decision import PromotionRecord, Request
    from mhc.production.promote import Verdict


class Registry:
    """The bundles of a models folder: who is champion, who was, and the way from a run to one.

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
        """All bundles and aliases, now or on a date (its end, UTC) or time. Raises BadInput, Unreadable."""
        entries = ledger.believed(self.models)
        return state.fold(entries if at is None else state.until(entries, state.parse_moment(at)))

    def champion(self, task: str | None = None, at: str | None = None) -> Bundle:
        """The champion, now or on a date. Raises NotFound, and Conflict where there are several tasks."""
        known = self.state(at)
        if not any(CHAMPION in mine for mine in known.aliases.values()):
            when = "is no champion" if at is None else f"was no champion on {at}"
            raise NotFound(f"There {when} in {self.models}. Make one with: mhc promote ID --by NAME --reason 'WHY'")
        return state.resolve(known, CHAMPION, task)

    def champions(self, at: str | None = None) -> list[Bundle]:
        """The champions of all tasks."""
        known = self.state(at)
        return [known.bundles[mine[CHAMPION]] for mine in known.aliases.values() if CHAMPION in mine]

    def resolve(self, word: str) -> Bundle:
        """The bundle that a name or an alias means. Raises NotFound, Conflict."""
        return state.resolve(self.state(), word)

    def folder(self, word: str) -> Path:
        """The folder of the bundle that a name or an alias means, every file of it checked. Raises Unreadable."""
        found = self.resolve(word)
        folder = bundle.place(self.models, found.name)
        bundle.must_be_whole(folder, found.checksums)
        return folder

    def history(self, word: str | None = None) -> list[Entry]:
        """Everything that was done, oldest first; of one bundle, alias or run, where `word` says so."""
        entries = ledger.believed(self.models)
        if word is None:
            return entries
        return [entry for entry in entries if word in (entry.bundle, entry.alias, entry.before, entry.run)]

    def judge(self, run: str, answers: Mapping[str, str] | None = None) -> Verdict:
        """The verdict of every gate on a run (an id or its beginning); changes nothing."""
        from mhc.production.promote import judge

        request = self._request(run, "nobody", "a rehearsal", answers=answers)
        return judge(request, outputs=self.outputs, models=self.models, policy=self.policy)

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
    ) -> PromotionRecord:
        """Promote a run (an id or its beginning). Raises what `mhc.production.promote.promote` raises."""
        from mhc.production.promote import promote

        request = self._request(run, by, reason, name, alias, force, answers)
        return promote(request, outputs=self.outputs, models=self.models, policy=self.policy)

    def _request(
        self,
        run: str,
        by: str,
        why: str,
        name: str | None = None,
        alias: str | None = CHAMPION,
        force: bool = False,
        answers: Mapping[str, str] | None = None,
    ) -> Request:
        from mhc.production.decision import Request

        folder = resolve.find(self.outputs, run)
        return Request(run=folder, by=by, why=why, name=name, alias=alias, force=force, answers=dict(answers or {}))

    def set_alias(self, alias: str, word: str, *, by: str, reason: str) -> Entry:
        """Point an alias to a bundle."""
        return aliases.set_alias(self.models, alias, word, by=by, why=reason, policy=self.policy)

    def remove_alias(self, alias: str, *, by: str, reason: str, task: str | None = None) -> Entry:
        """Take an alias away."""
        return aliases.remove_alias(self.models, alias, by=by, why=reason, policy=self.policy, task=task)

    def rollback(self, *, by: str, reason: str, task: str | None = None) -> Entry:
        """Make the champion before this one champion again."""
        return aliases.roll_back(self.models, by=by, why=reason, policy=self.policy, task=task)

    def earlier_champion(self, task: str | None = None) -> str:
        """Whom a rollback would make champion. Raises NotFound where there is nobody."""
        known = self.state()
        current = self.champion(task)
        earlier = state.before_champion(known, current.task)
        if earlier is None:
            raise NotFound(f"There was no champion before {current.name} that is still in use")
        return earlier

    def retire(self, word: str, *, by: str, reason: str) -> Entry:
        """Take a bundle out of use."""
        return aliases.retire(self.models, word, by=by, why=reason, policy=self.policy)

    def verify(self, without_weights: bool = False) -> verify.Report:
        """Check ledger, anchors, registry.json and every bundle."""
        return verify.check(self.models, without_weights)
