"""Attack mhc on this machine and print what was tried and what failed: `python scripts/attack.py [--quick] [NAME ...]`.

Each module of `scripts/attacks/` is one attack, by its name. Exit code 1 if any try failed.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import attacks
from scripts.attacks.outcome import Outcome

SHOWN = 20
"""Failures of one attack that are printed."""


def names() -> list[str]:
    """Return the names of all attacks."""
    return [module.name for module in pkgutil.iter_modules(attacks.__path__) if module.name != "outcome"]


def carry_out(name: str, *, quick: bool) -> list[Outcome]:
    """Run one attack in a folder of its own."""
    module = importlib.import_module(f"scripts.attacks.{name}")
    with tempfile.TemporaryDirectory(prefix="mhc_attack_") as folder:
        outcomes: list[Outcome] = module.run(Path(folder), quick=quick)
    return outcomes


def main() -> int:
    """Run the attacks that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())} [all]")
    parser.add_argument("--quick", action="store_true", help="the short form of the test suite")
    options = parser.parse_args()
    print(f"{'attack':44} {'tried':>7} {'failed':>7} {'seconds':>8}")
    failed = 0
    for name in options.names or names():
        begun = time.perf_counter()
        for result in carry_out(name, quick=options.quick):
            failed += len(result.failures)
            print(f"{result.name:44} {result.tried:7,} {len(result.failures):7,} {time.perf_counter() - begun:8.1f}")
            for failure in result.failures[:SHOWN] or filter(None, [result.skipped]):
                print(f"    {failure}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
