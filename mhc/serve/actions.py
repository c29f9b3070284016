"""What a page changes, by the functions of the commands, with the name of who asks. Only POST, with the form key.

Each action returns the sentence that the page shows; a refusal is an error with the failed gates one a line.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from mhc import user_text
from mhc.cli.commands.promote import NO_ALIAS, parse_answers, parse_labels
from mhc.cli.context import Context
from mhc.errors import BadInput, Refused
from mhc.index.index import Index
from mhc.production import refusal
from mhc.production.build_bundle import RunSources, obstacle
from mhc.production.decision import Request as Promotion
from mhc.production.promote import judge as judge_run
from mhc.production.promote import promote as promote_run
from mhc.record import ARCHIVES, Gate, Location
from mhc.retention.annotations import Annotation, apply, edit_tags, set_pinned, write_note
from mhc.retention.archive import archive as archive_runs
from mhc.retention.archive import plan_archive, plan_restore
from mhc.retention.archive import restore as restore_runs
from mhc.serve.forms import fields_of, first, require_key
from mhc.serve.rendering import message
from mhc.serve.site import Site, row_of
from mhc.timestamps import now

Fields = dict[str, list[str]]
Action = Callable[[Context, Index, Fields], str]


class Actions:
    """Answer to the forms of one action."""

    def __init__(self, site: Site, name: str) -> None:
        self._site = site
        self._title, self._action = ACTIONS[name]

    async def answer(self, request: Request) -> Response:
        """Do what the form asks for, and show the result as a sentence."""
        fields = await fields_of(request)
        require_key(fields, self._site.settings)
        sentence = await self._site.changes.read(lambda index: self._action(self._site.context, index, fields))
        self._site.expire()
        run_id = first(fields, "run")
        back = f"/runs/{quote(run_id, safe='')}" if run_id else "/production"
        return message(self._site.settings, sentence, title=self._title, back=back)


def judge(context: Context, index: Index, fields: Fields) -> str:
    """Return the verdict of every gate now, and whether the run would be promoted."""
    request, sources = _promotion(context, index, fields), RunSources()
    policy = context.registry().policy
    verdict = judge_run(request, outputs=context.outputs, models=context.models, policy=policy, sources=sources)
    reason = obstacle(request.run, sources)
    would = f"{request.run.name} would not be promoted" + (f": {reason}" if reason else "")
    if not reason and not verdict.missed:
        would = f"{request.run.name} would be promoted as {verdict.name}"
    return _with_gates(would, verdict.gates)


def promote(context: Context, index: Index, fields: Fields) -> str:
    """Promote a run. A gate that it does not pass refuses it, which the ledger keeps; no page overrules a gate."""
    request = _promotion(context, index, fields)
    policy = context.registry().policy
    record = promote_run(request, outputs=context.outputs, models=context.models, policy=policy)
    return _with_gates(f"{record.run} is promoted as {record.name}", record.gates)


def _promotion(context: Context, index: Index, fields: Fields) -> Promotion:
    alias = first(fields, "alias")
    return Promotion(
        run=_folder(index, fields),
        by=first(fields, "by"),
        reason=first(fields, "reason"),
        name=first(fields, "name") or None,
        alias=None if alias in ("", NO_ALIAS) else alias,
        answers=parse_answers([line for line in first(fields, "answers").splitlines() if line.strip()]),
        labels=parse_labels(first(fields, "labels")),
        task=first(fields, "task") or None,
    )


def _with_gates(sentence: str, gates: list[Gate]) -> str:
    return "\n".join([sentence, *(f"{gate.name}: {gate.verdict}: {gate.reason}" for gate in gates)])


def refuse(context: Context, index: Index, fields: Fields) -> str:
    """Refuse a candidate."""
    folder, by, reason = _folder(index, fields), first(fields, "by"), first(fields, "reason")
    entry = refusal.refuse(folder, by=by, reason=reason, models=context.models)
    return f"{entry.run} is refused: it is no candidate any more"


def rollback(context: Context, index: Index, fields: Fields) -> str:
    """Make the previous champion the champion again."""
    by, reason, task = first(fields, "by"), first(fields, "reason"), first(fields, "task") or None
    entry = context.registry().rollback(by=by, reason=reason, task=task)
    return f"{entry.bundle} is champion again, instead of {entry.before}"


def pin(context: Context, index: Index, fields: Fields) -> str:
    """Protect a run from being archived."""
    return _annotated(index, fields, set_pinned(value=True), "pinned")


def unpin(context: Context, index: Index, fields: Fields) -> str:
    """Remove that protection."""
    return _annotated(index, fields, set_pinned(value=False), "no longer pinned")


def note(context: Context, index: Index, fields: Fields) -> str:
    """Write the note of a run."""
    return _annotated(index, fields, write_note(first(fields, "text"), append=False), "noted")


def tag(context: Context, index: Index, fields: Fields) -> str:
    """Add and remove tags."""
    add, remove = ([tag.strip() for tag in first(fields, name).split(",") if tag.strip()] for name in ("add", "remove"))
    if not add and not remove:
        raise BadInput("There is nothing to do. Give a tag to add or to remove")
    return _annotated(index, fields, edit_tags(add, remove), "tagged")


def _annotated(index: Index, fields: Fields, annotation: Annotation, result: str) -> str:
    folder = _folder(index, fields)
    changed = apply(folder, annotation, by=_author(fields), now=now())
    return f"{folder.name}: {result}" if changed else f"{folder.name}: nothing to change"


def archive(context: Context, index: Index, fields: Fields) -> str:
    """Move a run to an archive; a running, pinned, candidate or promoted run is refused."""
    folder, policy, to = _folder(index, fields), context.liveness(), first(fields, "to")
    if to not in ARCHIVES:
        raise BadInput(f"{to[:40]!r} is no archive. Choose one of: {', '.join(ARCHIVES)}")
    user_text.require_author("Archiving", first(fields, "by"), first(fields, "reason"))
    due = plan_archive([folder], context.outputs, context.models, Location(to), policy, first(fields, "reason"))
    archive_runs(due, context.outputs, policy, now=now(), by=first(fields, "by"))
    return f"{folder.name} archived to {to}"


def restore(context: Context, index: Index, fields: Fields) -> str:
    """Move an archived run back."""
    folder, by = _folder(index, fields), _author(fields)
    plan_restore([folder], context.outputs)
    restore_runs([folder], context.outputs, now=now(), by=by)
    return f"{folder.name} restored"


def _folder(index: Index, fields: Fields) -> Path:
    """Return the folder of the run that the form names by its whole id.

    Raises:
        NotFound: if there is none.
        Refused: if it is a bundle.
    """
    row = row_of(index, first(fields, "run"))
    if row.location == "production":
        raise Refused(f"{row.id} is a bundle; bundles are never changed")
    return index.folder(row.path)


def _author(fields: Fields) -> str:
    """Return the name of who asks.

    Raises:
        BadInput: if it is blank, too long or has a control character.
    """
    by = first(fields, "by")
    if not by:
        raise BadInput("A change needs the name of who makes it. Fill in your name")
    user_text.check_line("The name", by)
    return by


ACTIONS: dict[str, tuple[str, Action]] = {
    "judge": ("Every gate now", judge),
    "promote": ("Promote", promote),
    "refuse": ("Refuse", refuse),
    "rollback": ("Roll back", rollback),
    "pin": ("Pin", pin),
    "unpin": ("Unpin", unpin),
    "note": ("Note", note),
    "tag": ("Tags", tag),
    "archive": ("Archive", archive),
    "restore": ("Restore", restore),
}
"""The title of the page with the result, and the function."""
