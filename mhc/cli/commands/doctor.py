"""`mhc doctor` finds and repairs defects; `mhc rebuild` rebuilds the index and the registry from the files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mhc.cli.commands.promote import by_option, reason_option
from mhc.cli.context import Context
from mhc.cli.output import echo, show_json
from mhc.errors import BadInput, MhcError
from mhc.terminal import quantity

if TYPE_CHECKING:
    from mhc.retention.doctor import Finding


@click.command("doctor")
@click.option("--fix", is_flag=True, help="Repair what is safe to repair; the content of runs is never deleted.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def doctor_command(context: Context, *, fix: bool, as_json: bool) -> None:
    """Find defects: in folders and records, lost, moved or duplicate runs, leftovers, ledger and bundles.

    Credentials and changes of data files that an earlier version wrote are defects as well; --fix masks them.
    The exit code is 1 if a defect remains.

    Example: mhc doctor --fix
    """
    from mhc.policy import load
    from mhc.retention import private_content
    from mhc.retention.doctor import check, check_production

    findings = check(context.outputs, context.liveness()) + check_production(context.models)
    findings += private_content.find(context.outputs, context.models, load(context.policy))
    fixed = [finding for finding in findings if fix and repair(finding)]
    if as_json:
        show_json([finding_record(finding, fixed=finding in fixed) for finding in findings])
    else:
        show_findings(findings, fixed)
    click.get_current_context().exit(1 if len(fixed) < len(findings) else 0)


def repair(finding: Finding) -> bool:
    """Repair a defect if that is safe; return whether it was repaired."""
    if finding.fix is None:
        return False
    try:
        finding.fix()
    except (MhcError, OSError) as error:
        echo(f"{finding.where} could not be repaired: {error}")
        return False
    return True


def finding_record(finding: Finding, *, fixed: bool) -> dict[str, object]:
    """Return a finding as `--json` prints it."""
    return {
        "what": finding.what,
        "where": str(finding.where),
        "sentence": finding.sentence,
        "fixable": finding.fix is not None,
        "fixed": fixed,
    }


def show_findings(findings: Sequence[Finding], fixed: Sequence[Finding]) -> None:
    """Print the findings by kind, then their number."""
    kind = ""
    for finding in findings:
        if finding.what != kind:
            kind = finding.what
            echo(f"{kind}:", style="bold")
        suffix = "  (repaired)" if finding in fixed else "  (--fix repairs it)" if finding.fix else ""
        echo(f"  {finding.sentence}{suffix}")
    if not findings:
        echo("Nothing is broken.")
        return
    echo(f"{quantity(len(findings), 'finding')}, {len(fixed)} repaired, {len(findings) - len(fixed)} left.")


@click.command("rebuild")
@by_option
@reason_option
@click.option("--dry-run", is_flag=True, help="Print what would be rebuilt, and change nothing.")
@click.pass_obj
def rebuild_command(context: Context, *, by: str, reason: str, dry_run: bool) -> None:
    """Rebuild the index and models/registry.json from the files. No data is lost: both are only copies.

    A registry.json that is missing or damaged is written only with --by and --reason.

    Example: mhc rebuild
    """
    from mhc.index import connection
    from mhc.index.index import Index
    from mhc.production.change import rebuild_registry
    from mhc.timestamps import now

    registry = context.models / "registry.json"
    if dry_run:
        echo(f"Would rebuild {context.outputs / connection.FILE}, and {registry} from the ledger.")
        return
    connection.remove(context.outputs)
    index = Index(context.outputs, context.models, context.liveness)
    file = context.outputs / connection.FILE
    if context.outputs.is_dir() and not file.is_file():
        raise BadInput(
            f"{file} could not be written, as if its folder were read-only. Commands read the runs themselves"
        )
    echo(f"{quantity(len(index.rows()), 'run')} read into the index, {len(index.unreadable())} unreadable.")
    entries = rebuild_registry(context.models, by=by, reason=reason, now=now())
    echo(f"{registry} rebuilt from {entries} ledger entries." if entries else "The ledger is empty.")
