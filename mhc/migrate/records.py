"""Make our record from what other trackers say of a run. Pure: nothing here touches a disk.

Nothing is invented: what no source says stays unknown, and every description is kept whole in `imported`.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from mhc.errors import Unreadable
from mhc.migrate import merge as say
from mhc.migrate.source import Content, Description
from mhc.record import Event, Lineage, Location, RunRecord, Status, Sweep
from mhc.runs.folders import slug

LONGEST_NAME = 120
LONGEST_TEXT = 4000


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it will stand in our outputs."""

    record: RunRecord
    location: Location
    files: dict[str, bytes] = {}
    splitless: bool = False
    """It has metrics of which no source says on which split they were measured."""


def take(descriptions: list[Description], *, now: datetime, zone: tzinfo, split: str | None) -> Taken:
    """One run out of all that is said of it.

    Args:
        descriptions: Not empty, of one experiment.
        now: The time of the import.
        zone: The time zone of the sources' times, which name none.
        split: val or test: where metrics belong whose split the source does not name; None leaves them out.
    """
    known = say.ordered(descriptions)
    said = [d.content for d in known]
    created, created_why = say.created(known, zone)
    status, status_reason = say.status(known)
    category = say.category(known)
    metrics = say.metrics_of(said, split)
    record = RunRecord(
        id=run_id(known[0]),
        name=_name(known),
        description=_text(say.first(said, ("description",))),
        tags=list(dict.fromkeys(tag for content in said for tag in _tags(content))),
        status=status,
        status_reason=status_reason,
        category=category,
        category_reason="as the old tracker had it" if category else "",
        created_at=created,
        started_at=say.started(said, zone),
        ended_at=say.ended(said, zone) if status is Status.COMPLETED else None,
        seed=next((seed for content in said if (seed := _seed(content)) is not None), None),
        sweep=_sweep(known[0]),
        lineage=_lineage(known),
        metrics=metrics,
        note=_text(say.first(said, ("notes",))),
        imported=imported(known),
        history=[Event(at=say.iso(now), what="imported", by="import", why=_why(known, created_why, zone))],
    )
    files = {name: data for d in known for name, data in d.files.items()}
    return Taken(record=record, location=say.location(known), files=files, splitless=say.splitless(said, metrics))


def run_id(first: Description) -> str:
    """Our id for an experiment: the same source gives the same id, wherever it lies and whoever imports it.

    `<name>_<YYYYMMDD>_<HHMMSS>_<4 hex>`; day and time are those of the source (not moved by a time zone), zeros where
    it has none. The jobs of a sweep share them, so their number joins the name.
    """
    stamp = say.STAMP_IN_KEY.search(first.key) if first.tracker != "hydra" else None
    when = f"{stamp[1]}_{stamp[2]}" if stamp else _digits(first.stamp)
    number = f"-{first.content['job_num']}" if _is_sweep_job(first) else ""
    return f"{slug(_name([first])[:60])}{number}_{when}_{_hex(first.tracker, first.key)}"


def _digits(stamp: str | None) -> str:
    return re.sub(r"[-:]", "", stamp).replace("T", "_") if stamp else "00000000_000000"


def _hex(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="backslashreplace")).hexdigest()[:4]


def imported(descriptions: list[Description]) -> Content:
    """Everything the sources say, whole; equal descriptions once, with all the places where they stand."""
    entries: dict[bytes, Content] = {}
    for d in descriptions:
        place = {"source": d.source, "place": d.place} | ({"line": d.line} if d.line else {})
        entry = entries.setdefault(content_key(d.content), {"stands_in": [], "content": d.content})
        entry["stands_in"].append(place)
    first = descriptions[0]
    return {"tracker": first.tracker, "experiment": first.key, "descriptions": list(entries.values())}


def descriptions_of(record: RunRecord) -> list[Description]:
    """What an imported record keeps of its sources.

    Raises:
        Unreadable: somebody has changed it by hand.
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
        raise Unreadable(f"What run {record.id} keeps of its import is not as the import wrote it") from None


def content_key(content: Content) -> bytes:
    """Equal for equal content, whatever the order of its keys."""
    return msgspec.json.encode(content, order="deterministic")


def _name(known: list[Description]) -> str:
    """The experiment's name: as the source calls it, else its key without the time at the end."""
    called = say.first([d.content for d in known], ("experiment_name", "job"))
    bare = known[0].key[: m.start()] if (m := say.STAMP_IN_KEY.search(known[0].key)) else known[0].key
    fallback = "hydra" if known[0].tracker == "hydra" else bare
    return _line(called) or _line(fallback) or "run"


def _line(value: Any) -> str:
    """One printable line of at most 120 characters."""
    return " ".join(_text(value).split())[:LONGEST_NAME]


def _text(value: Any) -> str:
    """One printable paragraph of at most 4,000 characters; the whole stands in `imported`."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in value).strip()[:LONGEST_TEXT]


def _tags(content: Content) -> list[str]:
    tags = content.get("tags")
    return [tag for item in tags if (tag := _line(item))] if isinstance(tags, list) else []


def _seed(content: Content) -> int | None:
    """The seed, where it stands by itself or at the top of a config."""
    config = content.get("config")
    for value in (content.get("seed"), config.get("seed") if isinstance(config, dict) else None):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _is_sweep_job(first: Description) -> bool:
    number = first.content.get("job_num")
    return first.tracker == "hydra" and first.content.get("mode") == "MULTIRUN" and type(number) is int


def _sweep(first: Description) -> Sweep | None:
    """The Hydra sweep that the job was part of, named by the time in its folder."""
    if not _is_sweep_job(first):
        return None
    parent = str(first.content["output_dir"]).rpartition("/")[0]
    sweep_id = f"{slug(_name([first])[:60])}_{_digits(first.stamp)}_{_hex('hydra', parent)}_sweep"
    return Sweep(id=sweep_id, job=first.content["job_num"], overrides=[str(o) for o in first.content["overrides"]])


def _lineage(known: list[Description]) -> Lineage:
    commit = say.first([d.content for d in known], ("git_commit",))
    overrides = known[0].content.get("overrides") if known[0].tracker == "hydra" else []
    places = list(dict.fromkeys(d.source for d in known))
    return Lineage(
        overrides=[str(o) for o in overrides or []],
        git_commit=commit if isinstance(commit, str) and re.fullmatch(r"[0-9a-f]{7,64}", commit) else None,
        imported_from=f"{known[0].tracker}: {', '.join(places)}",
    )


def _why(known: list[Description], created_why: str, zone: tzinfo) -> str:
    places = len({(d.source, d.place, d.line) for d in known})
    parts = [f"described in {places} place(s)", f"times without a zone taken as {zone}", created_why]
    return "; ".join(part for part in parts if part)
