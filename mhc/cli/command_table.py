"""The words one can type after `mhc`: where each command is written, and its help in one line. Pure.

The short help stands here, so that `mhc --help` imports none of the commands.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One command of the table."""

    target: str
    """`module:attribute`; imported when the command is typed."""
    help: str


SECTIONS: dict[str, dict[str, Entry]] = {
    "Find and compare": {
        "list": Entry("mhc.cli.commands.list:list_runs", "All runs in all places, newest first."),
        "details": Entry("mhc.cli.commands.details:details", "Everything on record of one run; --diff shows two."),
        "candidates": Entry("mhc.cli.commands.candidates:candidates", "Runs that could be promoted, best first."),
        "compare": Entry("mhc.cli.commands.compare:compare", "Configs and metrics of runs side by side."),
        "search": Entry("mhc.cli.commands.search:search", "Find words in names, tags, notes and configs."),
        "summary": Entry("mhc.cli.commands.summary:summary", "Counts, the best runs and what needs a look."),
        "log": Entry("mhc.cli.commands.log:log", "What happened to the runs, in order of time."),
        "watch": Entry("mhc.cli.commands.watch:watch", "Live view of what is running."),
    },
    "Keep and clear": {
        "archive": Entry("mhc.cli.commands.archive:archive", "Move runs to an archive."),
        "restore": Entry("mhc.cli.commands.archive:restore", "Bring archived runs back."),
        "pin": Entry("mhc.cli.commands.annotate:pin", "Keep runs from being archived."),
        "unpin": Entry("mhc.cli.commands.annotate:unpin", "Let runs be archived again."),
        "tag": Entry("mhc.cli.commands.annotate:tag", "Add or remove tags."),
        "note": Entry("mhc.cli.commands.annotate:note", "Write a note on a run."),
        "reclassify": Entry("mhc.cli.commands.annotate:reclassify", "Derive the category of runs again."),
        "cleanup": Entry("mhc.cli.commands.cleanup:cleanup", "Archive what the policy says is due."),
        "purge": Entry("mhc.cli.commands.cleanup:purge", "Delete old runs from the archives."),
        "stop": Entry("mhc.cli.commands.stop:stop", "Ask a live run to end."),
    },
    "Promote": {
        "promote": Entry("mhc.cli.commands.promote:promote", "Make a bundle of a run, after every gate."),
        "alias": Entry("mhc.cli.commands.alias:alias", "Name a bundle: champion, challenger, any name."),
        "rollback": Entry("mhc.cli.commands.promote:rollback", "Make the champion before this one champion again."),
        "retire": Entry("mhc.cli.commands.promote:retire", "Take a bundle out of use."),
        "history": Entry("mhc.cli.commands.history:history", "What happened to the bundles, who did it, and why."),
        "champion": Entry("mhc.cli.commands.history:champion", "The champion, now or on a date."),
        "verify": Entry("mhc.cli.commands.history:verify", "Check the ledger and the bundles' checksums."),
        "publish": Entry("mhc.cli.commands.publish:publish", "Copy a bundle to a hub, a registry or a folder."),
        "card": Entry("mhc.cli.commands.card:card", "Show a bundle's model card."),
    },
    "Repair and take along": {
        "doctor": Entry("mhc.cli.commands.doctor:doctor", "Find what is broken; --fix mends what is safe."),
        "rebuild": Entry("mhc.cli.commands.doctor:rebuild", "Make the index and the registry anew from the files."),
        "import": Entry("mhc.cli.commands.import_:import_runs", "Take over another tracker's runs."),
        "reproduce": Entry(
            "mhc.cli.commands.reproduce:reproduce", "The command that makes a run again; --run runs it."
        ),
        "export": Entry("mhc.cli.commands.export:export", "All records as CSV, JSON Lines or Parquet."),
        "tensorboard": Entry("mhc.cli.commands.tensorboard:tensorboard", "Start TensorBoard on chosen runs."),
        "completion": Entry(
            "mhc.cli.commands.completion:completion", "Print the script that completes commands and ids."
        ),
    },
}

COMMANDS: dict[str, Entry] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
