"""Change ledger, registry, bundles and anchors behind mhc's back; then run every command that writes in models/.

After each command: no bug report, nothing that was there is deleted or changed, and `mhc verify` still finds what was
done. If the ledger lost entries, no command writes anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mhc.cli.main import run as run_mhc
from mhc.errors import MhcError
from mhc.production import ledger, verify
from mhc.production.api import Registry
from mhc.production.consistency import REGISTRY
from mhc.production.decision import Request
from mhc.production.promote import promote
from scripts.attacks.outcome import Outcome, outcome
from scripts.tamperings import LOST, SEEN
from tests.support.promotions import NOW, a_trained_run, make_world, policy

BUG = 3
RUN = "strong_20261120_120000_a1b2"
WHO = ("--by", "eve", "--reason", "an attack")
COMMANDS: dict[str, tuple[str, ...]] = {
    "promote": ("promote", RUN, *WHO),
    "promote by force": ("promote", RUN, *WHO, "--force"),
    "promote under a name": ("promote", RUN, *WHO, "--force", "--name", "stranger"),
    "alias set": ("alias", "set", "newest", "strong_v2", *WHO),
    "alias remove": ("alias", "remove", "newest", *WHO),
    "rollback": ("rollback", *WHO),
    "retire": ("retire", "strong_v3", *WHO),
    "publish": ("publish", "strong_v2", "{work}/published", *WHO),
    "rebuild": ("rebuild",),
    "verify --fix": ("verify", "--fix"),
    "doctor --fix": ("doctor", "--fix"),
    "evaluate": ("evaluate",),
}
QUICK_COMMANDS = ("promote by force", "rebuild")

TAMPERINGS = LOST | SEEN
QUICK_TAMPERINGS = (
    "ledger: five lines cut",
    "ledger and registry removed",
    "ledger: last promotion cut, registry rewritten",
    "registry: removed",
    "bundle: unknown, complete",
    "production: folder by hand",
)


def run(work: Path, *, quick: bool) -> list[Outcome]:
    """Tamper with a copy of a models folder in every way, and run every command after it."""
    populate(work)
    names = QUICK_TAMPERINGS if quick else tuple(TAMPERINGS)
    commands = QUICK_COMMANDS if quick else tuple(COMMANDS)
    tries = [(name, lambda name=name: attack(work, name, commands)) for name in names]
    return [outcome(f"tamperings, each with {len(commands)} commands", tries)]


def populate(work: Path) -> None:
    """Write three bundles and a history: promotions, aliases, a rollback."""
    world = make_world(work / "world")
    outputs, models = work / "outputs", work / "models"
    strong = a_trained_run(outputs, models, world, RUN)
    lenient = policy(champion={"margin": 1.0})
    for _ in range(3):
        promote(Request(run=strong, by="ada", reason="x"), outputs=outputs, models=models, policy=lenient, now=NOW)
    registry = Registry(models, outputs)
    registry.set_alias("challenger", "strong_v2", by="ada", reason="to be compared")
    registry.rollback(by="bob", reason="worse in the field")
    registry.set_alias("newest", "strong_v1", by="ada", reason="a name")


def attack(work: Path, name: str, commands: Sequence[str]) -> str:
    """Tamper with a copy, run the commands one after the other, and return what went wrong."""
    models = Path(shutil.copytree(work / "models", work / "attacked" / "models", symlinks=True))
    try:
        TAMPERINGS[name](models)
        if not wrong(models):
            return "verify does not find it"
        return next(filter(None, (after(work, models, name, command) for command in commands)), "")
    finally:
        shutil.rmtree(work / "attacked")


def after(work: Path, models: Path, name: str, command: str) -> str:
    """Run one command, and return what is wrong after it."""
    before = contents(models)
    code = run_evaluate(work, models) if command == "evaluate" else run_command(work, models, COMMANDS[command])
    now = contents(models)
    gone = [path for path, sha in before.items() if now.get(path) != sha and not is_kept(path, sha, now, models)]
    if code == BUG:
        return f"{command} ends in a bug report"
    if gone:
        return f"{command} deleted or changed {', '.join(gone[:3])}"
    if name in LOST and now != before:
        return f"{command} wrote {', '.join(sorted(path for path in now if now[path] != before.get(path))[:3])}"
    if name in LOST and code == 0:
        return f"{command} did not stop"
    return "" if wrong(models) or was_recorded(models) else f"{command} made verify forget it"


def run_command(work: Path, models: Path, words: Sequence[str]) -> int:
    """Run one command line of mhc in this process, silently."""
    with silence():
        places = ("--outputs", str(work / "outputs"), "--models", str(models))
        return run_mhc([*places, *(word.replace("{work}", str(work / "attacked")) for word in words)])


def run_evaluate(work: Path, models: Path) -> int:
    """Run `python -m mhc.evaluate` in this process, silently; the evidence goes to the models folder."""
    from mhc.evaluate import main
    from mhc.training.exit_codes import code_of

    output = models / "evaluations" / "x.npz"
    output.parent.mkdir(exist_ok=True)
    places = (f"run={work / 'outputs' / RUN}", f"paths.models={models}", f"paths.cache={work / 'cache'}")
    words, sys.argv = sys.argv, ["mhc.evaluate", *places, f"output={output}"]
    with silence():
        try:
            return code_of(main)
        finally:
            sys.argv = words


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Discard what a command prints."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def wrong(models: Path) -> bool:
    """Return whether `mhc verify` finds anything wrong."""
    try:
        return bool(verify.check(models).wrong)
    except MhcError:
        return True


def was_recorded(models: Path) -> bool:
    """Return whether the ledger itself has what was found and moved aside."""
    return any(entry.what == "mended" for entry in ledger.read(models).entries)


def contents(models: Path) -> dict[str, str]:
    """Return the sha256 of every file, and the target of every link, by its path; without locks."""
    found = {}
    for path in sorted(models.rglob("*")):
        name = path.relative_to(models).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file() and path.name != "run.lock":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def is_kept(path: str, sha: str, now: dict[str, str], models: Path) -> bool:
    """Return whether a file was moved aside, or is the ledger or its snapshot, which grow with every entry."""
    if path in (ledger.FILE, REGISTRY):
        return path in now and not ledger.read(models).flaw
    return any(other.startswith(".aside/") and value == sha for other, value in now.items())
