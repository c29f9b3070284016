"""The candidates for promotion, best on validation first, each with every gate and what is known against it now."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from mhc.analysis.overview import private
from mhc.cli.commands.candidates import reasons_of, worst_class
from mhc.errors import MhcError
from mhc.index.data_sets import by_data_set
from mhc.index.index import Index
from mhc.index.records import with_record
from mhc.index.rows import Row
from mhc.production.api import Registry
from mhc.record import RunRecord
from mhc.report.document import Block, Cells, Column, Grid, Paragraph, Part, Section
from mhc.report.results import RunResult
from mhc.report.sections.production import gates_of
from mhc.report.tables import MISSING, Cell, score
from mhc.serve.rendering import page
from mhc.serve.site import Site

PER_DATA_SET = 10
COLUMNS = (
    Column("run"), Column("val macro-F1", number=True), Column("test macro-F1", number=True),
    Column("worst class"), Column("gates", number=True), Column("bundle"), Column("now"),
)  # fmt: skip
OTHER_COLUMNS = (Column("run"), Column("val macro-F1", number=True), Column("why not"))


class Candidates:
    """The page of the candidates."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def answer(self, request: Request) -> Response:
        """Show the candidates."""
        registry = self._site.context.registry()
        sections = await self._site.slow.read(lambda index: sections_of(index, registry))
        return page(
            self._site.settings, "sections.html.j2", {"sections": sections}, title="Candidates", here="/candidates"
        )


def sections_of(index: Index, registry: Registry) -> list[Section]:
    """Return the candidates of each data set, gate by gate, and the best runs that are none."""
    rows = index.candidates(PER_DATA_SET)
    records = {row.path: record for row, record in with_record(index, rows)}
    runs = {path: msgspec.convert(record, RunRecord) for path, record in records.items()}
    try:
        reasons = list(registry.objections((index.folder(path), run) for path, run in runs.items()))
    except MhcError as problem:
        reasons = [str(problem)] * len(runs)
    results = {
        path: RunResult(record=run, location="", objection=private(reason))
        for (path, run), reason in zip(runs.items(), reasons, strict=True)
    }
    total = index.counts().candidates
    shown = (
        f"{len(rows):,} of {total:,} candidates, at most {PER_DATA_SET} of each data set. A candidate goes to "
        "production only if a person promotes it, on the page of the run."
    )
    blocks: list[Block] = [Paragraph(text=shown)]
    for data, group in by_data_set(rows).items():
        cells = [_cells(row, records[row.path], results[row.path]) for row in group if row.path in results]
        blocks.append(Grid(caption=f"On {data}, best on validation first", columns=COLUMNS, rows=cells))
    gates = [Part(title=_title(result), blocks=gates_of(result)) for result in results.values()]
    sections = [Section(title="Best on validation first", blocks=blocks), Section(title="Gate by gate", blocks=gates)]
    return [*(section for section in sections if section.blocks), *_others(index)]


def _title(result: RunResult) -> str:
    gates = result.record.promotion.gates
    return f"{result.record.id}: {sum(gate.verdict == 'passed' for gate in gates)} of {len(gates)} gates passed"


def _cells(row: Row, record: dict[str, object], result: RunResult) -> Cells:
    gates = result.record.promotion.gates
    passed = sum(gate.verdict == "passed" for gate in gates)
    now = Cell("would not be promoted", "yellow") if result.objection else Cell("nothing is known against it", "green")
    bundles = ", ".join(result.record.promotion.bundles) or MISSING
    scores = (score(row.val_f1_macro), score(row.f1_macro), worst_class(record))
    return (row.id, *scores, f"{passed}/{len(gates)}", bundles, now)


def _others(index: Index) -> list[Section]:
    rows = index.non_candidates(PER_DATA_SET)
    cells: list[Cells] = []
    for row, record in with_record(index, rows):
        first, *further = map(private, reasons_of(record))
        cells += [(row.id, score(row.val_f1_macro), first), *(("", "", reason) for reason in further)]
    grid = Grid(caption="Completed runs that are not candidates, the best", columns=OTHER_COLUMNS, rows=cells)
    return [Section(title="Why others are none", blocks=[grid])] if cells else []
