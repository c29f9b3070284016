"""The command group: lazy commands, error handler, exit codes, help, completion."""

from __future__ import annotations

import os
import pickle
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import yaml
from safetensors import SafetensorError

from mhc.cli.command_table import COMMANDS
from mhc.cli.main import cli, run
from mhc.errors import Conflict
from mhc.training import exit_codes
from tests.cli.conftest import Answer
from tests.support.builders import a_run, a_tree
from tests.support.programs import ROOT

Mhc = Callable[..., Answer]
HEAVY = ("rich", "msgspec", "sqlite3", "numpy", "torch", "yaml", "psutil", "scipy", "pandas", "hydra", "mhc.runs")


def in_process(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mhc.cli.main", *words],
        capture_output=True, text=True, timeout=60, cwd=ROOT, env={**os.environ, **environment},
    )  # fmt: skip


def test_help_names_every_command_and_imports_none() -> None:
    code = (
        "import sys; from mhc.cli.main import run; code = run(['--help']);"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules];"
        "assert code == 0 and not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    for name, entry in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(entry.help)}$", done.stdout, re.MULTILINE), name


@pytest.mark.parametrize("words", [["list"], ["details", "focal_20261120_13"], ["summary"]], ids=lambda words: words[0])
def test_reading_commands_import_no_training_code(tree: Path, words: list[str]) -> None:
    code = (
        "import sys; from mhc.cli.main import run;"
        f"code = run(['--outputs', {str(tree)!r}, *{words!r}]);"
        "heavy = [name for name in ('torch', 'numpy', 'scipy', 'pandas', 'hydra', 'rich') if name in sys.modules];"
        "assert code == 0 and not heavy, (code, heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_short_help_of_the_table_fits_one_line_of_80_columns() -> None:
    assert [name for name, entry in COMMANDS.items() if len(entry.help) > 64] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_that_is_its_own(mhc: Mhc, name: str) -> None:
    answer = mhc(name, "--help")
    assert answer.code == 0
    assert re.search(rf"Example: mhc {name}\b", answer.out), answer.out


EXAMPLES = ["list", "details", "candidates", "compare", "search", "summary", "log", "watch", "completion"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_in_the_help_runs(mhc: Mhc, tree: Path, name: str) -> None:
    example = re.search(r"Example: (mhc .*(?:\n {2}\S.*)*)", mhc(name, "--help").out)
    assert example
    answer = mhc(*shlex.split(example[1].replace("\n  ", " "))[1:])
    assert (answer.code, answer.err.count("cannot")) == (0, 0), answer


def test_mistyped_command_gets_a_suggestion(mhc: Mhc) -> None:
    answer = mhc("lst")
    assert answer.code == 2
    assert "No command 'lst'. Did you mean 'list'?" in answer.err


@pytest.mark.parametrize("words", [["list", "--no-such"], ["details"], ["list", "--limit", "many"], ["compare"]])
def test_wrong_usage_exits_with_2_and_shows_the_usage(mhc: Mhc, words: list[str]) -> None:
    answer = mhc(*words)
    assert answer.code == 2
    assert answer.err.startswith(f"Usage: mhc {words[0]}")
    assert "Error:" not in answer.err


def test_refusal_is_a_sentence_and_exit_code_1(mhc: Mhc, outputs: Path) -> None:
    answer = mhc("details", "nothing")
    assert answer == Answer(1, "", f"No run 'nothing' in {outputs}. There are no runs in it yet\n")


def test_bug_exits_with_3_and_a_report_without_values(mhc: Mhc, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def summary() -> None:
        raise ValueError("the text of a sample")

    monkeypatch.setattr("mhc.cli.commands.summary.summary_command", summary)
    answer = mhc("summary")
    assert answer.code == 3
    assert "This is a bug in mhc" in answer.err
    assert "ValueError" in answer.err
    assert "test_main.py" in answer.err
    assert "sample" not in answer.err


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(13, "Permission denied", "outputs/x"), "outputs/x: Permission denied. Check the file"),
        (OSError("the text of a sample"), "A file is damaged, or of another kind (OSError)"),
        (MemoryError(), "The memory is not sufficient"),
        (RecursionError(), "A file or a value is nested too deeply"),
        (pickle.UnpicklingError("the text of a sample"), "A file is damaged, or of another kind (UnpicklingError)"),
        (zipfile.BadZipFile(), "A file is damaged, or of another kind (BadZipFile)"),
        (yaml.scanner.ScannerError(), "A file is damaged, or of another kind (ScannerError)"),
        (SafetensorError("the text of a sample"), "A file is damaged, or of another kind (SafetensorError)"),
        (sqlite3.OperationalError("disk I/O error"), "A file is damaged, or of another kind (OperationalError)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_error_of_the_machine_is_one_sentence_at_both_doors(
    error: Exception, sentence: str, mhc: Mhc, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("mhc.cli.commands.summary.summary_command", click.command(fail))
    answer = mhc("summary")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert answer.err.startswith(sentence)
    assert exit_codes.code_of(fail) == 1
    assert capsys.readouterr().err == answer.err
    monkeypatch.setenv("MHC_DEBUG", "1")
    assert "Traceback" in mhc("summary").err


def test_errors_are_printed_without_control_characters(mhc: Mhc, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def summary() -> None:
        raise Conflict("two runs: a\x1b[2Jb\x07 and \u202ec")

    monkeypatch.setattr("mhc.cli.commands.summary.summary_command", summary)
    assert mhc("summary").err == "two runs: ab  and  c\n"


def test_ctrl_c_exits_with_130(outputs: Path) -> None:
    a_run(outputs)
    process = subprocess.Popen(
        [sys.executable, "-m", "mhc.cli.main", "--outputs", str(outputs), "log", "--follow"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err.strip()) == (130, "")


def test_closed_pipe_is_no_error(outputs: Path) -> None:
    a_tree(outputs, 1500)
    mhc = f"{sys.executable} -m mhc.cli.main --outputs {outputs} list --limit 0"
    script = f"{mhc} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.stdout.splitlines()[0].startswith("id\tstatus")
    assert done.stdout.splitlines()[1] in ("0", "141")
    assert done.stderr in ("", "1,500 runs: 1,500 completed\n")


def test_version_is_printed() -> None:
    assert re.fullmatch(r"mhc, version \d+\.\d+\.\d+\n", in_process("--version").stdout)


def test_folders_come_from_the_environment(tree: Path) -> None:
    done = in_process("list", "--limit", "1", MHC_OUTPUTS=str(tree))
    assert done.stdout.splitlines()[1].startswith("gone_20261120_180000_000a\tlost")


def test_folders_are_those_of_the_surrounding_project(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tree.parent / "notebooks" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.delenv("MHC_OUTPUTS", raising=False)
    assert run(["details", "a1b2"]) == 0


def test_script_runs_the_same_command_line(tree: Path) -> None:
    script = [sys.executable, "scripts/manage_experiments.py", "--outputs", str(tree), "details", "a1b2"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert "attention_20261120_120000_a1b2" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_printed(mhc: Mhc, shell: str) -> None:
    answer = mhc("completion", shell)
    assert answer.code == 0
    assert "_MHC_COMPLETE" in answer.out


def completed(words: str, **environment: str) -> list[str]:
    parts = words.split(" ")
    done = in_process(_MHC_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(parts) - 1), **environment)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.split()]


def test_shell_completes_commands_options_and_run_ids(tree: Path) -> None:
    folders = {"MHC_OUTPUTS": str(tree)}
    assert completed("mhc comp", **folders) == ["compare", "completion"]
    assert "--where" in completed("mhc list --w", **folders)
    assert completed("mhc details foc", **folders) == ["focal_20261120_140000_e5f6", "focal_20261120_130000_c3d4"]
    assert completed(f"mhc --outputs {tree} compare a1b2 att") == ["attention_20261120_120000_a1b2"]
    assert completed("mhc details foc", MHC_OUTPUTS="/nowhere") == []


def test_every_command_of_the_group_is_one_of_the_table() -> None:
    assert cli.list_commands(click.Context(cli)) == list(COMMANDS)
