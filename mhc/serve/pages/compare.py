"""Two or more runs side by side, with paired tests: what `mhc compare` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from mhc.analysis.overview import private
from mhc.cli.commands.compare import is_main_metric, value_cell
from mhc.cli.paired_table import COLUMNS, note, paired_tests, test_cells
from mhc.errors import BadInput
from mhc.index.compare import Comparison, Line, compare
from mhc.index.index import Index
from mhc.index.labels import labels_of
from mhc.policy import load
from mhc.production.paired_runs import PairedTest
from mhc.report.document import Block, Cells, Column, Grid, Paragraph, Section
from mhc.report.tables import Cell
from mhc.serve.rendering import page
from mhc.serve.site import Site, row_of

MAX_RUNS = 20
"""Runs that are shown side by side."""


class Compare:
    """The page that compares runs."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def answer(self, request: Request) -> Response:
        """Compare the runs that the URL names by `run`."""
        ids = list(dict.fromkeys(request.query_params.getlist("run")))
        if not 2 <= len(ids) <= MAX_RUNS:
            raise BadInput(f"A comparison needs 2 to {MAX_RUNS} runs, not {len(ids)}. Choose them in the table of runs")
        policy = self._site.context.policy
        sections = await self._site.slow.read(lambda index: sections_of(index, ids, policy))
        return page(
            self._site.settings, "sections.html.j2", {"sections": sections}, title=f"Compare {len(ids)} runs", here="/"
        )


def sections_of(index: Index, ids: Sequence[str], policy: str) -> list[Section]:
    """Return what differs, the metrics, and the paired tests.

    Raises:
        NotFound: if there is no run with one of the ids.
        Unreadable: if the record of one of them cannot be read.
    """
    rows = [row_of(index, run_id) for run_id in ids]
    comparison = compare(index, rows)
    tests = paired_tests(index, rows, load(policy).promotion, of_best=False)
    labels = dict(zip((index.folder(row.path).name for row in rows), labels_of(index, rows).texts, strict=True))
    differing = [line for line in comparison.config if line.differs]
    same = len(comparison.config) - len(differing)
    metrics = [line for line in comparison.metrics if is_main_metric(line)]
    return [
        Section(title="Metrics", blocks=[_grid("The best of each line is bold", comparison, metrics)]),
        Section(title="Paired tests", blocks=list(_tests(tests, labels))),
        Section(
            title="What differs",
            blocks=[
                *([_grid("Values of config, data, model and code", comparison, differing)] if differing else []),
                Paragraph(text=f"{same} other values are the same."),
            ],
        ),
    ]


def _grid(caption: str, comparison: Comparison, lines: Sequence[Line]) -> Grid:
    columns = (Column("value"), *(Column(row.id) for row in comparison.rows))
    rows: list[Cells] = [
        (line.field, *(_private(value_cell(line, place)) for place in range(len(comparison.rows)))) for line in lines
    ]
    return Grid(caption=caption, columns=columns, rows=rows)


def _private(cell: Cell) -> Cell:
    return Cell(private(cell.text), cell.style)


def _tests(tests: Sequence[PairedTest], labels: Mapping[str, str]) -> list[Block]:
    blocks: list[Block] = []
    columns = [Column(column.title, number=column.right) for column in COLUMNS]
    for challenger in dict.fromkeys(test.challenger for test in tests):
        own = [test for test in tests if test.challenger == challenger]
        rows: list[Cells] = [
            [_private(cell) if isinstance(cell, Cell) else private(cell) for cell in cells]
            for cells in (test_cells(test, test.incumbent) for test in own)
        ]
        blocks.append(Grid(caption=f"{challenger} {labels.get(challenger, '')}", columns=columns, rows=rows))
        blocks.append(Paragraph(text=f"{note(own)}."))
    return blocks
