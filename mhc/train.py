"""Train a text classifier; the run looks after itself: `python -m mhc.train model=medium trainer=gpu`."""

from __future__ import annotations

import sys

import hydra

from mhc.policy import CONF
from mhc.training import exit_codes, resume
from mhc.training.config import register
from mhc.training.job import run_job


def main() -> None:
    """Train as the command line says; a further rank, or a resumed run, replays a config that is on record."""
    register()
    again = resume.wanted(sys.argv[1:])
    compose = hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")
    exit_codes.leave(again or compose(run_job))


if __name__ == "__main__":
    main()
