"""Generated command lines of `python -m mhc.train`: each trains, or ends with one sentence; none with a bug report.

Every try is a fork of one process that has imported the libraries, so that tries do not affect each other.
"""

from __future__ import annotations

import contextlib
import csv
import os
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from scripts import forks
from scripts.attacks.outcome import Outcome

TRIES, QUICK_TRIES = 2000, 12
BASES = (
    ("data=files", "data.train=train.csv", "model=linear"),
    ("data=synthetic", "data.rows=120", "model=micro"),
)
"""Trainings in turn, to which the generated words are added."""
FAST = ("model.epochs=1", "trainer.fast_dev_run=true", "trainer.accelerator=cpu", "model.tokenizer.vocab_size=400")
TIMEOUT = 60.0
"""Seconds after which a try has hung."""

VALUES = (
    "",
    "null",
    "3",
    "-1",
    "0",
    "1e400",
    "nan",
    "true",
    "abc",
    "[1,2]",
    "[a",
    "{a:1}",
    "{a",
    "'",
    '"',
    "a,b",
    "a=b",
    "a b",
    "${x}",
    "${seed}",
    "${paths.outputs}",
    "${oc.env:NOPE}",
    "~",
    "~/x.csv",
    "posts[1].csv",
    "x*.csv",
    "😀.csv",
    "日本.csv",
    "it's.csv",
    'say "hi".csv',
    "a#b",
    "a:b",
    "a\\b",
    "../x",
    "/dev/null",
    ".",
    "-",
    "--help",
    "\x1b[31m",
    "a" * 5000,
    "choice(1)",
    "range(3)",
    "[[[[]]]]",
    "_target_",
    "os.system",
    "1_000",
    "0x10",
    "1.5",
    "inf",
    "(1)",
    "|",
    "$HOME",
    "`ls`",
    "\\",
    "%s",
)
ODD_WORDS = (
    "=5",
    "==",
    "=",
    "+",
    "++",
    "~",
    "~~model",
    "+model=micro",
    "++x",
    "x",
    "a.b.c=1",
    ".=1",
    "..=1",
    "model@x=micro",
)


def run(work: Path, *, quick: bool) -> list[Outcome]:
    """Try generated overrides; a failure is exit code 3, a traceback, or a try that hangs."""
    write_table(work / "train.csv")
    forks.import_training()
    keys = [all_keys(base) for base in BASES]
    rng = random.Random(1)
    count = QUICK_TRIES if quick else TRIES
    failures = []
    with contextlib.chdir(work):
        for number in range(count):
            words = generated(rng, keys[number % len(BASES)], number // len(BASES))
            problem = attempt([*BASES[number % len(BASES)], *FAST, *words], work)
            if problem:
                failures.append(f"{' '.join(word[:80] for word in words)}: {problem}")
    return [Outcome(name="overrides of a training", tried=count, failures=tuple(failures))]


def write_table(path: Path) -> None:
    """Write 60 rows of words without a meaning."""
    rng = random.Random(2)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("text", "label"))
        for row in range(60):
            table.writerow((" ".join(f"w{rng.randrange(50)}" for _ in range(6)) + f" {row}", "ab"[row % 2]))


def all_keys(base: Sequence[str]) -> list[str]:
    """Return the dotted keys of the config that `base` composes, groups included."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from mhc.policy import CONF
    from mhc.training.config import register_config
    from mhc.training.config_errors import keys_of

    register_config()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        keys = keys_of(compose("train", overrides=[*base]))
    GlobalHydra.instance().clear()
    return keys


def generated(rng: random.Random, keys: list[str], number: int) -> list[str]:
    """Return one to three words: a known, mistyped or odd key with any value; the first key is each one in turn."""
    words = []
    for place in range(rng.choice((1, 1, 1, 2, 3))):
        kind = rng.random()
        key = rng.choice(keys) if place else keys[number % len(keys)]
        if kind < 0.05:
            words.append(rng.choice(ODD_WORDS))
        elif kind < 0.15:
            words.append(f"{rng.choice('+~')}{key}={rng.choice(VALUES)}")
        elif kind < 0.3:
            words.append(f"{key[:-1] or 'x'}{rng.choice('xyz')}={rng.choice(VALUES)}")
        else:
            words.append(f"{key}={rng.choice(VALUES)}")
    return words


def attempt(words: list[str], work: Path) -> str:
    """Train with these words in a fork of this process, and return what was wrong with its end."""
    log = work / "output.txt"
    log.unlink(missing_ok=True)
    code = forks.wait(forks.start(partial(train_without_input, words), log), TIMEOUT)
    written = log.read_text(errors="replace")
    if code is None:
        return "it hangs"
    if code == 3 or code < 0 or "Traceback (most recent call last)" in written:
        lines = [line.strip() for line in written.splitlines() if line.strip()]
        return f"exit {code}: {' | '.join(lines[-6:])[:400]}"
    return ""


def train_without_input(words: list[str]) -> None:
    """Train with these words and an empty standard input."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    forks.train(words)
