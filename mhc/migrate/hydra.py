"""Read plain Hydra job folders: folders with `.hydra` and without a record of ours. Changes nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mhc.migrate.source import Content, Description, Problem, SourceItem, read_bytes

TRACKER = "hydra"

_FILES = ("config.yaml", "hydra.yaml", "overrides.yaml")
_LARGEST_FILE = 4 * 1024 * 1024


def is_job(folder: Path) -> bool:
    """Return whether Hydra ran a job in this folder."""
    return any((folder / ".hydra" / name).is_file() for name in _FILES)


def read_job(folder: Path, root: Path) -> Iterator[SourceItem]:
    """Yield one description of the job that ran in `folder`, and a problem for each file that cannot be read."""
    files: dict[str, bytes] = {}
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
        if len(data) > _LARGEST_FILE:
            yield Problem(source=source, why=f"it is larger than {_LARGEST_FILE >> 20} MiB; not imported")
            continue
        files[f".hydra/{name}"] = data
        value = _yaml(data, source)
        if isinstance(value, Problem):
            yield value
        else:
            parsed[name] = value
    if files:
        yield _describe(folder, root, files, parsed)


def _describe(folder: Path, root: Path, files: dict[str, bytes], parsed: dict[str, Any]) -> Description:
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
        key=_key(files),
        tracker=TRACKER,
        source=folder.relative_to(root).as_posix(),
        place="folder",
        content=content,
        stamp=_stamp(str(content["output_dir"])) or _stamp(folder.resolve().as_posix()),
        modified=min((folder / name).stat().st_mtime for name in files),
        files=files,
    )


_STAMP = re.compile(r"(\d{4}-\d{2}-\d{2})[/_](\d{2})-(\d{2})-(\d{2})(?:/[^/]+)?$")


def _stamp(path: str) -> str | None:
    """Return the time in the name of a Hydra folder: `outputs/2025-01-04/23-39-48`, `multirun/<day>/<time>/3`."""
    match = _STAMP.search(path)
    return f"{match[1]}T{match[2]}:{match[3]}:{match[4]}" if match else None


def _key(files: dict[str, bytes]) -> str:
    """Return a hash of the job's files, equal for a copy of its folder; hydra.yaml has the folder that it ran in."""
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
    return digest.hexdigest()


def _yaml(data: bytes, source: str) -> Any | Problem:
    try:
        return yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        return Problem(source=source, line=line, why="it is not valid YAML; stored unchanged, but not used")


def _mapping(value: Any) -> Content:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    return [str(_scalar(item)) for item in value] if isinstance(value, list) else []


def _scalar(value: Any) -> str | int | float | bool | None:
    """Return a YAML scalar as JSON can represent it, and None for other values: nested aliases may be endless."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < 2**63:
        return value
    if isinstance(value, dict | list | set | tuple):
        return None
    return str(value).encode(errors="backslashreplace").decode()
