"""The guard in front of every page: who may ask what, how often and how much. An ASGI middleware.

In this order: the Host header names this server (else a foreign name could lead a browser here), the client is within
its rate, the server has room, a request that changes something comes from a page of this server, the client has shown
the token, and the body is not too large. Every answer carries the headers that keep a browser from doing more than it
should. Nothing of a request is logged.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, cookie_parser

from mhc.serve.rates import Rates
from mhc.serve.refusals import refusal
from mhc.serve.settings import Settings, is_for_programs, is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING = ("GET", "HEAD")
OPEN = ("/login", "/health", "/static/")
"""Paths that need no token: they show nothing of the runs."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with no-referrer, browsers send the forms of our own pages with `Origin: null`
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Of every answer, unless the answer has its own."""


HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^][:/@?#\\\s]+)(:[0-9]{1,5})?")
"""A Host header: a name or an address, and a port; no user, no path."""


class Refusal(Exception):  # not an error: an answer
    """An answer of the guard: its status and a sentence."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Guard:
    """Refuse what must not reach the pages, and count what was answered."""

    def __init__(self, app: ASGIApp, settings: Settings, answers: Counter[int]) -> None:
        self._app, self._settings, self._answers = app, settings, answers
        limits = settings.limits
        self._rates = Rates(limits.per_second, limits.burst, limits.clients)
        self._predict_rates = Rates(limits.predict_per_second, limits.predict_burst, limits.clients)
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, self._with_headers(send))
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
        except Refusal as refused:
            answer = refusal(self._settings, scope["path"], refused.status, refused.sentence, refused.headers)
            await answer(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, self._limited(scope, receive), send)
        finally:
            self._running -= 1

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        check_host(headers, self._settings)
        client = scope["client"][0] if scope.get("client") else ""
        rates = self._predict_rates if is_for_programs(scope["path"]) else self._rates
        if not rates.allows(client, time.monotonic()):
            raise Refusal(429, "Too many requests. Wait a second and repeat it", retry_after="1")
        if self._running >= self._settings.limits.concurrent:
            raise Refusal(503, "The server is busy. Wait a second and repeat it", retry_after="1")
        if scope["method"] not in READING:
            check_origin(headers)
        check_token(scope, headers, self._settings)
        limits = self._settings.limits
        if sum(len(name) + len(value) for name, value in scope["headers"]) > limits.header_bytes:
            raise Refusal(431, f"The headers have more than {limits.header_bytes:,} bytes", connection="close")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > self._largest(scope):
            raise Refusal(413, f"The body has more than {self._largest(scope):,} bytes", connection="close")

    def _largest(self, scope: Scope) -> int:
        limits = self._settings.limits
        return limits.predict_body_bytes if is_for_programs(scope["path"]) else limits.body_bytes

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Return `receive`, which ends if the body is larger than it may be or comes too slowly."""
        left, complete = self._largest(scope), False

        async def limited() -> Message:
            nonlocal left, complete
            if complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._settings.limits.body_seconds)
            except TimeoutError:
                raise HTTPException(408, "The body came too slowly", {"connection": "close"}) from None
            left -= len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if left < 0:
                raise HTTPException(413, "The body is too large", {"connection": "close"})
            return message

        return limited

    def _with_headers(self, send: Send) -> Send:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answers[message["status"]] += 1
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            try:
                await asyncio.wait_for(send(message), self._settings.limits.answer_seconds)
            except TimeoutError:
                raise ClientDisconnect from None

        return with_headers


def check_host(headers: Headers, settings: Settings) -> None:
    """Check that the request names this server.

    Raises:
        Refusal: if its Host header is missing or names another one.
    """
    host = HOST.fullmatch(headers.get("host", "").lower())
    if host is None or host["name"].strip("[]") not in settings.hosts:
        raise Refusal(421, "This server has another name. Open it by the address that mhc serve has printed")


def check_origin(headers: Headers) -> None:
    """Check that a request that changes something was not sent by the page of another server.

    Raises:
        Refusal: if it was.
    """
    origin = headers.get("origin")
    if origin is not None and place_of(origin) != headers.get("host", "").lower():
        raise Refusal(403, "The request comes from a page of another server")
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refusal(403, "The request comes from a page of another server")


def check_token(scope: Scope, headers: Headers, settings: Settings) -> None:
    """Check that the client has shown the token, if there is one.

    Raises:
        Refusal: if it has not, or if there is none although other machines can reach the server.
    """
    if any(scope["path"] == path or (path.endswith("/") and scope["path"].startswith(path)) for path in OPEN):
        return
    if not settings.token:
        if is_loopback(settings.host):
            return
        raise Refusal(401, "This server can be reached from other machines, and has no token")
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and same(value.strip(), settings.token):
        return
    if same(cookie_parser(headers.get("cookie", "")).get(settings.cookie_name, ""), settings.cookie):
        return
    hint = "Open the address with the token that mhc serve has printed, or /login"
    raise Refusal(401, hint, www_authenticate="Bearer")


def same(one: str, other: str) -> bool:
    """Compare two secrets in a time that tells nothing about them."""
    return hmac.compare_digest(one.encode(), other.encode())


def place_of(origin: str) -> str:
    """Return `host:port` of an origin; an empty text of `null` and of what is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
