"""Train a text classifier, and record the run: `python -m mhc.train model=medium trainer=gpu`."""

from __future__ import annotations

import sys

import hydra

from mhc.policy import CONF
from mhc.training import exit_codes, refit, resume
from mhc.training.config import CLAIMED_SWEEPS, register_config
from mhc.training.job import run_job
from mhc.training.sweep import shown_at_end


def main() -> None:
    """Train with the config of the command line; a resumed run, or a rank other than 0, uses the recorded one."""
    register_config()
    exit_codes.run_and_exit(train, result=False)


def train() -> None:
    """Train as the command line asks."""
    replay = resume.requested_action(sys.argv[1:]) or refit.requested_action(sys.argv[1:])
    compose = hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")
    with shown_at_end():
        (replay or compose(run_job))()
    for sweep in CLAIMED_SWEEPS:
        refit.after_sweep(sweep)


if __name__ == "__main__":
    main()
