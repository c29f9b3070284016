"""What the server is started with: folders, address, token, limits. Pure."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path

MEGABYTE = 1_000_000
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
PREDICT = "/predict"
"""Path of the predictions for other programs, which has limits of its own."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one server bears; more is refused with 408, 413, 429 or 503."""

    body_bytes: int = MEGABYTE
    """Of a request."""
    predict_body_bytes: int = 8 * MEGABYTE
    """Of a request for predictions."""
    header_bytes: int = 32_768
    """Of the first line and the headers."""
    header_seconds: float = 5.0
    """Time to send them."""
    body_seconds: float = 30.0
    """Time between two parts of a body."""
    answer_seconds: float = 30.0
    """Time within which a client takes a part of an answer."""
    per_second: float = 100.0
    """Requests of one client, on average."""
    burst: int = 200
    """Requests of one client at once."""
    predict_per_second: float = 2_000.0
    predict_burst: int = 4_000
    clients: int = 1_024
    """Clients whose requests are counted."""
    concurrent: int = 64
    """Requests that are answered at the same time."""
    streams: int = 16
    """Pages that are kept up to date at the same time."""
    connections: int = 512
    """Open connections."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the server is started with."""

    outputs: Path
    models: Path
    policy: str = "default"
    """Name of an option of conf/policy, or a path to a YAML file."""
    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    """What a client must know; empty: nothing, which is allowed on loopback only."""
    names: tuple[str, ...] = ()
    """Further names of this machine that a Host header may have."""
    precision: str = "auto"
    """Of predictions: fp32, bf16, or auto: bf16 if the hardware has it."""
    device: str = "auto"
    """Of predictions: auto, cpu, cuda, mps."""
    limits: Limits = field(default_factory=Limits)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    """New with each start; proves that a form came from a page of this server."""

    @property
    def hosts(self) -> frozenset[str]:
        """The names that a Host header may have."""
        bound = LOOPBACK_NAMES if is_loopback(self.host) or is_unspecified(self.host) else ()
        return frozenset(name.lower() for name in (self.host, *bound, *self.names))

    @property
    def form_key(self) -> str:
        """The value that every form of a page carries."""
        return self._proof("form")

    @property
    def cookie_name(self) -> str:
        """The name of that cookie; browsers do not tell the ports of a machine apart."""
        return f"mhc_session_{self.port}"

    @property
    def cookie(self) -> str:
        """The value of the cookie of a client that has shown the token; the token itself is in no cookie."""
        return self._proof(f"cookie {self.token}")

    def _proof(self, purpose: str) -> str:
        return hmac.new(self.secret, purpose.encode(), "sha256").hexdigest()


def is_for_programs(path: str) -> bool:
    """Return whether the path leads to the predictions for other programs."""
    return path == PREDICT or path.startswith(f"{PREDICT}/")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_unspecified(host: str) -> bool:
    """Return whether the address means all addresses of this machine: `0.0.0.0` or `::`."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
