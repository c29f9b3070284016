"""Train a text classifier; the run looks after itself: `python -m mhc.train model=medium trainer=gpu`."""

from __future__ import annotations

import sys

import hydra

from mhc import entry, replay
from mhc.config import CONF, register
from mhc.training import run_job


def main() -> None:
    """Train as the command line says; a further rank, or a resumed run, replays a config that is on record."""
    register()
    again = replay.wanted(sys.argv[1:])
    compose = hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")
    entry.leave(again or compose(run_job))


if __name__ == "__main__":
    main()
