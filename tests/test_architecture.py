"""The rules of the house that can be counted: who imports whom, how long a file and a function may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for folder in ("mhc", "callbacks", "scripts") for path in (ROOT / folder).rglob("*.py"))
LONGEST_FILE = 300
LONGEST_FUNCTION = 40
HEAVY = {"torch", "pytorch_lightning", "lightning_fabric", "transformers", "torchmetrics"}

MAY_IMPORT_TORCH_INSIDE_A_FUNCTION = {"mhc/production"}
FORBIDDEN = {
    "mhc/runs": HEAVY | {"hydra"},
    "mhc/production": HEAVY | {"hydra"},
    "mhc/cli": HEAVY | {"hydra"},
    "mhc/migrate": HEAVY | {"hydra"},
    "mhc/policy.py": HEAVY | {"hydra"},
    "mhc/facts.py": HEAVY | {"hydra"},
    "mhc/errors.py": HEAVY | {"hydra"},
    "mhc/data": {"mhc.runs", "mhc.production", "callbacks", "mhc.cli"},
    "mhc/model": {"mhc.runs", "mhc.production", "callbacks", "mhc.cli"},
    "callbacks": {"mhc.cli", "hydra"},
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports_of(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def top_level(tree: ast.Module) -> ast.Module:
    """The module without the bodies of its functions and without what only type checkers read."""
    kept = [node for node in tree.body if not isinstance(node, ast.FunctionDef) and not is_type_checking(node)]
    return ast.Module(body=kept, type_ignores=[])


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_file_is_short_enough_to_read(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST_FILE, f"{name_of(path)} has {lines} lines: split it by subject"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_function_is_short_enough_to_read(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{name_of(path)}: {node.name} has {lines} lines: give its steps names"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_keep_their_direction(path: Path) -> None:
    name = name_of(path)
    tree = ast.parse(path.read_text())
    for place, forbidden in FORBIDDEN.items():
        if name == place or name.startswith(place + "/"):
            lazily = place in MAY_IMPORT_TORCH_INSIDE_A_FUNCTION
            for module in imports_of(top_level(tree) if lazily else tree):
                bad = {other for other in forbidden if module == other or module.startswith(other + ".")}
                assert not bad, f"{name} imports {module}; {place} must not: move the code to where it belongs"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_file_has_a_name_that_says_something(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "base", "common", "misc", "manager"}, name_of(path)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_the_doors_print(path: Path) -> None:
    name = name_of(path)
    if name.startswith(("mhc/cli/", "scripts/")):
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    printing = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    assert not printing, f"{name} prints in line {printing[0].lineno}: return the value, or log it"


@pytest.mark.parametrize("module", ["mhc.cli.main", "mhc.runs", "mhc.production", "mhc.policy"])
def test_module_starts_without_torch(module: str) -> None:
    code = f"import sys, {module}; print(sorted(set(sys.modules) & {HEAVY | {'hydra'}!r}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


def test_training_help_starts_without_torch() -> None:
    code = (
        "import sys, runpy; sys.argv = ['mhc.train', '--cfg', 'job']\n"
        "try: runpy.run_module('mhc.train', run_name='__main__')\n"
        "except SystemExit: pass\n"
        f"print(sorted(set(sys.modules) & {HEAVY!r}), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stderr.strip().endswith("[]"), result.stderr[-500:]
