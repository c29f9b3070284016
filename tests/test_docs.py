"""The documents tell the truth: commands exist, options are known, links lead somewhere, the walk can be walked."""

from __future__ import annotations

import csv
import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mhc.cli.command_table import COMMANDS
from mhc.cli.main import cli

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DOORS = ("mhc ", "python scripts/manage_experiments.py ")


def typed_in(document: Path) -> list[str]:
    """The command lines in the fenced blocks of a document, comments cut off."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [re.split(r"\s+#\s", line)[0] for line in lines if line.startswith((*DOORS, "python -m mhc."))]


MANAGING = [
    pytest.param(line, id=f"{document.stem}: {line[:70]}")
    for document in DOCUMENTS
    for line in typed_in(document)
    if line.startswith(DOORS)
]


def test_every_command_is_documented() -> None:
    text = " ".join(document.read_text() for document in DOCUMENTS)
    missing = [name for name in COMMANDS if not re.search(rf"\b(mhc|manage_experiments\.py) {name}\b|`{name}\b", text)]
    assert not missing, f"No document names {missing}: add them to docs/"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_are_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name} links to {target}, which is not there"


@pytest.mark.parametrize("line", MANAGING)
def test_documented_command_has_the_options_it_is_shown_with(line: str) -> None:
    words = shlex.split(re.split(r" [|>] ", line.replace("<run id>", "ID").replace("<name>", "NAME"))[0], posix=True)
    arguments = words[1:] if words[0] == "mhc" else words[2:]
    context = click.Context(cli)
    name, rest = arguments[0], arguments[1:]
    command = cli.get_command(context, name)
    while isinstance(command, click.Group):
        name, rest = rest[0], rest[1:]
        command = command.get_command(context, name)
    assert command is not None, f"{line}: there is no command {name!r}"
    known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    used = {word.split("=")[0] for word in rest if word.startswith("-") and word != "-"}
    assert used <= known | {"--help"}, f"{line}: {sorted(used - known)} is no option of {name}"


def test_readme_begins_with_the_two_commands() -> None:
    first = re.search(r"```\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert first is not None
    assert [line.split("#")[0].strip() for line in first.group(1).splitlines()] == ["make train", "make test"]


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix in (".py", ".md", ".yaml", ".toml", ".txt", "") and path.is_file() and path != Path(__file__):
            found = re.search(r"/(?:root|work|Users/\w+)/(?!\.\.)", path.read_text(errors="replace"))
            assert not found, f"{name} holds {found.group(0) if found else ''}"


LABELS = ("anxiety", "depression", "normal", "suicidal")


def write_table(file: Path, rows: int, seed: int) -> None:
    """Rows of words without a meaning, of which some are typical of the label; one label in twelve is wrong."""
    rng = random.Random(seed)
    with file.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(("text", "label"))
        for row in range(rows):
            label = row % len(LABELS)
            words = [
                f"w{label}x{rng.randrange(40)}" if rng.random() < 0.12 else f"n{rng.randrange(900)}" for _ in range(25)
            ]
            shown = rng.randrange(len(LABELS)) if rng.random() < 1 / 12 else label
            table.writerow((" ".join(words), LABELS[shown]))


def step(words: list[str], place: Path) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    command = (
        [sys.executable, *words[1:]] if words[0] == "python" else [sys.executable, "-m", "mhc.cli.main", *words[1:]]
    )
    done = subprocess.run(command, capture_output=True, text=True, cwd=place, env=environment, timeout=240)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return done.stdout + done.stderr


@pytest.mark.slow
def test_walk_of_the_readme_ends_with_the_first_bundle_as_champion_and_a_whole_ledger(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## Promote")[2].partition("\n## ")[0]
    (tmp_path / "walk.md").write_text(section)
    write_table(tmp_path / "train.csv", 1600, seed=1)
    write_table(tmp_path / "test.csv", 800, seed=2)
    lines = typed_in(tmp_path / "walk.md")
    said = {line: step(shlex.split(line), tmp_path) for line in lines}
    assert len(said) == 9
    assert "second" in said["mhc champion"]
    assert "first" in step(["mhc", "champion"], tmp_path)
    second = said[next(line for line in lines if line.startswith("mhc promote second"))]
    assert "champion" in second  # the paired comparison with it is shown
    assert (tmp_path / "models" / "registry.json").exists()
    for section in ("Manage runs", "Predict"):
        for line in examples_of(section, tmp_path):
            assert step(shlex.split(line), tmp_path)


def examples_of(section: str, place: Path) -> list[str]:
    """The commands of a section of the README, for the world of the walk: its runs, its texts, this working tree."""
    (place / "section.md").write_text(
        (ROOT / "README.md").read_text().partition(f"## {section}")[2].partition("\n## ")[0]
    )
    write_table(place / "posts.csv", 20, seed=3)
    lines = [line for line in typed_in(place / "section.md") if "evaluate" not in line]
    assert lines
    return [line.replace("<run id>", "second").replace("scripts/", f"{ROOT}/scripts/") for line in lines]
