"""The documents are correct: commands and options exist, links and paths resolve, the promotion example runs."""

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
from tests.support import programs
from tests.support.programs import ONE_THREAD

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("mhc ", "python scripts/manage_experiments.py ")


def commands_in(document: Path) -> list[str]:
    """Return the command lines in the fenced blocks of a document, without comments."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [re.split(r"\s+#\s", line)[0] for line in lines if line.startswith((*PROGRAMS, "python -m mhc."))]


MANAGEMENT_COMMANDS = [
    pytest.param(line, id=f"{document.stem}: {line[:70]}")
    for document in DOCUMENTS
    for line in commands_in(document)
    if line.startswith(PROGRAMS)
]


def test_every_command_is_documented() -> None:
    text = " ".join(document.read_text() for document in DOCUMENTS)
    missing = [name for name in COMMANDS if not re.search(rf"\b(mhc|manage_experiments\.py) {name}\b|`{name}\b", text)]
    assert not missing, f"No document names {missing}: add them to docs/"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_paths_lead_to_existing_files(document: Path) -> None:
    text = document.read_text()
    for target in re.findall(r"\]\(([^)#:]+)[^)]*\)", text):
        assert (document.parent / target).exists(), f"{document.name} links to {target}, which does not exist"
    for path in re.findall(r"\b(?:callbacks|conf|docs|mhc|scripts|tests)/[\w/]+\.(?:py|md|yaml)\b", text):
        assert (ROOT / path).exists(), f"{document.name} names {path}, which does not exist"


def test_documented_commands_can_be_pasted_into_zsh() -> None:
    """An unquoted bracket, star or question mark is a pattern for zsh, which refuses the line if no file fits."""
    for document in DOCUMENTS:
        for line in commands_in(document):
            unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", line)
            assert not re.search(r"[\[\]*?(){}]", unquoted), f"{document.name} has an unquoted pattern: {line}"


@pytest.mark.parametrize("line", MANAGEMENT_COMMANDS)
def test_documented_options_exist(line: str) -> None:
    words = shlex.split(re.split(r" [|>] ", line.replace("<run id>", "ID").replace("<name>", "NAME"))[0], posix=True)
    arguments = words[1:] if words[0] == "mhc" else words[2:]
    context = click.Context(cli)
    name, rest = arguments[0], arguments[1:]
    command = cli.get_command(context, name)
    while isinstance(command, click.Group):
        name, rest = rest[0], rest[1:]
        command = command.get_command(context, name)
    assert command is not None, f"{line}: there is no command {name!r}"
    options = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    used = {word.split("=")[0] for word in rest if word.startswith("-") and word != "-"}
    assert used <= options | {"--help"}, f"{line}: {sorted(used - options)} is no option of {name}"


def test_readme_begins_with_what_make_does() -> None:
    first = re.search(r"```\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert first is not None
    assert [line.split("#")[0].strip() for line in first.group(1).splitlines()] == [
        "make quick",
        "make train",
        "make test",
    ]


def test_no_file_contains_an_absolute_path_of_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix in (".py", ".md", ".yaml", ".toml", ".txt", "") and path.is_file() and path != Path(__file__):
            match = re.search(r"/(?:root|work|Users/\w+)/(?!\.\.)", path.read_text(errors="replace"))
            assert not match, f"{name} contains {match.group(0) if match else ''}"


LABELS = ("anxiety", "depression", "normal", "suicidal")


def some_words(count: int, seed: int) -> list[str]:
    """Return different words of seven random letters, so that no piece of one says anything about another."""
    rng = random.Random(seed)
    return ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(count)]


HINTS, FILLERS = some_words(160, seed=11), some_words(900, seed=12)


def write_table(file: Path, rows: int, seed: int) -> None:
    """Write rows of meaningless words, some of them typical of the label; one label in twelve is wrong."""
    rng = random.Random(seed)
    with file.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(("text", "label"))
        for row in range(rows):
            label = row % len(LABELS)
            words = [
                HINTS[label * 40 + rng.randrange(40)] if rng.random() < 0.05 else FILLERS[rng.randrange(900)]
                for _ in range(60)
            ]
            noisy = rng.randrange(len(LABELS)) if rng.random() < 1 / 12 else label
            table.writerow((" ".join(words), LABELS[noisy]))


def run_command(words: list[str], place: Path) -> str:
    """Run a documented command in `place` and return its output."""
    environment = ONE_THREAD | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    if words[0] == "python" and words[1] != "-m":
        command = [sys.executable, *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, cwd=place, env=os.environ | environment)
    else:
        command = words[2:] if words[0] == "python" else ["mhc.cli.main", *words[1:]]
        done = programs.run(*command, cwd=place, environment=environment)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return done.stdout + done.stderr


@pytest.mark.slow
def test_promotion_example_ends_with_the_first_as_champion(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## Promote")[2].partition("\n## ")[0]
    (tmp_path / "promote.md").write_text(section)
    write_table(tmp_path / "train.csv", 1600, seed=1)
    write_table(tmp_path / "test.csv", 800, seed=2)
    lines = commands_in(tmp_path / "promote.md")
    outputs = {line: run_command(shlex.split(line), tmp_path) for line in lines}
    assert len(outputs) == 9
    assert "second" in outputs["mhc champion"]
    assert "first" in run_command(["mhc", "champion"], tmp_path)
    second = outputs[next(line for line in lines if line.startswith("mhc promote second"))]
    assert "champion" in second  # the paired comparison with it is shown
    assert (tmp_path / "models" / "registry.json").exists()
    for section in ("Manage runs", "Predict"):
        for line in examples_of(section, tmp_path):
            assert run_command(shlex.split(line), tmp_path)


def examples_of(section: str, place: Path) -> list[str]:
    """Return the commands of a section of the README, adapted to the runs, texts and paths of the test."""
    (place / "section.md").write_text(
        (ROOT / "README.md").read_text().partition(f"## {section}")[2].partition("\n## ")[0]
    )
    write_table(place / "posts.csv", 20, seed=3)
    lines = [line for line in commands_in(place / "section.md") if "evaluate" not in line]
    assert lines
    return [line.replace("<run id>", "second").replace("scripts/", f"{ROOT}/scripts/") for line in lines]
