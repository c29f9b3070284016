"""`POST /predict` and its schema, for other programs."""

from __future__ import annotations

import asyncio
import time

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mhc.analysis.overview import private
from mhc.errors import BadInput, MhcError
from mhc.serve.explained import STATUSES
from mhc.serve.prediction import schema
from mhc.serve.prediction.batches import Full
from mhc.serve.prediction.bundles import Bundles
from mhc.serve.prediction.counts import Counts
from mhc.serve.refusals import problem
from mhc.serve.settings import PREDICT

BUSY = "Too many texts wait for this model. Wait a second and repeat the request"


class Api:
    """The predictions of bundles as JSON."""

    def __init__(self, bundles: Bundles, counts: Counts) -> None:
        self._bundles, self._counts = bundles, counts

    async def predict(self, request: Request) -> Response:
        """Label the texts of a request."""
        started = time.perf_counter()
        status = 500  # unless there is an answer
        try:
            answer = await self._explained(request)
            status = answer.status_code
        finally:
            self._counts.add(PREDICT, status, time.perf_counter() - started)
        return answer

    async def _explained(self, request: Request) -> Response:
        try:
            content = msgspec.json.encode(await self._answer(request))
        except Full:
            return problem(503, BUSY, {"retry-after": "1"})
        except HTTPException as error:  # of the guard, while the body is read
            return problem(error.status_code, error.detail, error.headers or {})
        except BadInput as error:
            return problem(400, str(error))
        except MhcError as error:  # it can name a file of the server
            status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)
            return problem(status, private(str(error)))
        return Response(content, media_type="application/json")

    async def describe(self, request: Request) -> Response:
        """Answer with the JSON Schema of `/predict`."""
        return Response(msgspec.json.encode(schema.json_schema()), media_type="application/schema+json")

    async def _answer(self, request: Request) -> schema.PredictResponse:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415, f"The body is not JSON (application/json). The schema is at {schema.SCHEMA}")
        asked = schema.decoded(await request.body())
        served = await self._bundles.get(asked.bundle, asked.task)
        answer = await asyncio.wrap_future(served.batches.submit(asked.texts))
        response = schema.response(served, answer, asked.abstain_below)
        self._counts.texts[served.bundle.name] += len(asked.texts)
        return response
