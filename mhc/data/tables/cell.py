"""The text of one value of a table, the same for every format. Pure."""

from __future__ import annotations


def text_of(value: object) -> str | None:
    """Return a value as text, empty for a missing one; None if it is a list or an object, which is not one value."""
    if isinstance(value, str):
        return value
    if value is None or value != value:  # nan is the only value that differs from itself
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    if isinstance(value, dict | list | tuple | set):
        return None
    iso = getattr(value, "isoformat", None)  # dates and times
    return str(iso()) if iso is not None else str(value)
