"""Command table: the function and the one-line help of each command. Pure.

The one-line helps are written here, so that `mhc --help` imports no command.
"""

from __future__ import annotations

from typing import NamedTuple


class TableEntry(NamedTuple):
    """One command of the table."""

    target: str
    """`module:function`, imported when the command is used."""
    help: str


SECTIONS: dict[str, dict[str, TableEntry]] = {
    "Before a training": {
        "data": TableEntry("mhc.cli.commands.data:data_command", "Examine data files; print the command that trains."),
    },
    "Find and compare": {
        "list": TableEntry("mhc.cli.commands.list:list_command", "List the runs of all locations, newest first."),
        "details": TableEntry(
            "mhc.cli.commands.details:details_command", "Show the record of a run; --diff compares two."
        ),
        "candidates": TableEntry(
            "mhc.cli.commands.candidates:candidates_command", "List runs that could be promoted, best first."
        ),
        "compare": TableEntry(
            "mhc.cli.commands.compare:compare_command", "Show configs and metrics of runs side by side."
        ),
        "search": TableEntry("mhc.cli.commands.search:search_command", "Search names, tags, notes and configs."),
        "summary": TableEntry("mhc.cli.commands.summary:summary_command", "Show counts, the best runs and problems."),
        "log": TableEntry("mhc.cli.commands.log:log_command", "Show what happened to the runs, in order of time."),
        "watch": TableEntry("mhc.cli.commands.watch:watch_command", "Show a live view of the running runs."),
        "errors": TableEntry("mhc.cli.commands.errors:errors_command", "Show the mistakes of a run by id."),
        "report": TableEntry("mhc.cli.commands.report:report_command", "Write a report on runs as one HTML file."),
        "serve": TableEntry("mhc.serve.command:serve_command", "Show the runs as a local page that follows them."),
    },
    "Manage runs": {
        "archive": TableEntry("mhc.cli.commands.archive:archive_command", "Move runs to an archive."),
        "restore": TableEntry("mhc.cli.commands.archive:restore_command", "Move archived runs back."),
        "pin": TableEntry("mhc.cli.commands.annotate:pin_command", "Protect runs from being archived."),
        "unpin": TableEntry("mhc.cli.commands.annotate:unpin_command", "Allow runs to be archived again."),
        "tag": TableEntry("mhc.cli.commands.annotate:tag_command", "Add or remove tags."),
        "note": TableEntry("mhc.cli.commands.annotate:note_command", "Write a note on a run."),
        "reclassify": TableEntry(
            "mhc.cli.commands.annotate:reclassify_command", "Derive the category of runs again, or set it."
        ),
        "cleanup": TableEntry("mhc.cli.commands.cleanup:cleanup_command", "Archive the runs that the policy selects."),
        "purge": TableEntry("mhc.cli.commands.cleanup:purge_command", "Delete old runs from the archives."),
        "stop": TableEntry("mhc.cli.commands.watch:stop_command", "Ask a live run to stop."),
    },
    "Promote": {
        "promote": TableEntry(
            "mhc.cli.commands.promote:promote_command", "Build a bundle from a run that passes the gates."
        ),
        "refuse": TableEntry("mhc.cli.commands.promote:refuse_command", "Refuse a candidate, with a reason."),
        "alias": TableEntry("mhc.cli.commands.alias:alias_group", "Name bundles: champion, challenger, any name."),
        "rollback": TableEntry(
            "mhc.cli.commands.promote:rollback_command", "Make the previous champion the champion again."
        ),
        "retire": TableEntry("mhc.cli.commands.promote:retire_command", "Take a bundle out of use."),
        "history": TableEntry(
            "mhc.cli.commands.history:history_command", "Show what was done to the bundles, by whom and why."
        ),
        "champion": TableEntry("mhc.cli.commands.history:champion_command", "Show the champion, now or on a date."),
        "verify": TableEntry(
            "mhc.cli.commands.history:verify_command", "Check the ledger and the checksums of the bundles."
        ),
        "publish": TableEntry(
            "mhc.cli.commands.publish:publish_command", "Copy a bundle to a hub, a registry or a folder."
        ),
        "card": TableEntry("mhc.cli.commands.history:card_command", "Show the model card of a bundle."),
    },
    "Maintenance and export": {
        "doctor": TableEntry("mhc.cli.commands.doctor:doctor_command", "Find problems; --fix repairs the safe ones."),
        "rebuild": TableEntry(
            "mhc.cli.commands.doctor:rebuild_command", "Rebuild the index and the registry from the files."
        ),
        "import": TableEntry("mhc.cli.commands.import_:import_command", "Import the runs of another tracker."),
        "reproduce": TableEntry(
            "mhc.cli.commands.reproduce:reproduce_command", "Print the command that repeats a run; --run runs it."
        ),
        "export": TableEntry("mhc.cli.commands.export:export_command", "Export records as CSV, JSON Lines or Parquet."),
        "tensorboard": TableEntry(
            "mhc.cli.commands.tensorboard:tensorboard_command", "Start TensorBoard on selected runs."
        ),
        "completion": TableEntry(
            "mhc.cli.commands.completion:completion_command", "Print the script that completes commands and ids."
        ),
    },
}

COMMANDS: dict[str, TableEntry] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
