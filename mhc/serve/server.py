"""The HTTP server: uvicorn on a port that is free, with times within which headers must come."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mhc.errors import BadInput, Conflict
from mhc.serve.app import application
from mhc.serve.settings import Limits, Settings

IN_USE = (errno.EADDRINUSE, errno.EACCES)
FIRST_PORT = 8000
PORTS = 20
"""Ports that are tried if none is given."""


class TimedProtocol(H11Protocol):
    """Close a connection on which no whole request has come in time; uvicorn itself waits forever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time of the first request."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Start the time with the first byte of a request; end it with its last header."""
        super().data_received(data)
        if self._is_idle():
            self._expect()
        elif self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(Limits().header_seconds, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._deadline = None
        if self._is_idle():
            self.transport.close()


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens on the port, or on the first free one from 8000 if none is given.

    Raises:
        Conflict: if it is in use.
        BadInput: if this machine has no such address.
    """
    ports = range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else [port]
    problem: OSError | None = None
    for number in ports:
        try:
            family, _, _, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
            listening = socket.create_server(address[:2], family=family)
            # Connections inherit it: asyncio sets it only if the socket names its protocol. Without it, the body of an
            # answer waits 40 ms for the acknowledgement of its head.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return listening
        except OSError as error:
            problem = error
            if isinstance(error, socket.gaierror) or error.errno not in IN_USE:
                raise BadInput(f"The server cannot listen on {host}: {error.strerror}. Give another --host") from None
    raise Conflict(f"Port {ports[0]} of {host} is in use or reserved. Give another --port") from problem


def run(settings: Settings, listening: socket.socket) -> None:
    """Serve until Ctrl-C."""
    limits = settings.limits
    options: dict[str, Any] = {"http": TimedProtocol, "ws": "none", "lifespan": "on", "proxy_headers": False}
    config = uvicorn.Config(
        application(settings),
        **options,
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        h11_max_incomplete_event_size=limits.header_bytes,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listening])
