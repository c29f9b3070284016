"""`mhc completion`: the script with which a shell completes commands, options and run ids."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, *, shell: str) -> None:
    """Print the script that completes commands, options and run ids in a shell.

    Put this line into the start-up file of the shell: eval "$(mhc completion bash)"

    Example: mhc completion bash
    """
    from click.shell_completion import get_completion_class

    root = ctx.find_root().command
    completer = get_completion_class(shell)
    assert completer is not None, f"click has no completion for {shell}"
    click.echo(completer(root, {}, "mhc", "_MHC_COMPLETE").source())
