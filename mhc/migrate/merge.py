"""What the descriptions of one run agree to say: times, status, category, metrics, place. Pure.

Everywhere the first that says something wins; descriptions come ordered by how much they know.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Any

from mhc.facts import Metrics
from mhc.migrate.source import Content, Description
from mhc.record import Category, Location, MetricsBySplit, Status

_ORDER = {"folder": 0, "active_experiments": 1, "log": 2}
_STATUS = {
    "completed": Status.COMPLETED,
    "failed": Status.FAILED,
    "error": Status.FAILED,
    "crashed": Status.FAILED,
    "interrupted": Status.INTERRUPTED,
    "cancelled": Status.INTERRUPTED,
    "stopped": Status.INTERRUPTED,
}
_STARTED_KEYS = ("created_at", "timestamp")
_ENDED_KEYS = ("completed_at", "training_completed")
_METRIC_KEYS = ("final_metrics", "performance", "metrics")
STAMP_IN_KEY = re.compile(r"_(\d{8})_(\d{6})$")
_NOT_LABELS = ("macro", "micro", "weighted")


def ordered(descriptions: list[Description]) -> list[Description]:
    """Those first that know most: the experiment's own folder, then the registry's active section, then the log."""
    return sorted(descriptions, key=lambda d: (_ORDER.get(d.place, 3), d.source, d.line or 0))


def metrics_of(said: list[Content], split: str | None) -> MetricsBySplit:
    """The metrics whose split is known: by a `val_` or `test_` before the name, or by `split` for all others."""
    found: dict[str, dict[str, float]] = {"val": {}, "test": {}}
    for content in said:
        for key in _METRIC_KEYS:
            values = content.get(key)
            for name, value in values.items() if isinstance(values, dict) else ():
                where, _, bare = name.partition("_") if name.startswith(("val_", "test_")) else (split, "", name)
                if where and _is_measure(bare, value):
                    found[where].setdefault(bare, float(value))
    return MetricsBySplit(val=_metrics(found["val"]), test=_metrics(found["test"]))


def started(said: list[Content], zone: tzinfo) -> str | None:
    """When the source says that the run began, in UTC."""
    return utc(first(said, _STARTED_KEYS), zone)


def ended(said: list[Content], zone: tzinfo) -> str | None:
    """When the source says that the training was completed, in UTC."""
    return utc(first(said, _ENDED_KEYS), zone)


def splitless(said: list[Content], metrics: MetricsBySplit) -> bool:
    """Whether there are metrics and of none is it known on which split they were measured."""
    named = any(
        _is_measure(name, value)
        for content in said
        for key in _METRIC_KEYS
        if isinstance(content.get(key), dict)
        for name, value in content[key].items()
    )
    return named and metrics == MetricsBySplit()


def _is_measure(name: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    kind, _, label = name.partition("_")
    per_class = kind in ("f1", "precision", "recall") and label and label not in _NOT_LABELS
    return name == "loss" or ((name in ("accuracy", "f1_macro") or bool(per_class)) and 0 <= value <= 1)


def _metrics(values: dict[str, float]) -> Metrics | None:
    if not values:
        return None
    by_class: dict[str, dict[str, float]] = {"f1": {}, "precision": {}, "recall": {}}
    for name, value in values.items():
        kind, _, label = name.partition("_")
        if kind in by_class and label not in _NOT_LABELS:
            by_class[kind][label] = value
    return Metrics(
        accuracy=values.get("accuracy"),
        f1_macro=values.get("f1_macro"),
        loss=values.get("loss"),
        f1=by_class["f1"],
        precision=by_class["precision"],
        recall=by_class["recall"],
    )


def status(known: list[Description]) -> tuple[Status, str]:
    """How the run ended, and why we say so; an old `running` is lost: nobody can say how it ended."""
    words = [str(d.content.get("status", "")).lower() for d in known if d.place.split(".")[0] in _ORDER]
    if word := next((w for w in words if w in _STATUS), None):
        return _STATUS[word], f"the old tracker said {word}"
    if any(d.content.get(key) for d in known for key in _ENDED_KEYS):
        return Status.COMPLETED, "the old tracker gives the time at which the training was completed"
    if "running" in words:
        return Status.LOST, "the old tracker said running and never how it ended"
    if known[0].tracker == "hydra":
        return Status.UNKNOWN, "a plain Hydra folder does not say how its job ended"
    return Status.UNKNOWN, "the old tracker does not say how it ended"


def category(known: list[Description]) -> Category | None:
    """The category that the old tracker gave."""
    said = [d.content.get("experiment_category") for d in known]
    said += ["debug" for d in known if d.place == "debug_models"]
    return next((Category(word) for word in said if word in ("debug", "baseline")), None)


_ARCHIVES = {
    "archived_models": Location.ARCHIVED,
    "debug_models": Location.ARCHIVE_DEBUG,
    "archived_experiments.archive_debug": Location.ARCHIVE_DEBUG,
    "archived_experiments.archive_baseline": Location.ARCHIVE_BASELINE,
    "archived_experiments.archived": Location.ARCHIVED,
}


def location(known: list[Description]) -> Location:
    """Where the old tracker had it: an archive that one of the descriptions names, else active."""
    for d in known:
        path = [str(d.content.get("archive_location", "")), *str(d.content.get("to", "")).split("/")]
        if d.place == "folder":
            path += d.source.split("/")
        named = next((part for part in path if part in ("archive_debug", "archive_baseline", "archived")), None)
        if named or d.place in _ARCHIVES:
            return Location(named) if named else _ARCHIVES[d.place]
    return Location.ACTIVE


def created(known: list[Description], zone: tzinfo) -> tuple[str, str]:
    """When the run began (UTC), and why that is not quite known (empty where a source says it)."""
    said = [d.content for d in known]
    stamps = [m[1] + m[2] for d in known if d.tracker != "hydra" and (m := STAMP_IN_KEY.search(d.key))]
    own = [d.stamp for d in known if d.stamp]
    candidates = [first(said, _STARTED_KEYS), *own, *(_iso_of_digits(stamp) for stamp in stamps)]
    if found := next((at for value in candidates if (at := utc(value, zone))), None):
        return found, ""
    oldest = datetime.fromtimestamp(min(d.modified for d in known), tz=UTC)
    return iso(oldest), "no source gives a date: created_at is the time of the file"


def _iso_of_digits(digits: str) -> str:
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}T{digits[8:10]}:{digits[10:12]}:{digits[12:14]}"


def utc(value: Any, zone: tzinfo) -> str | None:
    """The time as UTC in ISO 8601; None where it is none. A time without a zone is taken as in `zone`."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        at = datetime.fromisoformat(value)
        return iso(at if at.tzinfo else at.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def iso(at: datetime) -> str:
    """UTC, ISO 8601, with a Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def first(said: list[Content], keys: tuple[str, ...]) -> Any:
    """The first value that is not empty, in the order of the descriptions, then of the keys."""
    return next((c[key] for c in said for key in keys if c.get(key)), None)
