"""The style sheets and the script of the pages: read once, found by their names only."""

from __future__ import annotations

from functools import cache
from importlib import resources

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FILES = {
    "palette.css": ("mhc.report", "templates/palette.css", "text/css"),
    "report.css": ("mhc.report", "templates/style.css", "text/css"),
    "page.css": ("mhc.serve", "static/page.css", "text/css"),
    "page.js": ("mhc.serve", "static/page.js", "text/javascript"),
}
"""Name -> package, file and type."""


@cache
def content(name: str) -> bytes:
    """Return a file of `FILES`."""
    package, file, _ = FILES[name]
    return resources.files(package).joinpath(file).read_bytes()


async def static_file(request: Request) -> Response:
    """Answer with a file of `FILES`."""
    name = request.path_params["name"]
    if name not in FILES:
        raise HTTPException(404, "There is no such file")
    return Response(content(name), media_type=FILES[name][2])
