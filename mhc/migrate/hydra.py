"""Read plain Hydra job folders: those with a `.hydra` folder and no record of ours. Changes nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mhc.migrate.source import Content, Description, Found, Problem, read_bytes

TRACKER = "hydra"

_FILES = ("config.yaml", "hydra.yaml", "overrides.yaml")
_LARGEST_KEPT = 4 * 1024 * 1024


def is_job(folder: Path) -> bool:
    """Whether Hydra ran a job in this folder."""
    return any((folder / ".hydra" / name).is_file() for name in _FILES)


def read_job(folder: Path, root: Path) -> Iterator[Found]:
    """One description of the job that ran in `folder`; a file of it that cannot be read is a problem of its own."""
    kept: dict[str, bytes] = {}
    parsed: dict[str, Any] = {}
    for name in _FILES:
        path = folder / ".hydra" / name
        if not path.is_file() and not path.is_symlink():
            continue
        source = path.relative_to(root).as_posix()
        data = read_bytes(path, root, source)
        if isinstance(data, Problem):
            yield data
            continue
        if len(data) > _LARGEST_KEPT:
            yield Problem(source=source, why=f"it is larger than {_LARGEST_KEPT >> 20} MiB; not taken")
            continue
        kept[f".hydra/{name}"] = data
        value = _yaml(data, source)
        if isinstance(value, Problem):
            yield value
        else:
            parsed[name] = value
    if kept:
        yield _describe(folder, root, kept, parsed)


def _describe(folder: Path, root: Path, kept: dict[str, bytes], parsed: dict[str, Any]) -> Description:
    hydra = _mapping(_mapping(parsed.get("hydra.yaml")).get("hydra"))
    job, runtime = _mapping(hydra.get("job")), _mapping(hydra.get("runtime"))
    content: Content = {
        "job": _scalar(job.get("name")),
        "mode": _scalar(hydra.get("mode")),
        "job_num": _scalar(job.get("num")),
        "output_dir": _scalar(runtime.get("output_dir")),
        "sweep_dir": _scalar(_mapping(hydra.get("sweep")).get("dir")),
        "hydra_version": _scalar(runtime.get("version")),
        "overrides": _texts(parsed.get("overrides.yaml")),
        "choices": {str(k): _scalar(v) for k, v in _mapping(runtime.get("choices")).items()},
        "seed": _scalar(_mapping(parsed.get("config.yaml")).get("seed")),
    }
    return Description(
        key=_key(kept),
        tracker=TRACKER,
        source=folder.relative_to(root).as_posix(),
        place="folder",
        content=content,
        stamp=_stamp(str(content["output_dir"])) or _stamp(folder.resolve().as_posix()),
        modified=min((folder / name).stat().st_mtime for name in kept),
        files=kept,
    )


_STAMP = re.compile(r"(\d{4}-\d{2}-\d{2})[/_](\d{2})-(\d{2})-(\d{2})(?:/[^/]+)?$")


def _stamp(path: str) -> str | None:
    """The time in the name that Hydra gives its folders: `outputs/2025-01-04/23-39-48`, `multirun/<day>/<time>/3`."""
    found = _STAMP.search(path)
    return f"{found[1]}T{found[2]}:{found[3]}:{found[4]}" if found else None


def _key(kept: dict[str, bytes]) -> str:
    """A name for the job that a copy of its folder shares: the hash of its files (hydra.yaml holds where it ran)."""
    digest = hashlib.sha256()
    for name, data in sorted(kept.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
    return digest.hexdigest()


def _yaml(data: bytes, source: str) -> Any | Problem:
    try:
        return yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        return Problem(source=source, line=line, why="it is not whole YAML; kept as it is, nothing read from it")


def _mapping(value: Any) -> Content:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    return [str(_scalar(item)) for item in value] if isinstance(value, list) else []


def _scalar(value: Any) -> str | int | float | bool | None:
    """A YAML scalar as JSON can hold it, whatever else as None: nested aliases may be endless."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < 2**63:
        return value
    if isinstance(value, dict | list | set | tuple):
        return None
    return str(value).encode(errors="backslashreplace").decode()
