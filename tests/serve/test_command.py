"""`mhc serve`: the address, the token, and a process that serves and ends."""

from __future__ import annotations

import http.client
import json
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from mhc.cli.command_table import COMMANDS
from mhc.serve import command
from mhc.serve.settings import Limits
from tests.serve.conftest import serving
from tests.support.builders import a_run
from tests.support.typed import typed

RUN = "attention_20261120_120000_a1b2"


def get(url: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def test_server_answers_follows_a_run_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    a_run(tmp_path / "outputs", RUN)
    with serving(tmp_path) as (address, process):
        assert get(address)[1].count(f'data-run="{RUN}"') == 1
        assert get(f"{address}health") == (200, '{"status":"ok"}')
        with urllib.request.urlopen(f"{address}live", timeout=20) as events:
            first = next(line for line in events if line.startswith(b"data: "))
            assert json.loads(first[6:])["total"] == 1
            a_run(tmp_path / "outputs", "focal_20261120_130000_c3d4")
            second = next(line for line in events if line.startswith(b"data: "))
            assert json.loads(second[6:])["total"] == 2
            with ExitStack() as others:
                for _ in range(Limits().streams - 1):
                    others.enter_context(urllib.request.urlopen(f"{address}live", timeout=20))
                assert get(f"{address}live")[0] == 503
                process.send_signal(signal.SIGINT)
                assert process.wait(timeout=20) in (0, 130)
        assert process.stderr is not None
        assert process.stderr.read().strip() == ""


def test_headers_that_come_too_slowly_close_the_connection(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _):
        host, port = re.findall(r"//([\d.]+):(\d+)", address)[0]
        with socket.create_connection((host, int(port)), timeout=30) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            started = time.monotonic()
            assert slow.recv(1000) == b""
            assert 4 < time.monotonic() - started < 20
        with socket.create_connection((host, int(port)), timeout=30) as large:
            large.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000)
            assert large.recv(1000).startswith(b"HTTP/1.1 400")


def test_thousand_requests_in_a_second_are_each_answered(tmp_path: Path) -> None:
    a_run(tmp_path / "outputs", RUN)
    with serving(tmp_path) as (address, process):
        host, port = re.findall(r"//([\d.]+):(\d+)", address)[0]
        assert get(address)[0] == 200
        before = psutil.Process(process.pid).memory_info().rss

        def ask(number: int) -> Counter[int]:
            connection = http.client.HTTPConnection(host, int(port), timeout=60)
            statuses: Counter[int] = Counter()
            for turn in range(number):
                connection.request("GET", "/static/page.css" if turn % 8 else "/")
                answer = connection.getresponse()
                answer.read()
                statuses[answer.status] += 1
            connection.close()
            return statuses

        with ThreadPoolExecutor(8) as threads:
            total = sum(threads.map(ask, [125] * 8), Counter())
        assert total.total() == 1000
        assert set(total) <= {200, 429}  # on a slow machine they take longer than a second, and none is refused
        assert total[200] >= 200
        assert psutil.Process(process.pid).memory_info().rss - before < 50_000_000
        time.sleep(1)
        assert get(address)[0] == 200


@pytest.mark.parametrize("header", ["Content-Length: 100000000", "Transfer-Encoding: chunked"])
def test_body_of_100_megabytes_is_refused_early(tmp_path: Path, header: str) -> None:
    with serving(tmp_path) as (address, process):
        host, port = re.findall(r"//([\d.]+):(\d+)", address)[0]
        before = psutil.Process(process.pid).memory_info().rss
        with socket.create_connection((host, int(port)), timeout=60) as attack:
            kind = "Content-Type: application/x-www-form-urlencoded"
            attack.sendall(f"POST /actions/pin HTTP/1.1\r\nHost: {host}:{port}\r\n{kind}\r\n{header}\r\n\r\n".encode())
            part = b"a" * 65_536
            sent = 0
            with suppress(OSError):  # the server closes the connection while we are writing
                while sent < 100_000_000 and not select.select([attack], [], [], 0)[0]:
                    attack.sendall(part if "Length" in header else b"10000\r\n" + part + b"\r\n")
                    sent += len(part)
            assert sent < 10_000_000
            assert attack.recv(100).startswith(b"HTTP/1.1 413")
        assert psutil.Process(process.pid).memory_info().rss - before < 50_000_000
        assert get(f"{address}health")[0] == 200


def test_server_for_others_makes_a_token_and_prints_it_once(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0") as (address, process):
        port, token = re.findall(r":(\d+)/login\?token=(\S{32})$", address)[0]
        local = f"http://127.0.0.1:{port}/"
        assert get(local)[0] == 401
        assert get(f"{local}metrics", Authorization=f"Bearer {token}")[0] == 200
        assert get(local, Host="evil.example", Authorization=f"Bearer {token}")[0] == 421
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert token not in out + err


def test_token_that_is_given_is_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MHC_TOKEN", "from-the-environment")
    answer = typed(capsys, tmp_path, "serve", "--dry-run", "--port", "0")
    assert answer.code == 0
    assert re.search(r"at http://127\.0\.0\.1:\d+/login$", answer.out)
    assert "from-the-environment" not in answer.out + answer.err


def test_short_token_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = typed(capsys, tmp_path, "serve", "--dry-run", "--token", "short")
    assert (answer.code, "The token has 5 characters. Give at least 16" in answer.err) == (1, True)
    assert "short" not in answer.err


def test_next_free_port_is_taken_unless_one_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = typed(capsys, tmp_path, "serve", "--dry-run", "--port", port)
        assert (answer.code, f"Port {port} of 127.0.0.1 is in use" in answer.err) == (1, True)
    addresses = [typed(capsys, tmp_path, "serve", "--dry-run").out for _ in range(2)]
    assert all(re.search(r"127\.0\.0\.1:80[012]\d/$", text) for text in addresses)
    answer = typed(capsys, tmp_path, "serve", "--dry-run", "--host", "192.0.2.1")
    assert (answer.code, "Give another --host" in answer.err) == (1, True)


def test_missing_library_is_named_with_the_way_to_install_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "LIBRARIES", ("starlette", "a_library_that_is_not_there"))
    answer = typed(capsys, tmp_path, "serve", "--dry-run")
    assert (answer.code, answer.out) == (1, "")
    assert "needs a_library_that_is_not_there. Install what it needs with: pip install 'mhc[serve]'" in answer.err


def test_other_commands_do_not_import_the_server() -> None:
    modules = sorted({entry.target.partition(":")[0] for entry in COMMANDS.values()})
    code = (
        f"import sys; from importlib import import_module; [import_module(name) for name in {modules}]; "
        "print(sorted({'starlette', 'uvicorn', 'jinja2', 'anyio', 'torch', 'matplotlib'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
