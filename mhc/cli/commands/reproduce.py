"""`mhc reproduce`: print the exact command that repeats a run; --run runs it and compares the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.output import Column, echo, show_table, warn
from mhc.cli.run_argument import RUN, find_folders
from mhc.timestamps import now

if TYPE_CHECKING:
    from mhc.provenance.recipe import Difference, Recipe
    from mhc.provenance.reproduce import Outcome

CODE = Path(__file__).resolve().parent
"""A folder of the git repository that contains the code."""


@click.command("reproduce")
@click.argument("run_id", type=RUN, metavar="RUN")
@click.option("--run", "run_it", is_flag=True, help="Run the command, and compare the results.")
@click.option("--tolerance", type=click.FloatRange(min=0), default=1e-6, help="Allowed difference of metrics. [1e-6]")
@click.pass_obj
def reproduce_command(context: Context, *, run_id: str, run_it: bool, tolerance: float) -> None:
    """Print the exact command that repeats a run; with --run, run it with the recorded commit and compare.

    The exit code is 1 if the metrics or the data differ.

    Example: mhc reproduce attention_20261120
    """
    from mhc.provenance.reproduce import recipe_of, reproduce

    (folder,) = find_folders(context, [run_id])
    recipe = recipe_of(folder)
    for caveat in recipe.caveats:
        warn(f"Note: {caveat}.")
    show_commands(recipe, f"mhc-reproduce-{folder.name}")
    if run_it:
        outcome = reproduce(folder, context.outputs, CODE, tolerance=tolerance, now=now())
        click.get_current_context().exit(show_outcome(folder.name, outcome, tolerance))


def show_commands(recipe: Recipe, tree: str) -> None:
    """Print the lines that repeat a run in the current folder; `tree` is the name of a new folder for its code."""
    from mhc.provenance.recipe import shell_lines
    from mhc.provenance.reproduce import repository_of

    here, repository = Path.cwd(), repository_of(CODE)
    if repository is None or repository_of(here) == repository:
        lines = shell_lines(recipe, Path("..", tree))
    else:
        lines = shell_lines(recipe, repository.parent / tree, repository)
    for line in lines:
        echo(line)


def show_outcome(run_id: str, outcome: Outcome, tolerance: float) -> int:
    """Print whether the results are the same, and the differences; return the exit code."""
    from mhc.provenance.recipe import count_comparable

    new_id = outcome.folder.name
    count = count_comparable(outcome.record)
    if not outcome.differences and count:
        echo(f"Reproduced: {count} metrics of {new_id} are those of {run_id} within {tolerance:g}.")
        return 0
    if not outcome.differences:
        echo(f"{new_id} has no metrics that could be compared with those of {run_id}.")
        return 1
    echo(f"Not reproduced: {new_id} differs from {run_id}.")
    show_differences(outcome.differences)
    if outcome.environment_differences:
        echo("Differences of the environment:")
        show_differences(outcome.environment_differences)
    return 1


def show_differences(differences: Sequence[Difference]) -> None:
    """Print the values of both runs."""
    columns = [Column("what", min_width=12), Column("then", min_width=10), Column("again", min_width=10)]
    show_table(columns, differences)
