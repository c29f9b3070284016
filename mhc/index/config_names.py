"""Names of the values in configs, as a user writes them: whole, `model.optimizer.lr`, or the end, `lr`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from mhc.errors import BadInput

Words = tuple[str, ...]
MAX_NAMED = 4
"""Keys that an ambiguous name lists."""


class ConfigNames(NamedTuple):
    """The keys of the values in the configs of all runs."""

    values: frozenset[Words] = frozenset()
    own: frozenset[Words] = frozenset()
    """Those that at least one config sets itself; the others only refer to another key."""
    groups: frozenset[Words] = frozenset()
    """The keys that have keys of their own."""
    short: Mapping[Words, frozenset[Words]] = MappingProxyType({})
    """Keys by each of their endings: those of `own`, of the others only if none of `own` has the ending."""

    @classmethod
    def of(cls, keys: Iterable[tuple[Words, bool]]) -> ConfigNames:
        """Return the names of keys, given with whether they are references to another key."""
        pairs = list(keys)
        values = frozenset(words for words, _ in pairs)
        groups = frozenset(words[:end] for words in values for end in range(1, len(words)))
        own = frozenset(words for words, is_reference in pairs if not is_reference)
        return cls(values, own, groups, {**_endings(values - own), **_endings(own)})

    def find(self, words: Words) -> Words | None:
        """Return the key that `words` name: the whole key, or the end of exactly one; None if there is none.

        Raises:
            BadInput: if it is the end of several keys.
        """
        if words in self.values or words in self.groups:
            return words
        matches = sorted(self.short.get(words, ()))
        if len(matches) > 1:
            named = ", ".join(".".join(match) for match in matches[:MAX_NAMED])
            more = f" and {len(matches) - MAX_NAMED} more" if len(matches) > MAX_NAMED else ""
            raise BadInput(f"{'.'.join(words)!r} is the end of several names, {named}{more}; write one of them in full")
        return matches[0] if matches else None

    def nearest(self, words: Words) -> str | None:
        """Return the name that is most similar to `words`."""
        from difflib import get_close_matches  # here: every `list` imports this module

        names = {".".join(name) for name in [*self.values, *self.short]}
        return next(iter(get_close_matches(".".join(words), names, n=1)), None)


def _endings(keys: Iterable[Words]) -> dict[Words, frozenset[Words]]:
    endings: dict[Words, set[Words]] = {}
    for words in keys:
        for start in range(1, len(words)):
            endings.setdefault(words[start:], set()).add(words)
    return {ending: frozenset(matches) for ending, matches in endings.items()}
