"""The way in, if the server has a token: the token once, a cookie from then on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mhc.serve.forms import fields_of, first
from mhc.serve.rendering import message, page
from mhc.serve.security import same
from mhc.serve.settings import Settings


class Login:
    """Answer `/login?token=...`, the address that is printed at the start, and the form of that page."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def answer(self, request: Request) -> Response:
        """Set the cookie and lead to the runs if the token is right."""
        if request.method == "POST":
            token = first(await fields_of(request), "token")
        else:
            token = request.query_params.get("token", "")
        if self._settings.token and not token:
            return page(self._settings, "login.html.j2", title="Log in")
        if self._settings.token and not same(token, self._settings.token):
            return message(self._settings, "The token is wrong", 401, title="Not logged in", back="/login")
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._settings.cookie_name, self._settings.cookie, httponly=True, samesite="strict")
        return answer
