"""`/try`: a form for one text, and what a bundle makes of it. The text is in the body of the request and the page only.

It is never in an address, a cookie, a log or a file: no part of the query is read, and no answer may be stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from mhc.analysis.overview import private
from mhc.errors import BadInput, MhcError
from mhc.production.state import CHAMPION, State
from mhc.serve.explained import STATUSES
from mhc.serve.forms import fields_of, first, require_key
from mhc.serve.prediction import schema
from mhc.serve.prediction.api import BUSY
from mhc.serve.prediction.batches import Full
from mhc.serve.prediction.bundles import Bundles, Served
from mhc.serve.prediction.counts import Counts
from mhc.serve.prediction.explanation import Explanation, explanation
from mhc.serve.rendering import page
from mhc.serve.settings import Settings

PATH = "/try"
TEMPLATE = "try.html.j2"
MOST_CHOICES = 200


@dataclass(frozen=True, kw_only=True)
class Entered:
    """The form as the user has filled it in."""

    text: str = ""
    bundle: str = CHAMPION
    threshold: str = ""
    explain: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, list[str]]) -> Entered:
        """Return the values of a form."""
        values = dict(fields)
        return cls(
            text=first(values, "text"),
            bundle=first(values, "bundle") or CHAMPION,
            threshold=first(values, "abstain_below"),
            explain=first(values, "explain") == "1",
        )

    @property
    def abstain_below(self) -> float | None:
        """The probability below which there is no decision.

        Raises:
            BadInput: if it is not a number from 0 to 1.
        """
        if not self.threshold:
            return None
        try:
            value = float(self.threshold)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise BadInput("The least probability for a decision has to be a number from 0 to 1")
        return value


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a bundle makes of a text."""

    served: Served
    response: schema.PredictResponse
    explained: Explanation | None

    @property
    def result(self) -> schema.Result:
        """The answer for the text."""
        return self.response.results[0]

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """The labels with their probabilities, the most probable first."""
        return sorted(self.result.probabilities.items(), key=lambda item: -item[1])


class TryIt:
    """The form and its answer."""

    def __init__(self, settings: Settings, bundles: Bundles, counts: Counts) -> None:
        self._settings, self._bundles, self._counts = settings, bundles, counts

    async def answer(self, request: Request) -> Response:
        """Show the empty form, or the form with the prediction for its text."""
        if request.method != "POST":
            return await self._page(Entered())
        started = time.perf_counter()
        fields = await fields_of(request)
        require_key(fields, self._settings)
        entered = Entered.of(fields)
        try:
            answer = await self._page(entered, outcome=await self._outcome(entered))
        except Full:
            answer = await self._page(entered, problem=BUSY, status=503)
            answer.headers["retry-after"] = "1"
        except MhcError as error:
            status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)
            answer = await self._page(entered, problem=private(str(error)), status=status)
        self._counts.add(PATH, answer.status_code, time.perf_counter() - started)
        return answer

    async def _outcome(self, entered: Entered) -> Outcome:
        threshold = entered.abstain_below
        if not 0 < len(entered.text) <= schema.LONGEST_TEXT:
            raise BadInput(f"Enter a text of 1 to {schema.LONGEST_TEXT:,} characters")
        served = await self._bundles.get(entered.bundle)
        answer = await asyncio.wrap_future(served.batches.submit([entered.text]))
        if not answer.labels[0]:
            raise BadInput("The text has no visible character. Enter at least one word")
        response = schema.response(served, answer, threshold)
        explained = None
        if entered.explain:
            explained = await explanation(self._bundles, served, entered.text, answer.labels[0])
        self._counts.texts[served.bundle.name] += 1
        return Outcome(served=served, response=response, explained=explained)

    async def _page(
        self, entered: Entered, *, outcome: Outcome | None = None, problem: str = "", status: int = 200
    ) -> Response:
        """Return the page; a ledger that cannot be read leaves no bundle to choose."""
        try:
            choices = choices_of(await self._bundles.state())
        except MhcError as error:
            choices, problem, status = {}, private(str(error)), 500
        values = {
            "entered": entered,
            "choices": choices,
            "outcome": outcome,
            "problem": problem,
            "longest": schema.LONGEST_TEXT,
            "no_diagnosis": schema.NOTICE,
        }
        return page(self._settings, TEMPLATE, values, title="Try a text", here=PATH, status=status)


def choices_of(production: State) -> dict[str, str]:
    """Return the aliases and the bundles that are not retired, with what each is called in the form."""
    aliases = {
        alias: f"{alias}: {production.aliases[holders[0]][alias]}"
        for alias, holders in production.holders.items()
        if holders and alias in production.aliases.get(holders[0], {})
    }
    alive = [bundle for bundle in production.bundles.values() if not bundle.retired]
    names = {bundle.name: bundle.name for bundle in reversed(alive[-MOST_CHOICES:])}
    champion_first = sorted(aliases.items(), key=lambda item: (item[0] != CHAMPION, item[0]))
    return {**dict(champion_first), **names}
