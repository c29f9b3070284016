"""`--json`: the one shape of all reading commands, documented in docs/cli.md.

A list of records as they stand in `run.json`, each with `location` and `path` added, and with the derived status.
"""

from __future__ import annotations

import click

from mhc.cli.sanitise import escape_json

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
"""What JSON can hold."""


def show_json(value: object) -> None:
    """Print as indented JSON, with everything that a terminal could act on written as an escape.

    `value`: anything that msgspec encodes: dicts, lists, structs.
    """
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    click.echo(escape_json(text))
