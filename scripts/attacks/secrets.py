"""Plant credentials wherever a user could leave one, live through a run, and look for them in every byte written.

They are in overrides, notes, reasons, addresses, environment variables, and in the uncommitted changes of the code: in
code itself, in a tracked `.env` and a tracked table of posts. A word that may be written is planted too, and shows that
the search finds something.
"""

from __future__ import annotations

import random
import shutil
import string
import subprocess
from pathlib import Path

from scripts import batch
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
    environment = {"PLANTED": planted["reference"]}
    commands = [*trainings(planted), *promotions(project, planted)]
    printed = batch.run(commands if quick else [*commands, sweep(planted)], project, project, environment)
    if not quick:
        printed += batch.run([continuation(project, planted)], project, project, environment)
    return [outcome_of(project, printed, planted), outcome_of_bundle(project, work)]


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


def trainings(planted: dict[str, str]) -> list[batch.Command]:
    """Return the training of a run with credentials in its command, and of one that fails with one in its data."""
    words = [
        "model=micro", "trainer=cpu", "model.epochs=1", "data.rows=300", "name=planted", f"tags=[{planted['tag']}]",
        f"+tracker.api_key={planted['override']}", f"+tracker.password={planted['number']}",
        f"+other={{client_secret:{planted['mapping']},word:{CONTROL}}}",
        f"+tracker.uri='https://ada:{planted['user of an address']}@host/?token={planted['query of an address']}'",
        "+tracker.token=${oc.env:PLANTED}", f"note='see https://u:{planted['note']}@host and {CONTROL}'",
        f"description='password={planted['description']} {planted['token of GitHub']}'",
    ]  # fmt: skip
    failing = ["data=files", f"data.train=https://u:{planted['error']}@host/train.csv", "name=failing"]
    return [(["mhc.train", *words], (0,)), (["mhc.train", *failing], (1, 2))]


def promotions(project: Path, planted: dict[str, str]) -> list[batch.Command]:
    """Return the commands that promote the run, publish its bundle, and print all that is known of both."""
    signed = ["--by", "ada", "--reason", f"token={planted['reason']}"]
    answer = ["--answer", f"plausible=password={planted['answer']}"]
    address = f"https://ada:{planted['publish address']}@host.invalid/models?sig={planted['publish address']}"
    commands: list[batch.Command] = [
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
    return [(["mhc.cli.main", *words], codes) for words, codes in commands]


def sweep(planted: dict[str, str]) -> batch.Command:
    """Return a sweep of two jobs, the second of which cannot begin."""
    words = ["--multirun", "model=micro,none", "trainer=cpu", "model.epochs=1", "data.rows=300", "name=sweeping"]
    return ["mhc.train", *words, f"+tracker.api_key={planted['sweep']}"], (0, 1, 2)


def continuation(project: Path, planted: dict[str, str]) -> batch.Command:
    """Return the command that resumes the failed run with the credential that its record has masked."""
    [failed] = project.glob("outputs/failing_*")
    words = [f"resume={failed.name}", f"data.train=https://u:{planted['error']}@host/train.csv"]
    return ["mhc.train", *words], (1, 2)


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
