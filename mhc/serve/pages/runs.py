"""The runs as a table: filters, order and page are in the URL, in the language of `mhc list`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from mhc.cli.commands.list import RUN_COLUMNS, counts_sentence, run_cells
from mhc.cli.output import TableRow
from mhc.cli.run_options import CATEGORIES, LOCATIONS, STATUSES, FilterOptions
from mhc.errors import BadInput
from mhc.index.config_names import ConfigNames
from mhc.index.index import Index
from mhc.index.records import config_names
from mhc.index.rows import Row
from mhc.index.search import search
from mhc.index.selection import Selection, Sort
from mhc.serve.live import MAX_SHOWN, progress_of
from mhc.serve.rendering import page
from mhc.serve.site import Site
from mhc.timestamps import now

PER_PAGE = 50
MAX_TEXT = 1_000
"""Characters of an expression or a search."""
SORTS = {
    "id": "id", "status": "status", "category": "category", "model": "model.name", "data": "data.name",
    "age": "created_at", "took": "duration", "val F1": "val.f1_macro", "test F1": "test.f1_macro", "cand": "candidate",
}  # fmt: skip
"""Column -> field by which its heading sorts."""
FIELDS = ("where", "search", "status", "category", "location", "tag", "name", "since", "sort", "reverse")
"""Parameters of the URL that select and order runs."""


class Query(NamedTuple):
    """What the URL asks for."""

    where: str = ""
    search: str = ""
    status: str = ""
    category: str = ""
    location: str = ""
    tag: str = ""
    name: str = ""
    since: str = ""
    sort: str = "created_at"
    reverse: str = ""
    page: int = 1

    @classmethod
    def of(cls, parameters: QueryParams) -> Query:
        """Return the query of a URL; a page that is no number is the first.

        Raises:
            BadInput: if a value is too long, or is none of those to choose from.
        """
        values = {name: value.strip() for name, value in parameters.items() if name in FIELDS and value.strip()}
        if any(len(value) > MAX_TEXT for value in values.values()):
            raise BadInput(f"A filter has more than {MAX_TEXT:,} characters")
        for name, choices in (("status", STATUSES), ("category", CATEGORIES), ("location", LOCATIONS)):
            if values.get(name, choices[0]) not in choices:
                raise BadInput(f"No {name} {values[name][:40]!r}. Choose one of: {', '.join(choices)}")
        number = parameters.get("page", "1")
        return cls(**values, page=max(1, int(number)) if number.isdecimal() and len(number) < 9 else 1)

    def url(self, **changes: object) -> str:
        """Return the address of the query with some values changed, without those that are usual."""
        values = self._replace(**{"page": 1, **changes})._asdict()  # type: ignore[arg-type]
        changed = {name: value for name, value in values.items() if value != self._field_defaults[name]}
        return f"/?{urlencode(changed)}" if changed else "/"

    def options(self) -> FilterOptions:
        """Return the filters as `mhc list` reads them."""

        def only(value: str) -> tuple[str, ...]:
            return (value,) if value else ()

        return FilterOptions(
            statuses=only(self.status),
            categories=only(self.category),
            locations=only(self.location),
            tags=only(self.tag),
            name=self.name or None,
            since=self.since or None,
            where=self.where or None,
        )


class Heading(NamedTuple):
    """A column of the table."""

    title: str
    url: str
    """Address of the table in the order of this column; empty if it has none."""
    order: str
    """`ascending`, `descending` or an empty text, as `aria-sort` names them."""
    number: bool


class Runs:
    """The page with the table of the runs."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def answer(self, request: Request) -> Response:
        """Show the runs that the URL asks for; an expression that is wrong is shown with the sentence about it."""
        problem, query = "", Query()
        try:
            query = Query.of(request.query_params)
            values = await self._site.quick.read(lambda index: table(index, query, now()))
        except BadInput as error:
            problem = str(error)
            values = await self._site.quick.read(lambda index: table(index, Query(), now()))
        shown = {"query": query, "problem": problem, **CHOICES, **values}
        return page(self._site.settings, "runs.html.j2", shown, title="Runs", here="/", status=400 if problem else 200)


CHOICES: Mapping[str, object] = {"statuses": STATUSES, "categories": CATEGORIES, "locations": LOCATIONS}


def table(index: Index, query: Query, now: datetime) -> dict[str, object]:
    """Return what the template shows of the runs.

    Raises:
        BadInput: if the expression, the time or the field of the order is wrong.
    """
    names = config_names(index)
    order = Sort.by(query.sort, names, reverse=bool(query.reverse))
    selection = Selection(index, query.options().parse(now, names), now)
    start = (query.page - 1) * PER_PAGE
    if query.search:
        found = {hit.row.path for hit in search(index, query.search.split())}
        rows = [row for row in selection.rows(order) if row.path in found]
        total, sentence = len(rows), f"{len(rows):,} of the runs have these words"
    else:
        rows = selection.rows(order, start + PER_PAGE)
        total = selection.counts().total
        sentence = counts_sentence(selection, min(PER_PAGE, max(0, total - start)))
    return {
        "headings": headings(query, order, names),
        "rows": [shown(row, now) for row in rows[start : start + PER_PAGE]],
        "sentence": sentence,
        "pages": max(1, -(-total // PER_PAGE)),
        "running": [progress_of(index, row, now) for row in index.running()[:MAX_SHOWN]],
        "unreadable": [row.error for row in index.unreadable()[:3]],
    }


def headings(query: Query, order: Sort, names: ConfigNames) -> list[Heading]:
    """Return the columns; the heading of the column that is sorted by turns the order around."""
    result = []
    for column in RUN_COLUMNS:
        field = SORTS.get(column.title, "")
        current = bool(field) and Sort.by(field, names).path == order.path
        url = query.url(sort=field, reverse="" if not current or query.reverse else "1") if field else ""
        direction = ("descending" if order.descending else "ascending") if current else ""
        result.append(Heading(column.title, url, direction, column.right))
    return result


def shown(row: Row, now: datetime) -> tuple[Row, TableRow]:
    """Return a row with its cells."""
    return row, run_cells(row, now)
