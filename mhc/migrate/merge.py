"""Merge the descriptions of one run: times, status, category, metrics, location. Pure.

The first description with a value wins; `ordered` sorts descriptions by how complete they are.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Any

from mhc.facts import Metrics
from mhc.migrate.source import Content, Description
from mhc.record import Category, Location, MetricsBySplit, Status
from mhc.timestamps import format_time, parse_time

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
    """Return the most complete descriptions first: experiment folder, active section of the registry, log, others."""
    return sorted(descriptions, key=lambda d: (_ORDER.get(d.place, 3), d.source, d.line or 0))


def metrics_of(contents: list[Content], split: str | None) -> MetricsBySplit:
    """Return the metrics by split: that of their prefix `val_` or `test_`, or `split` for metrics without one."""
    measures: dict[str, dict[str, float]] = {"val": {}, "test": {}}
    for content in contents:
        for key in _METRIC_KEYS:
            values = content.get(key)
            for name, value in values.items() if isinstance(values, dict) else ():
                of, _, measure = name.partition("_") if name.startswith(("val_", "test_")) else (split, "", name)
                if of and _is_measure(measure, value):
                    measures[of].setdefault(measure, float(value))
    return MetricsBySplit(val=_metrics(measures["val"]), test=_metrics(measures["test"]))


def started(contents: list[Content], zone: tzinfo) -> str | None:
    """Return the start of the run by the source, in UTC."""
    return utc(first(contents, _STARTED_KEYS), zone)


def ended(contents: list[Content], zone: tzinfo) -> str | None:
    """Return the end of the training by the source, in UTC."""
    return utc(first(contents, _ENDED_KEYS), zone)


def splitless(contents: list[Content], metrics: MetricsBySplit) -> bool:
    """Return whether there are metrics, but the split is known of none."""
    named = any(
        _is_measure(name, value)
        for content in contents
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


def status(descriptions: list[Description]) -> tuple[Status, str]:
    """Return how the run ended, and the reason; `running` becomes lost, since its end was never recorded."""
    words = [str(d.content.get("status", "")).lower() for d in descriptions if d.place.split(".")[0] in _ORDER]
    if word := next((w for w in words if w in _STATUS), None):
        return _STATUS[word], f"the old tracker gives the status {word}"
    if any(d.content.get(key) for d in descriptions for key in _ENDED_KEYS):
        return Status.COMPLETED, "the old tracker gives the time at which the training was completed"
    if "running" in words:
        return Status.LOST, "the old tracker gives the status running and no end"
    if descriptions[0].tracker == "hydra":
        return Status.UNKNOWN, "a plain Hydra folder does not record how its job ended"
    return Status.UNKNOWN, "the old tracker does not record how it ended"


def category(descriptions: list[Description]) -> Category | None:
    """Return the category in the old tracker."""
    words = [d.content.get("experiment_category") for d in descriptions]
    words += ["debug" for d in descriptions if d.place == "debug_models"]
    return next((Category(word) for word in words if word in ("debug", "baseline")), None)


_ARCHIVES = {
    "archived_models": Location.ARCHIVED,
    "debug_models": Location.ARCHIVE_DEBUG,
    "archived_experiments.archive_debug": Location.ARCHIVE_DEBUG,
    "archived_experiments.archive_baseline": Location.ARCHIVE_BASELINE,
    "archived_experiments.archived": Location.ARCHIVED,
}


def location(descriptions: list[Description]) -> Location:
    """Return the archive that a description names, or else active."""
    for d in descriptions:
        path = [str(d.content.get("archive_location", "")), *str(d.content.get("to", "")).split("/")]
        if d.place == "folder":
            path += d.source.split("/")
        archive = next((part for part in path if part in ("archive_debug", "archive_baseline", "archived")), None)
        if archive or d.place in _ARCHIVES:
            return Location(archive) if archive else _ARCHIVES[d.place]
    return Location.ACTIVE


def created(descriptions: list[Description], zone: tzinfo) -> tuple[str, str]:
    """Return the start of the run in UTC, and why it is inexact (empty if a source gives it)."""
    contents = [d.content for d in descriptions]
    stamps = [m[1] + m[2] for d in descriptions if d.tracker != "hydra" and (m := STAMP_IN_KEY.search(d.key))]
    folder_times = [d.stamp for d in descriptions if d.stamp]
    candidates = [first(contents, _STARTED_KEYS), *folder_times, *(_iso_of_digits(stamp) for stamp in stamps)]
    if time := next((time for value in candidates if (time := utc(value, zone))), None):
        return time, ""
    oldest = datetime.fromtimestamp(min(d.modified for d in descriptions), tz=UTC)
    return iso(oldest), "no source gives a date: created_at is the time of the file"


def _iso_of_digits(digits: str) -> str:
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}T{digits[8:10]}:{digits[10:12]}:{digits[12:14]}"


def utc(value: Any, zone: tzinfo) -> str | None:
    """Return the time in UTC as ISO 8601, or None if it is not a time. A time without a zone is in `zone`."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        return iso(parse_time(value, zone))
    except (ValueError, OverflowError):
        return None


def iso(time: datetime) -> str:
    """Return the time in UTC as ISO 8601 with a Z, in full precision."""
    return format_time(time, "auto")


def first(contents: list[Content], keys: tuple[str, ...]) -> Any:
    """Return the first value that is not empty, in the order of the descriptions, then of the keys."""
    return next((content[key] for content in contents for key in keys if content.get(key)), None)
