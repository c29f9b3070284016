"""`mhc doctor` finds what is broken and mends what is safe; `mhc rebuild` makes anew what the files hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Place
from mhc.cli.output import say, show_json
from mhc.errors import MhcError

if TYPE_CHECKING:
    from mhc.retention.doctor import Finding


@click.command()
@click.option("--fix", is_flag=True, help="Mend what is safe to mend: nothing with a run's content is deleted.")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
@click.pass_obj
def doctor(place: Place, fix: bool, as_json: bool) -> None:
    """Find what is broken: folders, records, runs that are lost, moved or doubled, leftovers, ledger and bundles.

    The exit code is 1 while something is left that needs a look.

    Example: mhc doctor --fix
    """
    from mhc.policy import load
    from mhc.retention import doctor as checkup
    from mhc.retention import doctor as production_checkup

    found = checkup.check(place.outputs, load(place.policy).liveness) + production_checkup.check_production(
        place.models
    )
    mended = [finding for finding in found if fix and finding.mend and _mend(finding)]
    left = [finding for finding in found if finding not in mended]
    if as_json:
        show_json([described(finding, finding in mended) for finding in found])
    else:
        tell(found, mended)
    click.get_current_context().exit(1 if left else 0)


def _mend(finding: Finding) -> bool:
    """Do what is safe; whether it was done."""
    assert finding.mend is not None
    try:
        finding.mend()
    except (MhcError, OSError) as problem:
        say(f"{finding.where} could not be mended: {problem}")
        return False
    return True


def described(finding: Finding, mended: bool) -> dict[str, object]:
    """A finding as JSON."""
    can = finding.mend is not None
    where = str(finding.where)
    return {"what": finding.what, "where": where, "sentence": finding.sentence, "fixable": can, "fixed": mended}


def tell(found: Sequence[Finding], mended: Sequence[Finding]) -> None:
    """The findings by kind, then the count."""
    kind = ""
    for finding in found:
        if finding.what != kind:
            kind = finding.what
            say(f"{kind}:", style="bold")
        mark = "  (mended)" if finding in mended else "  (--fix mends it)" if finding.mend else ""
        say(f"  {finding.sentence}{mark}")
    if not found:
        say("Nothing is broken.")
        return
    say(f"{len(found)} finding(s), {len(mended)} mended, {len(found) - len(mended)} left.")


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be made anew, and change nothing.")
@click.pass_obj
def rebuild(place: Place, dry_run: bool) -> None:
    """Make the index and models/registry.json anew from the files. Nothing is lost: both are only copies.

    Example: mhc rebuild
    """
    from mhc.index import connection
    from mhc.index.index import Index
    from mhc.policy import load
    from mhc.retention import doctor as production_checkup

    if dry_run:
        say(f"Would make {place.outputs / connection.FILE} anew, and {place.models / 'registry.json'} from the ledger.")
        return
    connection.remove(place.outputs)
    index = Index(place.outputs, place.models, lambda: load(place.policy).liveness)
    say(f"{len(index.rows())} run(s) read into the index, {len(index.unreadable())} unreadable.")
    entries = production_checkup.rebuild_registry(place.models)
    say(f"{place.models / 'registry.json'} made from {entries} ledger entries." if entries else "The ledger is empty.")
