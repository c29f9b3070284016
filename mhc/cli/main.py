"""The command line `mhc` (also `python scripts/manage_experiments.py`): the group, its options, the one handler.

Exit codes: 0 done, 1 a sentence told you why not, 2 usage, 3 a bug (with a report to paste), 130 Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from mhc.cli.command_table import COMMANDS, SECTIONS
from mhc.cli.context import Place
from mhc.errors import MhcError, NotFound

BROKEN_PIPE = 141
"""What a shell reports of a program that SIGPIPE ended: the reader (`head`) had enough."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are typed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None for a word that is not in the table."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        try:
            command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as missing:
            if missing.name != module:
                raise
            raise NotFound(f"mhc {cmd_name} is not part of this installation: {module} is missing.") from None
        assert isinstance(command, click.Command), f"{COMMANDS[cmd_name].target} is no command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but a mistyped word gets a suggestion."""
        word = args[0] if args else ""
        if word and not word.startswith("-") and word not in COMMANDS:
            ctx.fail(f"No command {word[:40]!r}.{_suggestion(word)} See all with: mhc --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands by section, from their short helps alone."""
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in section.items()])


def _suggestion(word: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, COMMANDS, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--outputs", type=click.Path(path_type=Path), envvar="MHC_OUTPUTS", help="Folder of the runs. [outputs]")
@click.option("--models", type=click.Path(path_type=Path), envvar="MHC_MODELS", help="Folder of the bundles. [models]")
@click.option(
    "--policy", default="default", envvar="MHC_POLICY", help="Option of conf/policy, or a YAML file. [default]"
)
@click.version_option(package_name="mhc", prog_name="mhc")
@click.pass_context
def cli(ctx: click.Context, outputs: Path | None, models: Path | None, policy: str) -> None:
    """Find, compare, keep, promote and clear runs.

    Example: mhc list --since 7d
    """
    ctx.obj = Place.choose(outputs, models, policy, Path.cwd())


def run(args: Sequence[str] | None = None) -> int:
    """Carry out one command line and give its exit code. The one place where errors become words."""
    try:
        code = cli.main(None if args is None else list(args), prog_name="mhc", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        usage = error.ctx.get_usage() + "\n" if isinstance(error, click.UsageError) and error.ctx else ""
        return _say(usage + error.format_message(), error.exit_code)
    except MhcError as error:
        return _say(str(error), 1)
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        from mhc.terminal import report

        return _say(report(error), 3)


def _say(sentence: str, code: int) -> int:
    from mhc.terminal import clean_lines

    click.echo(clean_lines(sentence), err=True)
    return code


def main() -> None:
    """The entry point of the installed command `mhc`."""
    sys.exit(run())


if __name__ == "__main__":
    main()
