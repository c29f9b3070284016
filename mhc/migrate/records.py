"""Build a record from the descriptions of a run in other trackers. Pure: nothing here touches a disk.

A value that no source gives stays unknown, and every description is stored unchanged in `imported`.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from mhc.errors import Unreadable
from mhc.migrate import merge
from mhc.migrate.source import Content, Description
from mhc.record import Event, Lineage, Location, RunRecord, Status, Sweep
from mhc.runs.folders import slug
from mhc.terminal import quantity

LONGEST_NAME = 120
LONGEST_TEXT = 4000


class ImportedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it is written to `outputs/`."""

    record: RunRecord
    location: Location
    files: dict[str, bytes] = {}
    splitless: bool = False
    """Whether no source names the split of its metrics."""


def build_run(descriptions: list[Description], *, now: datetime, zone: tzinfo, split: str | None) -> ImportedRun:
    """Return one run from all its descriptions.

    Args:
        descriptions: not empty, of one experiment.
        now: the time of the import.
        zone: the time zone of times in the source that name none.
        split: split of the metrics whose split the source does not name, val or test; None ignores such metrics.
    """
    descriptions = merge.ordered(descriptions)
    contents = [d.content for d in descriptions]
    created, created_why = merge.created(descriptions, zone)
    status, status_reason = merge.status(descriptions)
    category = merge.category(descriptions)
    metrics = merge.metrics_of(contents, split)
    record = RunRecord(
        id=run_id(descriptions[0]),
        name=_name(descriptions),
        description=_text(merge.first(contents, ("description",))),
        tags=list(dict.fromkeys(tag for content in contents for tag in _tags(content))),
        status=status,
        status_reason=status_reason,
        category=category,
        category_reason="the category in the old tracker" if category else "",
        created_at=created,
        started_at=merge.started(contents, zone),
        ended_at=merge.ended(contents, zone) if status is Status.COMPLETED else None,
        seed=next((seed for content in contents if (seed := _seed(content)) is not None), None),
        sweep=_sweep(descriptions[0]),
        lineage=_lineage(descriptions),
        metrics=metrics,
        note=_text(merge.first(contents, ("notes",))),
        imported=imported(descriptions),
        history=[Event(at=merge.iso(now), what="imported", by="import", why=_why(descriptions, created_why, zone))],
    )
    files = {name: data for d in descriptions for name, data in d.files.items()}
    location, splitless = merge.location(descriptions), merge.splitless(contents, metrics)
    return ImportedRun(record=record, location=location, files=files, splitless=splitless)


def run_id(first: Description) -> str:
    """Return our id for an experiment: the same source gives the same id, whatever its folder and the importing user.

    `<name>_<YYYYMMDD>_<HHMMSS>_<4 hex>`; day and time are those of the source (not shifted by a time zone), or zeros
    if it has none. The jobs of a sweep share them, so their number is part of the name.
    """
    stamp = merge.STAMP_IN_KEY.search(first.key) if first.tracker != "hydra" else None
    when = f"{stamp[1]}_{stamp[2]}" if stamp else _digits(first.stamp)
    number = f"-{first.content['job_num']}" if _is_sweep_job(first) else ""
    return f"{slug(_name([first])[:60])}{number}_{when}_{_hex(first.tracker, first.key)}"


def _digits(stamp: str | None) -> str:
    return re.sub(r"[-:]", "", stamp).replace("T", "_") if stamp else "00000000_000000"


def _hex(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="backslashreplace")).hexdigest()[:4]


def imported(descriptions: list[Description]) -> Content:
    """Return the value of the field `imported`: each distinct description once, with all its places."""
    entries: dict[bytes, Content] = {}
    for d in descriptions:
        place = {"source": d.source, "place": d.place} | ({"line": d.line} if d.line else {})
        entry = entries.setdefault(content_key(d.content), {"stands_in": [], "content": d.content})
        entry["stands_in"].append(place)
    first = descriptions[0]
    return {"tracker": first.tracker, "experiment": first.key, "descriptions": list(entries.values())}


def descriptions_of(record: RunRecord) -> list[Description]:
    """Return the descriptions that an imported record was built from.

    Raises:
        Unreadable: if a user has edited them.
    """
    try:
        return [
            Description(
                key=str(record.imported["experiment"]),
                tracker=str(record.imported["tracker"]),
                source=place["source"],
                place=place["place"],
                line=place.get("line"),
                content=entry["content"],
            )
            for entry in record.imported["descriptions"]
            for place in entry["stands_in"]
        ]
    except (KeyError, TypeError, AttributeError):
        raise Unreadable(f"The field imported of run {record.id} is not as the import wrote it") from None


def content_key(content: Content) -> bytes:
    """Return bytes that are equal for equal content, whatever the order of its keys."""
    return msgspec.json.encode(content, order="deterministic")


def _name(descriptions: list[Description]) -> str:
    """Return the name of the experiment by the source, or else its key without the time at the end."""
    name = merge.first([d.content for d in descriptions], ("experiment_name", "job"))
    first = descriptions[0]
    stem = first.key[: m.start()] if (m := merge.STAMP_IN_KEY.search(first.key)) else first.key
    return _line(name) or _line("hydra" if first.tracker == "hydra" else stem) or "run"


def _line(value: Any) -> str:
    """Return one printable line of at most 120 characters."""
    return " ".join(_text(value).split())[:LONGEST_NAME]


def _text(value: Any) -> str:
    """Return printable text of at most 4,000 characters; `imported` has the whole text."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in value).strip()[:LONGEST_TEXT]


def _tags(content: Content) -> list[str]:
    tags = content.get("tags")
    return [tag for item in tags if (tag := _line(item))] if isinstance(tags, list) else []


def _seed(content: Content) -> int | None:
    """Return the seed, given by itself or at the top level of a config."""
    config = content.get("config")
    for value in (content.get("seed"), config.get("seed") if isinstance(config, dict) else None):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _is_sweep_job(first: Description) -> bool:
    number = first.content.get("job_num")
    return first.tracker == "hydra" and first.content.get("mode") == "MULTIRUN" and type(number) is int


def _sweep(first: Description) -> Sweep | None:
    """Return the Hydra sweep of the job, named by the time in its folder."""
    if not _is_sweep_job(first):
        return None
    parent = str(first.content["output_dir"]).rpartition("/")[0]
    sweep_id = f"{slug(_name([first])[:60])}_{_digits(first.stamp)}_{_hex('hydra', parent)}_sweep"
    return Sweep(id=sweep_id, job=first.content["job_num"], overrides=[str(o) for o in first.content["overrides"]])


def _lineage(descriptions: list[Description]) -> Lineage:
    first = descriptions[0]
    commit = merge.first([d.content for d in descriptions], ("git_commit",))
    overrides = first.content.get("overrides") if first.tracker == "hydra" else []
    sources = list(dict.fromkeys(d.source for d in descriptions))
    return Lineage(
        overrides=[str(o) for o in overrides or []],
        git_commit=commit if isinstance(commit, str) and re.fullmatch(r"[0-9a-f]{7,64}", commit) else None,
        imported_from=f"{first.tracker}: {', '.join(sources)}",
    )


def _why(descriptions: list[Description], created_why: str, zone: tzinfo) -> str:
    places = len({(d.source, d.place, d.line) for d in descriptions})
    parts = [f"described in {quantity(places, 'place')}", f"times without a zone are in {zone}", created_why]
    return "; ".join(part for part in parts if part)
