"""`mhc completion`: the script that lets a shell complete commands, options and run ids."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and run ids in a shell.

    Put it into the shell's start-up file: eval "$(mhc completion bash)"

    Example: mhc completion bash
    """
    from click.shell_completion import get_completion_class

    root = ctx.find_root().command
    found = get_completion_class(shell)
    assert found is not None, f"click completes no {shell}"
    click.echo(found(root, {}, "mhc", "_MHC_COMPLETE").source())
