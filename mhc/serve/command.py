"""`mhc serve`: the runs and the bundles as a local page. It imports the server when it is used."""

from __future__ import annotations

import secrets
from importlib.util import find_spec

import click

from mhc.cli.context import Context
from mhc.cli.output import echo
from mhc.errors import BadInput, NotFound
from mhc.hardware import PRECISIONS
from mhc.serve.settings import Settings, is_loopback, is_unspecified

LIBRARIES = ("starlette", "uvicorn")
MIN_TOKEN = 16


@click.command("serve")
@click.option("--host", default="127.0.0.1", help="Address to listen on. [127.0.0.1: this machine only]")
@click.option("--port", type=click.IntRange(0, 65535), help="[8000, or the next free one]")
@click.option("--token", envvar="MHC_TOKEN", default="", help="What a client must know. [made if others can connect]")
@click.option("--name", "names", multiple=True, metavar="NAME", help="A further name of this machine in its URL.")
@click.option("--precision", type=click.Choice(PRECISIONS), default="auto", help="Of predictions, as of mhc.predict.")
@click.option("--device", default="auto", help="Of predictions: auto, cpu, cuda, mps.")
@click.option("--dry-run", is_flag=True, help="Print the address, and serve nothing.")
@click.pass_obj
def serve_command(
    context: Context,
    *,
    host: str,
    port: int | None,
    token: str,
    names: tuple[str, ...],
    precision: str,
    device: str,
    dry_run: bool,
) -> None:
    """Show the runs as a local page that follows them: filter, compare, promote. Ends with Ctrl-C.

    Example: mhc serve --dry-run
    """
    require_libraries()
    check_token(token)
    from mhc.cli.run_options import open_index
    from mhc.policy import load
    from mhc.serve import server

    load(context.policy)  # a wrong one is found now, not by the first page
    made = "" if token or is_loopback(host) else secrets.token_urlsafe(24)
    with server.listen(host, port) as listening:
        settings = Settings(
            outputs=context.outputs,
            models=context.models,
            policy=context.policy,
            host=host,
            port=listening.getsockname()[1],
            token=token or made,
            names=(*names, *own_names(host)),
            precision=precision,
            device=device,
        )
        echo(f"{'Would serve' if dry_run else 'Serving'} {context.outputs} at {address(settings, made)}")
        if not dry_run:
            open_index(context)  # now and with a bar, if it takes long; not by the first page
            echo("End it with Ctrl-C")
            server.run(settings, listening)


def require_libraries() -> None:
    """Check that the libraries of the server are installed.

    Raises:
        NotFound: if one is missing.
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise NotFound(f"mhc serve needs {', '.join(missing)}. Install what it needs with: pip install 'mhc[serve]'")


def check_token(token: str) -> None:
    """Check that a token, if one is given, cannot be guessed.

    Raises:
        BadInput: if it is too short.
    """
    if token and len(token) < MIN_TOKEN:
        raise BadInput(f"The token has {len(token)} characters. Give at least {MIN_TOKEN}, or none to get one")


def own_names(host: str) -> tuple[str, ...]:
    """Return the names and addresses of this machine if the server listens on all of them."""
    if not is_unspecified(host):
        return ()
    import socket

    import psutil

    addresses = [address.address for group in psutil.net_if_addrs().values() for address in group]
    return (socket.gethostname(), *(text.partition("%")[0] for text in addresses))


def address(settings: Settings, made: str) -> str:
    """Return the URL to open; with a token that was made here, because nobody else knows it."""
    import socket

    host = socket.gethostname() if is_unspecified(settings.host) else settings.host
    host = f"[{host}]" if ":" in host else host
    path = f"login?token={made}" if made else "login" if settings.token else ""
    return f"http://{host}:{settings.port}/{path}"
