"""Generate expressions of `--where`, valid and broken ones, and names of fields for the options of `list`.

None ends in a bug report. An expression that is accepted and its negation select each run exactly once between them.
"""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from mhc.cli.main import run as run_mhc
from scripts.attacks.outcome import Outcome, outcome
from tests.support.builders import a_run

WHOLE, QUICK = 2000, 120
"""Numbers of expressions."""
FIELDS = """
id name status status_reason category location path age duration created_at ended_at history.at history.what seed sweep
group tags note pinned candidate promotion promotion.gates promotion.gates.measured bundles imported imported.params.lr
metrics metrics.val val.f1_macro test.accuracy f1_macro recall recall.depression recall."self-harm" timing model
model.parameters data data.splits labels lineage.packages lineage.packages.torch smoke lr config.lr model.optimizer
model.optimizer.lr trainer.max_epochs trainer epochs odd odd.list odd.deep odd.empty odd.'a_b' odd."x.y" config
config.seed optimizer.lr weird.lr failure.sentence process.pid config.odd.nan
"""
JUNK_FIELDS = ("nothing", "config.", ".", "a..b", "model.", ".lr", '""', "_target_", "lr.lr", "\N{SNOWMAN}", "-lr", "1")
OPERATORS = ("=", "==", "!=", "<>", "<", "<=", ">", ">=", "~", "!~", "has")
VALUES = """
0.003 3e-3 .5 -1 1e400 -inf nan 1_000 0x10 9999999999999999999999 true false null none yes no completed failed paper 7d
1h30m 2026-11-20 2026-11-20T12:00 2026-13-45 99999999d 1mo '' "" 'a_b' "it's" \N{SNOWMAN} \udcff \\ % ; *** a=b ${lr}
[] {} model.lr and
"""
LETTERS = "()'\"=<>!~,. \t\n\\\0\u202e\N{GRINNING FACE}\udcfeandornotisinhas0e-"
CONFIG = """seed: 1
model:
  name: linear
  optimizer: {lr: 0.003}
odd:
  list: [1, two, null, [3]]
  deep: {a: {b: {c: {d: 1}}}}
  empty: {}
  a b: 1
  x.y: yes
  nan: .nan
  ref: ${model.name}
weird: {lr: text}
"""


def run(work: Path, *, quick: bool) -> list[Outcome]:
    """Generate expressions and names, and try each on runs of every kind."""
    make_runs(work / "outputs")
    number = QUICK if quick else WHOLE
    dice = random.Random(1)
    accepted = [text for text in (comparison(dice) for _ in range(number)) if _is_accepted(work, text)]
    texts = [expression(dice, 3, partial(dice.choice, accepted)) for _ in range(number // 2)]
    valid = [(text, partial(flaw_of_partition, work, text)) for text in texts]
    broken = [(text, partial(flaw_of, work, "list", "--where", text)) for text in broken_expressions(dice, number // 2)]
    return [
        outcome("valid expressions, and their negations", named(valid)),
        outcome("broken expressions", named(broken)),
        outcome("names of fields in --sort, --columns, --group", named(list(options(work)))),
    ]


def named(tries: Sequence[tuple[str, Callable[[], str]]]) -> list[tuple[str, Callable[[], str]]]:
    """Return the tries with names that a terminal can print."""
    return [(ascii(text)[:200], attempt) for text, attempt in tries]


def make_runs(outputs: Path) -> None:
    """Write runs with and without scores, a config with odd values, a config that is none, and a damaged record."""
    a_run(outputs, "plain_20261120_120000_0001", sweep="s_20261120_120000_beef_sweep")
    a_run(outputs, "failed_20261120_120000_0002", status="failed", category=None, model=None, seed=None, group="")
    a_run(outputs, "foreign_20261120_120000_0003", imported={"params": {"lr": "0.1"}, "list": [1, {"a": None}]})
    (a_run(outputs, "odd_20261120_120000_0004", tags=["paper"]) / ".hydra" / "config.yaml").write_text(CONFIG)
    (a_run(outputs, "none_20261120_120000_0005") / ".hydra" / "config.yaml").write_bytes(b"\xff[{")
    (a_run(outputs, "torn_20261120_120000_0006") / "run.json").write_bytes(b"{")


def expression(dice: random.Random, depth: int, leaf: Callable[[], str]) -> str:
    """Return an expression of comparisons by `leaf`, with at most `depth` levels."""
    kind = dice.randrange(6) if depth else 0
    if kind == 1:
        return f"not {expression(dice, depth - 1, leaf)}"
    if kind == 2:
        return f"({expression(dice, depth - 1, leaf)})"
    if kind >= 4:
        joint = dice.choice([" and ", " or ", " AND ", "\tor\n"])
        return joint.join(expression(dice, depth - 1, leaf) for _ in range(dice.randint(2, 3)))
    return leaf()


def comparison(dice: random.Random) -> str:
    """Return one comparison, or a field alone."""
    field = dice.choice(FIELDS.split())
    values = [dice.choice(VALUES.split()) for _ in range(dice.randint(1, 3))]
    return dice.choice(
        [
            field,
            f"{field} is null",
            f"{field} is not null",
            f"{field} in ({', '.join(values)})",
            *[f"{field} {dice.choice(OPERATORS)} {values[0]}"] * 6,
        ]
    )


def broken_expressions(dice: random.Random, number: int) -> Iterator[str]:
    """Yield expressions with letters removed, replaced and inserted, and texts that never were expressions."""
    for count in range(number):
        text = expression(dice, 2, partial(comparison, dice))
        for _ in range(dice.randint(1, 4)):
            place = dice.randint(0, len(text))
            text = text[:place] + dice.choice(["", *LETTERS]) + text[place + dice.randint(0, 2) :]
        match count % 20:
            case 0:
                text = "".join(dice.choice(LETTERS) for _ in range(dice.randint(0, 60)))
            case 1:
                text = "not " * dice.randint(30, 400) + text
            case 2:
                text = "(" * dice.randint(30, 3000) + text
            case 3:
                text = f"{dice.choice(JUNK_FIELDS)} {dice.choice(OPERATORS)} {dice.choice(VALUES.split())}"
        yield text


def options(work: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield every field as the argument of every option that takes one."""
    for field in (*FIELDS.split(), *JUNK_FIELDS, "", ",", "'", '"lr', "\0", "x" * 5000):
        for option in ("--sort", "--columns", "--group"):
            yield f"{option} {field}", partial(flaw_of, work, "list", option, field)


def flaw_of(work: Path, *words: str) -> str:
    """Return what is wrong with the end of a command: a bug report, or a refusal without a sentence."""
    return _ended(work, *words)[1]


def flaw_of_partition(work: Path, text: str) -> str:
    """Return what is wrong with an expression and its negation."""
    selected, flaw = _ended(work, "list", "--columns", "id", "--where", text)
    others, other_flaw = _ended(work, "list", "--columns", "id", "--where", f"not ({text})")
    if flaw or other_flaw:
        return flaw or other_flaw
    if selected is None or others is None:
        return "it or its negation is refused"
    every, _ = _ended(work, "list", "--columns", "id")
    each_once = sorted([*selected, *others]) == sorted(every or [])
    return "" if each_once else "it and its negation do not select each run once"


def _is_accepted(work: Path, text: str) -> bool:
    return _ended(work, "list", "--where", text)[0] is not None


def _ended(work: Path, *words: str) -> tuple[list[str] | None, str]:
    """Return the printed lines, None if the command was refused, and what is wrong with its end."""
    out, err = io.StringIO(), io.StringIO()
    folders = ["--outputs", str(work / "outputs"), "--models", str(work / "models")]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_mhc([*folders, *words])
    if code not in (0, 1, 2):
        return None, f"exit code {code}: {err.getvalue()[-300:]}"
    if code and not err.getvalue().strip():
        return None, f"exit code {code} without a sentence"
    return (None if code else out.getvalue().splitlines()[1:]), ""
