"""The rules of the structure: which folder may import which, how long a file and a function may be, who prints."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("mhc", "callbacks", "scripts")
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
MAX_FILES_OF_A_FOLDER = 25

FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "mhc.disk mhc.errors mhc.facts mhc.files mhc.record mhc.metrics mhc.timestamps mhc.terminal mhc.hardware "
        "mhc.distributed mhc.redaction mhc.markup mhc.streams mhc.user_text mhc.config_file mhc.reduction",
    ),
    ("mhc.policy", "mhc.statistics"),
    ("mhc.data", "mhc.runs"),
    ("mhc.model", "mhc.index", "mhc.provenance"),
    ("mhc.production", "mhc.report"),
    ("mhc.retention", "mhc.inference", "mhc.migrate", "mhc.analysis", "mhc.audit"),
    ("callbacks", "mhc.cli"),
    ("mhc.training", "mhc.serve"),
    ("mhc.train", "mhc.predict", "mhc.evaluate", "mhc.ensemble"),
    ("scripts",),
)  # fmt: skip
"""From the ground up. An import goes to a lower floor or stays in its unit; the names in one string are one unit."""

HEAVY = {"torch", "pytorch_lightning", "lightning_fabric", "transformers", "torchmetrics", "sklearn"}
LAZY_IMPORTS_ALLOWED = {"mhc/production"}
"""Folders that may import a heavy library inside the function that loads, scores or exports a model."""
FORBIDDEN_LIBRARIES = {
    "mhc/runs": HEAVY | {"hydra"},
    "mhc/index": HEAVY | {"hydra"},
    "mhc/provenance": HEAVY | {"hydra"},
    "mhc/statistics": HEAVY | {"hydra"},
    "mhc/production": HEAVY | {"hydra"},
    "mhc/retention": HEAVY | {"hydra"},
    "mhc/cli": HEAVY | {"hydra"},
    "mhc/migrate": HEAVY | {"hydra"},
    "mhc/serve": HEAVY | {"hydra"},
    "mhc/analysis": HEAVY | {"hydra"},
    "mhc/policy.py": HEAVY | {"hydra"},
    "mhc/record.py": HEAVY | {"hydra"},
    "mhc/facts.py": HEAVY | {"hydra"},
    "mhc/errors.py": HEAVY | {"hydra"},
    "mhc/timestamps.py": HEAVY | {"hydra"},
    "mhc/terminal.py": HEAVY | {"hydra"},
    "callbacks": {"hydra"},
}
MEANINGLESS_NAMES = {"utils", "helpers", "base", "common", "misc", "manager"}
MAY_PRINT = ("mhc/cli/", "scripts/")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_of(path): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "__pycache__" not in path.parts
}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported_names(tree: ast.AST) -> set[str]:
    """Return the dotted names of all imports, lazy and type-only ones included."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, "imports are absolute"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_modules(module: str) -> set[str]:
    """Return the modules of ours that `module` imports: of `from package import name` the module, if `name` is one."""
    names: set[str] = set()
    for node in ast.walk(tree_of(SOURCES[module])):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {name if name in SOURCES else node.module for name in inner}
    return {name for name in names if name in SOURCES} - {module}


def unit_of(module: str) -> tuple[int, str]:
    """Return the floor of `module` and the unit on it."""
    for floor, units in enumerate(FLOORS):
        for unit in units:
            if any(module == name or module.startswith(f"{name}.") for name in unit.split()):
                return floor, unit
    raise AssertionError(f"{module} is on no floor: put it into a folder of FLOORS, or add its folder there")


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def at_module_level(tree: ast.Module) -> ast.Module:
    """Return the module without the bodies of its functions and without what only type checkers read."""
    body = [node for node in tree.body if not isinstance(node, ast.FunctionDef) and not _is_type_checking(node)]
    return ast.Module(body=body, type_ignores=[])


def _is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def test_files_are_short_enough_to_read() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in SOURCES.values()}
    too_long = {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES}
    assert not too_long, f"more than {MAX_FILE_LINES} lines, split by subject: {too_long}"


def test_functions_are_short_enough_to_read() -> None:
    too_long = {
        f"{name_of(path)}: {function.name}": lines_of(function)
        for path in SOURCES.values()
        for function in functions(tree_of(path))
        if lines_of(function) > MAX_FUNCTION_LINES
    }
    assert not too_long, f"more than {MAX_FUNCTION_LINES} lines, give the steps names: {too_long}"


def test_folders_are_small_enough_to_read() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    folders = [Path(line).parent.as_posix() for line in listed.splitlines() if (ROOT / line).exists()]
    too_full = {folder: folders.count(folder) for folder in folders if folders.count(folder) > MAX_FILES_OF_A_FOLDER}
    assert not too_full, f"more than {MAX_FILES_OF_A_FOLDER} files, split by subject: {too_full}"


def test_imports_only_go_down() -> None:
    upward = [
        f"{module} (floor {unit_of(module)[0] + 1}) imports {other} (floor {unit_of(other)[0] + 1})"
        for module in SOURCES
        if module not in PACKAGES
        for other in sorted(imported_modules(module))
        if unit_of(module) != unit_of(other) and unit_of(module)[0] <= unit_of(other)[0]
    ]
    assert not upward, "move the code to where it belongs:\n" + "\n".join(upward)


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter({module: imported_modules(module) for module in SOURCES}).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def test_libraries_are_imported_where_they_may_be() -> None:
    wrong = []
    for path in SOURCES.values():
        for place, forbidden in FORBIDDEN_LIBRARIES.items():
            if name_of(path) == place or name_of(path).startswith(f"{place}/"):
                tree = tree_of(path)
                names = imported_names(at_module_level(tree) if place in LAZY_IMPORTS_ALLOWED else tree)
                libraries = sorted({name.partition(".")[0] for name in names} & forbidden)
                wrong += [f"{name_of(path)} imports {library}; {place} must not" for library in libraries]
    assert not wrong, "\n".join(wrong)


def test_files_have_names_that_mean_something() -> None:
    assert not [name_of(path) for path in SOURCES.values() if path.stem in MEANINGLESS_NAMES]


def test_only_the_command_line_and_the_scripts_print() -> None:
    printing = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES.values()
        if not name_of(path).startswith(MAY_PRINT)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not printing, f"return the value, or log it: {printing}"


def test_names_of_tests_fit_a_line() -> None:
    names = [
        (name_of(path), function.name)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for function in functions(tree_of(path))
        if function.name.startswith("test_")
    ]
    too_long = [f"{path}: {name} ({len(name)})" for path, name in names if len(name) > 60]
    assert not too_long, "more than 60 characters; move details into parametrize ids:\n" + "\n".join(too_long)


@pytest.mark.parametrize("module", ["mhc.cli.main", "mhc.index", "mhc.production", "mhc.policy"])
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


def test_architecture_page_names_files_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    names = re.findall(r"`((?:mhc|callbacks|conf|scripts|tests)/[\w./]+)`", page)
    assert len(names) > 40
    assert not [name for name in names if not (ROOT / name).exists()]
    floors = [unit for units in FLOORS for unit in units]
    assert not [unit for unit in floors[1:] if f"`{unit}`" not in page]
