"""Plant credentials wherever a user could leave one, live through a run, and look for them in every byte written.

They are in overrides, notes, reasons, addresses, environment variables, and in the uncommitted changes of the code: in
code itself, in a tracked `.env` and a tracked table of posts. A word that may be written is planted too, and shows that
the search finds something.
"""

from __future__ import annotations

import os
import random
import shutil
import string
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.attacks.canaries import members
from scripts.attacks.outcome import Outcome

ROOT = Path(__file__).resolve().parents[2]
CONTROL = "kwyjibo"
"""The word that may be written."""
PLACES = (
    "override", "number", "mapping", "user of an address", "query of an address", "reference", "note", "description",
    "tag", "token of GitHub", "sweep", "error", "reason", "answer", "publish address", "code", "settings", "env file",
    "posts",
)  # fmt: skip


def needles(chance: random.Random) -> dict[str, str]:
    """Return the credential of each place; no other text has it."""
    letters = string.ascii_letters + string.digits
    planted = {place: "".join(chance.choices(letters, k=24)) + "7" for place in PLACES}
    planted["number"] = "".join(chance.choices("123456789", k=15))
    planted["token of GitHub"] = "ghp_" + "".join(chance.choices(letters, k=35)) + "7"
    planted["tag"] = "hf_" + "".join(chance.choices(string.ascii_letters, k=34))
    return planted


def run(work: Path, *, quick: bool) -> list[Outcome]:
    """Carry out the life of a run in a project with planted credentials."""
    project, planted = work / "project", needles(random.Random(5))
    make_project(project, planted)
    printed = [trained(project, planted)]
    printed.append(promoted(project, planted))
    if not quick:
        printed += [swept(project, planted), continued(project, planted)]
    return [outcome_of(project, b"".join(printed), planted), outcome_of_bundle(project, work)]


def make_project(project: Path, planted: dict[str, str]) -> None:
    """Copy the code into a new repository, and change it without committing."""
    for folder in ("mhc", "callbacks", "conf"):
        shutil.copytree(ROOT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".env", "posts.csv"):
        (project / name).write_text("nothing yet\n")
    (project / ".gitignore").write_text("__pycache__\n/outputs/\n/models/\n/cache/\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "First"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=project, check=True)
    (project / ".env").write_text(f"WANDB_API_KEY={planted['env file']}\n")
    (project / "posts.csv").write_text(f"text,label\n{planted['posts']},sad\n")
    with (project / "mhc" / "timestamps.py").open("a") as file:
        file.write(f'\nAPI_KEY = "{planted["code"]}"\nWORD = "{CONTROL}"\n')
    with (project / "conf" / "train.yaml").open("a") as file:
        file.write(f"\ntracker_settings:\n  password: {planted['settings']}\n")


def trained(project: Path, planted: dict[str, str]) -> bytes:
    """Train one run with credentials in its command, and one that fails with one in the name of its data."""
    words = [
        "model=micro", "trainer=cpu", "model.epochs=1", "data.rows=300", "name=planted", f"tags=[{planted['tag']}]",
        f"+tracker.api_key={planted['override']}", f"+tracker.password={planted['number']}",
        f"+other={{client_secret:{planted['mapping']},word:{CONTROL}}}",
        f"+tracker.uri='https://ada:{planted['user of an address']}@host/?token={planted['query of an address']}'",
        "+tracker.token=${oc.env:PLANTED}", f"note='see https://u:{planted['note']}@host and {CONTROL}'",
        f"description='password={planted['description']} {planted['token of GitHub']}'",
    ]  # fmt: skip
    failing = ["data=files", f"data.train=https://u:{planted['error']}@host/train.csv", "name=failing"]
    output = output_of(project, ["mhc.train", *words], planted)
    return output + output_of(project, ["mhc.train", *failing], planted, codes=(1, 2))


def promoted(project: Path, planted: dict[str, str]) -> bytes:
    """Promote the run, publish its bundle, and print all that is known of both."""
    signed = ["--by", "ada", "--reason", f"token={planted['reason']}"]
    answer = ["--answer", f"plausible=password={planted['answer']}"]
    address = f"https://ada:{planted['publish address']}@host.invalid/models?sig={planted['publish address']}"
    commands: list[tuple[list[str], tuple[int, ...]]] = [
        (["promote", "planted", *signed, *answer, "--force", "--name", "planted_v1"], (0,)),
        (["publish", "planted_v1", address, *signed], (1,)),
        (["publish", "planted_v1", address, *signed, "--dry-run"], (0, 1)),
        (["publish", "planted_v1", f"file://{project}/published", *signed], (0,)),
        (["history"], (0,)),
        (["details", "planted"], (0,)),
        (["list", "--json"], (0,)),
        (["reproduce", "planted"], (0,)),
        (["verify"], (0,)),
        (["export", "--to", "outputs/runs.csv"], (0,)),
    ]
    return b"".join(output_of(project, ["mhc.cli.main", *words], planted, codes) for words, codes in commands)


def swept(project: Path, planted: dict[str, str]) -> bytes:
    """Train two jobs of a sweep, the second of which cannot begin."""
    words = ["--multirun", "model=micro,none", "trainer=cpu", "model.epochs=1", "data.rows=300", "name=sweeping"]
    return output_of(project, ["mhc.train", *words, f"+tracker.api_key={planted['sweep']}"], planted, codes=(0, 1, 2))


def continued(project: Path, planted: dict[str, str]) -> bytes:
    """Resume the failed run with the credential that its record has masked."""
    [failed] = project.glob("outputs/failing_*")
    words = [f"resume={failed.name}", f"data.train=https://u:{planted['error']}@host/train.csv"]
    return output_of(project, ["mhc.train", *words], planted, codes=(1, 2))


def output_of(project: Path, words: list[str], planted: dict[str, str], codes: Sequence[int] = (0,)) -> bytes:
    """Return what `python -m` with these words prints.

    Raises:
        RuntimeError: if it ends with another exit code.
    """
    places = {"PYTHONPATH": str(project), "MHC_OUTPUTS": "outputs", "MHC_MODELS": "models", "MHC_CACHE": "cache"}
    environment = os.environ | places | {"PLANTED": planted["reference"]}
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, cwd=project, env=environment)
    if done.returncode not in codes:
        raise RuntimeError(f"{' '.join(words[:2])} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return done.stdout + done.stderr


def outcome_of(project: Path, printed: bytes, planted: dict[str, str]) -> Outcome:
    """Search all that was written outside the cache, and all that was printed."""
    files = [path for folder in ("outputs", "models", "published") for path in (project / folder).rglob("*")]
    contents = [("what was printed", printed)]
    contents += [(place, content) for path in files if path.is_file() for place, content in members(path, project)]
    failures = [
        f"{place} has the credential of: {name}"
        for place, content in contents
        for name, needle in planted.items()
        if needle.encode() in content
    ]
    if not any(CONTROL.encode() in content for _, content in contents):
        failures.append("the word that may be written was not found, so the search proves nothing")
    return Outcome(name="secrets, all files", tried=len(contents) * len(planted), failures=tuple(failures))


def outcome_of_bundle(project: Path, work: Path) -> Outcome:
    """Search the bundle and its published copy for the folder of the project, and for uncommitted changes."""
    folders = [project / "models" / "production" / "planted_v1", project / "published" / "planted_v1"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    forbidden = {"local path": str(work).encode(), "diff": b"diff --git", "home": str(Path.home()).encode() + b"/"}
    failures = [
        f"{path.relative_to(project)} has a {name}"
        for path in files
        for name, needle in forbidden.items()
        if needle in path.read_bytes()
    ]
    return Outcome(name="secrets, bundle", tried=len(files) * len(forbidden), failures=tuple(failures))
