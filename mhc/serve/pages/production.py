"""What is and was in production: champions, aliases, the ledger, and whether all files are intact."""

from __future__ import annotations

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from mhc.analysis.overview import private
from mhc.production import ledger, state, verify
from mhc.production.api import Registry
from mhc.report.document import Block, Cells, Column, Grid, Paragraph, Section
from mhc.report.tables import Cell
from mhc.serve.rendering import page
from mhc.serve.site import Site
from mhc.terminal import quantity

MAX_ENTRIES = 200
"""Entries of the ledger that are shown, the newest."""
MAX_FLAWS = 50


class Production:
    """The page of the bundles."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def answer(self, request: Request) -> Response:
        """Show the bundles; with `verify=1` after checking every file."""
        registry = self._site.context.registry()
        checked = request.query_params.get("verify") == "1"
        sections = await self._site.slow.call(lambda: sections_of(registry, checked=checked))
        values = {"sections": sections, "checked": checked}
        return page(self._site.settings, "production.html.j2", values, title="Production", here="/production")


def sections_of(registry: Registry, *, checked: bool) -> list[Section]:
    """Return the champions, the state of the files, and the history, newest first, each failed gate on a line.

    Raises:
        Unreadable: if the ledger is damaged or was changed.
    """
    history = registry.history()
    production = registry.state()
    files = _checked(registry) if checked else [_unchecked(len(history))]
    return [
        Section(title="Champions and aliases", blocks=[_aliases(production)]),
        Section(title="State of the files", blocks=files),
        Section(title="History", blocks=_history(history)),
    ]


def _aliases(production: state.State) -> Block:
    rows: list[Cells] = []
    for task, aliases in production.aliases.items():
        for alias, name in aliases.items():
            bundle = production.bundles[name]
            style = "bold red" if bundle.forced else "bold" if alias == state.CHAMPION else ""
            forced = "; by force" if bundle.forced else ""
            rows.append(
                (alias, Cell(name + forced, style), bundle.run, bundle.promoted_at[:10], bundle.by,
                 production.tasks[task], ", ".join(bundle.labels))
            )  # fmt: skip
    columns = [Column(title) for title in ("alias", "bundle", "run", "promoted", "by", "task", "labels")]
    if not rows:
        return Paragraph(text="No bundle has an alias. Promote a run on its page.")
    return Grid(caption="What programs receive under each alias", columns=columns, rows=rows)


def _unchecked(entries: int) -> Block:
    return Paragraph(
        text=f"The ledger has {quantity(entries, 'entry')}, and its chain of checksums is intact. The files of the "
        "bundles were not read for this page."
    )


def _checked(registry: Registry) -> list[Block]:
    report = verify.check(registry.models)
    if report.ok:
        intact = f"{quantity(report.entries, 'ledger entry')}, {quantity(report.bundles, 'bundle')}"
        return [Paragraph(text=f"Intact: {intact} (head {report.head[:16]}).")]
    flaws = [*report.wrong, *(f"left over: {line}" for line in report.leftover)]
    rows: list[Cells] = [(Cell(private(line), "red"),) for line in flaws[:MAX_FLAWS]]
    return [
        Paragraph(
            text=f"{len(report.wrong)} wrong, {len(report.leftover)} left over. See all with: mhc verify",
            important=True,
        ),
        Grid(caption="What is wrong", columns=(Column("file and flaw"),), rows=rows),
    ]


def _history(entries: list[ledger.Entry]) -> list[Block]:
    if not entries:
        return [Paragraph(text="Nothing was ever promoted or refused.")]
    shown = [ledger.masked(entry) for entry in reversed(entries[-MAX_ENTRIES:])]
    rows: list[Cells] = []
    for entry in shown:
        sentence = private(state.sentence(replace(entry, failed=[])))
        rows.append((f"{entry.at[:19]}Z", Cell(sentence, "bold red" if entry.forced else "")))
        rows += [("", private(gate)) for gate in entry.failed]
    caption = f"The newest {len(shown):,} of {len(entries):,} entries of the ledger, newest first"
    return [Grid(caption=caption, columns=(Column("at"), Column("what")), rows=rows)]
