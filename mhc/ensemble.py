"""Average the probabilities of several runs, as a run of its own: `python -m mhc.ensemble RUN RUN name=both`."""

from __future__ import annotations

import os
import sys

from mhc.errors import BadConfig
from mhc.inference import arguments
from mhc.training import exit_codes

SUMMARY = """Average the probabilities of several runs. The result is a run of its own: recorded, judged, promoted.

  python -m mhc.ensemble linear_20261120_1200 pretrained_20261120_1300 name=both

The runs must have the same labels and the same rows of train, val and test. The weights are fitted on val, and each
run is averaged at its own temperature. The models are copied: the runs can be archived afterwards."""

KEYS = {
    "name": "name of the run [ensemble]",
    "description": "free text, stored in the record",
    "policy": "default or strict [default]",
    **arguments.FOLDER_KEYS,
}


def main() -> None:
    """Run the command line."""
    words = sys.argv[1:]
    if arguments.asks_for_help(words):
        sys.stdout.write(arguments.usage(SUMMARY, KEYS) + "\n")
        return
    try:
        values = arguments.parse([word for word in words if "=" in word], KEYS)
        runs = [word for word in words if "=" not in word]
        if len(runs) < 2:
            raise BadConfig(f"An ensemble needs two runs, not {len(runs)}: python -m mhc.ensemble RUN RUN")
    except BadConfig as error:
        sys.exit(exit_codes.write_stderr(str(error), 2))
    from mhc.training.ensemble import Wish, average

    wish = Wish(
        runs=runs,
        name=values.get("name") or "ensemble",
        description=values.get("description", ""),
        policy=values.get("policy") or "default",
        outputs=arguments.folder(values, "outputs", os.environ),
        models=arguments.folder(values, "models", os.environ),
    )
    average(wish)


if __name__ == "__main__":
    exit_codes.run_and_exit(main, result=False)
