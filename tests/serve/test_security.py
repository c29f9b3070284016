"""Who may ask the server what, how often and how much."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from mhc.serve.app import application
from mhc.serve.explained import Explained
from mhc.serve.rates import Rates
from mhc.serve.security import POLICY, Guard
from mhc.serve.settings import Limits, Settings
from tests.serve.conftest import Open

CANARY = "the quick canary of a post"
TOKEN = "a-token-that-nobody-guesses"


def test_every_answer_has_the_headers_of_the_guard(client: TestClient) -> None:
    for path in ("/login", "/nowhere", "/static/page.css", "/static/nothing"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
    assert "unsafe" not in POLICY


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example:8000", "", "evil.example:8000", "[", "0.0.0.0", "127.1"),
        *("evil@127.0.0.1:8000", "127.0.0.1/evil", "127.0.0.1:8000?", "127.0.0.1:port", "127.0.0.1\\evil"),
    ],
)
def test_request_for_another_host_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/static/page.css", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "LOCALHOST", "localhost:9999"])
def test_names_of_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/static/page.css", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "http://localhost:8000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_change_from_a_foreign_page_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/login", headers=headers).status_code == 403
    assert client.get("/static/page.css", headers=headers).status_code == 200


def test_without_the_token_nothing_is_shown(serve: Open) -> None:
    client = serve(token=TOKEN)
    for path in ("/", "/candidates", "/production", "/live", "/metrics", "/nowhere"):
        assert client.get(path).status_code == 401
        assert client.post(path).status_code == 401
    assert client.get("/", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/", headers={"cookie": f"mhc_session_8000={TOKEN}"}).status_code == 401


def test_refusal_of_the_guard_is_a_page_with_a_way_on(serve: Open) -> None:
    answer = serve(token=TOKEN).get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Not logged in - mhc</title>" in answer.text
    assert '<a href="/login">Back</a>' in answer.text
    assert "form_key" not in answer.text


def test_token_is_shown_by_header_or_once_by_login(serve: Open) -> None:
    client = serve(token=TOKEN)
    assert client.get("/nowhere", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 404
    assert client.get("/login?token=wrong").status_code == 401
    answer = client.get(f"/login?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/nowhere").status_code == 404


def test_server_for_other_machines_needs_a_token(serve: Open) -> None:
    client = serve(host="192.0.2.7")
    assert client.get("/nowhere", headers={"host": "192.0.2.7"}).status_code == 401


def test_body_that_is_announced_too_large_is_not_read(serve: Open) -> None:
    client = serve(limits=Limits(body_bytes=1000))

    def body() -> Iterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    for length in ("100000000", "9" * 40, "-1", "1e3"):
        assert client.post("/login", content=body(), headers={"content-length": length}).status_code == 413


def test_headers_that_are_too_large_are_refused(client: TestClient) -> None:
    answer = client.get("/login", headers={"x-long": "a" * 40_000})
    assert answer.status_code == 431
    assert "32,768 bytes" in answer.text


def test_address_with_a_further_slash_is_not_led_on(client: TestClient) -> None:
    assert client.get("/candidates/").status_code == 404
    assert client.post("/predict/").json() == {"error": "There is no such page"}


def test_other_method_is_told_which_one_is_answered(client: TestClient) -> None:
    answer = client.put("/predict")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"error": "This address is for POST only"}


def test_body_that_grows_too_large_ends_there(serve: Open) -> None:
    client = serve(limits=Limits(body_bytes=1000), token=TOKEN)
    answer = client.post(
        "/login",
        content=iter([b"token=", *[b"a" * 500] * 10]),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 413


def test_thousand_requests_at_once_are_answered_or_refused(serve: Open) -> None:
    client = serve(limits=Limits(per_second=0.001, burst=50))
    statuses = [client.get("/static/page.css").status_code for _ in range(1000)]
    assert (statuses.count(200), statuses.count(429)) == (50, 950)


def test_rates_forget_clients_so_that_memory_is_bounded() -> None:
    rates = Rates(per_second=1, burst=2, clients=100)
    assert all(rates.allows(str(number), 0.0) for number in range(100_000))
    assert len(rates) == 100


def test_client_that_waits_is_answered_again() -> None:
    rates = Rates(per_second=2, burst=2, clients=10)
    assert [rates.allows("a", 0.0) for _ in range(3)] == [True, True, False]
    assert [rates.allows("a", 0.5), rates.allows("a", 0.5), rates.allows("b", 0.5)] == [True, False, True]


def test_forms_of_another_start_are_not_accepted(serve: Open) -> None:
    one, other = (serve(token=TOKEN).app.state.settings for _ in range(2))  # type: ignore[attr-defined]
    assert one.form_key != other.form_key
    assert one.cookie != other.cookie


def test_bug_shows_and_logs_places_and_no_value(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    def broken(request: Request) -> Response:
        raise ValueError(f"cannot parse {CANARY!r}")

    app = Starlette(routes=[Route("/", broken)], middleware=[Middleware(Explained, settings)])
    answer = TestClient(app).get("/")
    assert (answer.status_code, "This is a bug in mhc" in answer.text) == (500, True)
    assert "test_security.py" in caplog.text
    assert CANARY not in answer.text + caplog.text


async def ask(guard: Guard, receive: Receive, **changes: object) -> int:
    """Send one request through the guard, and return the status of the answer."""
    headers = [(b"host", b"127.0.0.1")]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "client": ("127.0.0.1", 1), **changes}
    statuses = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await guard(scope, receive, send)
    return statuses[0]


def test_requests_beyond_the_room_are_refused_not_queued(settings: Settings) -> None:
    async def check() -> list[int]:
        free, waiting = asyncio.Event(), asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            waiting.set()
            await free.wait()
            await PlainTextResponse("done")(scope, receive, send)

        guard = Guard(slow, dataclasses.replace(settings, limits=Limits(concurrent=1)), Counter())
        first = asyncio.create_task(ask(guard, nothing))
        await waiting.wait()
        refused = await ask(guard, nothing)
        free.set()
        return [refused, await first, await ask(guard, nothing)]

    assert asyncio.run(check()) == [503, 200, 200]


async def nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def test_body_that_stops_coming_ends_the_request(settings: Settings) -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    limited = dataclasses.replace(settings, limits=Limits(body_seconds=0.05))
    app = application(limited)
    guard = Guard(app, limited, Counter())
    form = [(b"host", b"127.0.0.1"), (b"content-type", b"application/x-www-form-urlencoded")]
    assert asyncio.run(ask(guard, never, path="/login", headers=form)) == 408


def test_websocket_is_refused(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/live"):
        pass


def test_client_that_does_not_read_is_let_go(settings: Settings) -> None:
    async def check() -> None:
        async def stuck(message: Message) -> None:
            await asyncio.Event().wait()

        limited = dataclasses.replace(settings, limits=Limits(answer_seconds=0.05))
        guard = Guard(application(limited), limited, Counter())
        headers = [(b"host", b"127.0.0.1")]
        scope = {"type": "http", "method": "GET", "path": "/static/page.css", "headers": headers, "client": ("a", 1)}
        await asyncio.wait_for(guard(scope, nothing, stuck), 20)

    asyncio.run(check())
