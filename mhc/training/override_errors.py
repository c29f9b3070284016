"""One sentence for an override that Hydra cannot parse or compose, with the quoted line to paste."""

from __future__ import annotations

import re
import shlex
import traceback
from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException

from mhc.policy import CONF

LIBRARIES = ("/hydra/", "/omegaconf/", "/antlr4/", "/yaml/")
MAX_SHOWN = 80
"""Characters of a word that are shown."""

MAX_TO_PASTE = 1000
"""Longest word that is shown again with quotes, in full: paths are long."""


def unparsable_word(overrides: Sequence[str]) -> str | None:
    """Return the first word that Hydra's grammar does not accept."""
    parser = OverridesParser.create()
    for word in overrides:
        if not word.startswith("-"):
            try:
                parser.parse_overrides([word])
            except OverrideParseException:
                return word
    return None


def with_quotes(word: str) -> str | None:
    """Return `key=value` with the value quoted for Hydra and the word for bash and zsh; None without key or value."""
    key, equals, value = word.partition("=")
    if not equals or not value or not key.strip("+~").replace("_", "a").replace(".", "a").isalnum():
        return None
    escaped = re.sub(r"(\\*)(\"|\$\{|$)", _escape, value)
    return shlex.quote(f'{key}="{escaped}"')


def _escape(match: re.Match[str]) -> str:
    """Double the backslashes before a quote, an interpolation or the end, where Hydra reads them as escapes."""
    backslashes, special = match.groups()
    return backslashes * 2 + (f"\\{special}" if special else "")


def explain_word(word: str) -> str:
    """Return the sentence for a word outside of Hydra's grammar, or for a value that could be several."""
    quoted = with_quotes(word)
    shown = word if len(word) <= MAX_SHOWN else f"{word[:MAX_SHOWN]}…"
    if quoted is None or len(word) > MAX_TO_PASTE:
        return f"{shown!r} is not an override. Write key=value, with the value in quotes if it has other than letters"
    return f"The value of {shown!r} has characters that need quotes. If it is one text, type: {quoted}"


def is_raised_by_hydra(error: BaseException) -> bool:
    """Return whether `error` was raised while Hydra composed the config, before any job began."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return (
        bool(files)
        and any(part in files[-1] for part in LIBRARIES)
        and not any("/mhc/training/job" in f for f in files)
    )


def explain_composition(overrides: Sequence[str]) -> str:
    """Return the sentence for overrides with which Hydra fails in code of its own: names the first such word."""
    words = [word for word in overrides if not word.startswith("-")]
    for word in words:
        if not _composes([word]):
            key, _, value = word.partition("=")
            group = CONF / key.lstrip("+~").replace(".", "/")
            if key.strip("+~") and group.is_dir():
                options = sorted(path.stem for path in group.glob("[!_]*.yaml"))
                return f"{key} takes the name of an option, not {value[:MAX_SHOWN]!r}. It has: {', '.join(options)}"
            return f"{word[:MAX_SHOWN]!r} cannot be composed. Print all keys with: python -m mhc.train --cfg job"
    return "These overrides cannot be composed together. Leave out one after the other to find the wrong one"


def _composes(overrides: list[str]) -> bool:
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        try:
            compose("train", overrides=overrides)
        except (
            Exception
        ) as error:  # any error of Hydra's own code; an unknown one is not hidden, it only names the word
            return not is_raised_by_hydra(error)
    return True
