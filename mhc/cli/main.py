"""The command line `mhc` (also `python scripts/manage_experiments.py`): the group, its options, the error handler.

Exit codes: 0 done, 1 the command refused or failed and states the reason, 2 wrong usage, 3 a bug (with a report to
paste), 130 Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from mhc import streams
from mhc.cli.command_table import COMMANDS, SECTIONS
from mhc.cli.context import Context
from mhc.errors import BROKEN_PIPE, NotFound, sentence_of


class LazyGroup(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the command table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; return None if it is not in the table.

        Raises:
            NotFound: if the module of the command is not installed.
        """
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        try:
            command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise NotFound(f"mhc {cmd_name} is not part of this installation: {module} is missing") from None
        assert isinstance(command, click.Command), f"{COMMANDS[cmd_name].target} is not a command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve as click does, but suggest a command if the name is mistyped."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            ctx.fail(f"No command {name[:40]!r}.{_suggestion(name)} See all with: mhc --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, from the one-line helps of the table."""
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in section.items()])


def _suggestion(name: str) -> str:
    from difflib import get_close_matches

    matches = get_close_matches(name, COMMANDS, n=1)
    return f" Did you mean {matches[0]!r}?" if matches else ""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--outputs", type=click.Path(path_type=Path), envvar="MHC_OUTPUTS", help="Folder of the runs. [outputs]")
@click.option("--models", type=click.Path(path_type=Path), envvar="MHC_MODELS", help="Folder of the bundles. [models]")
@click.option(
    "--policy", default="default", envvar="MHC_POLICY", help="Option of conf/policy, or a YAML file. [default]"
)
@click.version_option(package_name="mhc", prog_name="mhc")
@click.pass_context
def cli(ctx: click.Context, *, outputs: Path | None, models: Path | None, policy: str) -> None:
    """Find, compare, archive and promote runs.

    Example: mhc list --since 7d
    """
    ctx.obj = Context.from_options(outputs, models, policy, Path.cwd())


def run(args: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; every error is converted to a message here."""
    try:
        code = cli.main(None if args is None else list(args), prog_name="mhc", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        usage = error.ctx.get_usage() + "\n" if isinstance(error, click.UsageError) and error.ctx else ""
        return _report(usage + error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        return BROKEN_PIPE
    except Exception as error:
        return _report_error(error)


def _report_error(error: Exception) -> int:
    """Print the sentence of an expected error, or a report of a bug, and return the exit code."""
    from mhc.runs import user_code

    sentence = sentence_of(error) or user_code.sentence(error)
    if sentence is not None:
        return _report(sentence, 1)
    from mhc.terminal import report

    return _report(report(error), 3)


def _report(message: str, code: int) -> int:
    from mhc.redaction import text
    from mhc.terminal import clean_lines

    click.echo(clean_lines(text(message)), err=True)
    return code


def main() -> None:
    """Run the installed command `mhc`."""
    streams.replace(result=True)
    code = run()
    streams.finish_silently()
    sys.exit(code)


if __name__ == "__main__":
    main()
