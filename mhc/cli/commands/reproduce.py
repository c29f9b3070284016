"""`mhc reproduce`: the exact command that makes a run again; --run runs it and says whether it came out the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Place
from mhc.cli.formatting import now
from mhc.cli.output import Column, say, show, warn
from mhc.cli.run_argument import RUN, folders_of

if TYPE_CHECKING:
    from mhc.runs.recipe import Difference
    from mhc.runs.reproduce import Outcome

CODE = Path(__file__).resolve().parent


@click.command()
@click.argument("run", type=RUN, metavar="RUN")
@click.option("--run", "carry_out", is_flag=True, help="Run it, and compare what comes out.")
@click.option("--tolerance", type=click.FloatRange(min=0), default=1e-6, help="By which a metric may differ. [1e-6]")
@click.pass_obj
def reproduce(place: Place, run: str, carry_out: bool, tolerance: float) -> None:
    """Print the exact command that makes a run again; with --run, run it with the code of then and compare.

    The exit code is 1 when the metrics or the data came out otherwise.

    Example: mhc reproduce attention_20261120
    """
    from mhc.runs import recipe
    from mhc.runs import reproduce as reproducing

    (folder,) = folders_of(place, [run])
    made_of = reproducing.recipe_of(folder)
    for doubt in made_of.doubts:
        warn(f"Note: {doubt}.")
    for line in recipe.shell(made_of, "../mhc-reproduce"):
        say(line)
    if carry_out:
        outcome = reproducing.reproduce(folder, place.outputs, CODE, tolerance=tolerance, now=now())
        click.get_current_context().exit(tell(folder.name, outcome, tolerance))


def tell(run: str, outcome: Outcome, tolerance: float) -> int:
    """Say whether it came out the same, and where not; the exit code."""
    from mhc.runs import recipe

    values = recipe.compared(outcome.again)
    if not outcome.differences and values:
        say(f"Reproduced: {values} metrics of {outcome.folder.name} are those of {run} within {tolerance:g}.")
        return 0
    if not outcome.differences:
        say(f"{outcome.folder.name} has no metrics that could be compared with those of {run}.")
        return 1
    say(f"Not reproduced: {outcome.folder.name} differs from {run}.")
    show_differences(outcome.differences, run)
    if outcome.surroundings:
        say("What was another around it:")
        show_differences(outcome.surroundings, run)
    return 1


def show_differences(differences: Sequence[Difference], run: str) -> None:
    """A table of what was and what came out."""
    columns = [Column("what", least=12), Column("then", least=10), Column("again", least=10)]
    show(columns, [list(difference) for difference in differences])
