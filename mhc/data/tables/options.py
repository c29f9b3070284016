"""Options of reading a table. Pure: what is not given is found in the file."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Literal

from mhc.errors import BadConfig

SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a pipe"}
"""Separators that are found in a file, with their names in a sentence."""

ERRORS = ("strict", "replace", "ignore")
"""Values of `encoding_errors`; any other value is the encoding of the bytes that do not fit."""

NAMED_SEPARATORS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a file is read; None: as its content suggests."""

    separator: str | None = None
    """Separator of the fields, one character, or its name such as tab."""
    quoting: Literal["double", "none"] | None = None
    """double: double quotes enclose fields; none: they are characters like others; None: double, if it fits."""
    encoding: str | None = None
    encoding_errors: str = "strict"
    """strict: refuse bytes that do not fit the encoding; replace or ignore them; or the encoding to read them with."""
    header: tuple[str, ...] = ()
    """Names of the columns of a file that has no line of names."""
    prefix: str = "data."
    """Prefix of the keys in messages."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            BadConfig: if a value is not valid; the message names the key.
        """
        if self.separator is not None and len(self.character) != 1:
            raise BadConfig(
                f"{self.key('separator')}{self.separator[:40]!r} is not one character. Give one, or tab, comma, "
                "semicolon or pipe"
            )
        if self.quoting not in (None, "double", "none"):
            raise BadConfig(f"{self.key('quoting')}{str(self.quoting)[:40]} is not double or none")
        codec_name(self.encoding or "utf-8", self.key("encoding"))
        if self.encoding_errors not in ERRORS:
            name = codec_name(self.encoding_errors, self.key("encoding_errors"))
            if not is_single_byte(name):
                raise BadConfig(
                    f"{self.key('encoding_errors')}{name} has several bytes per character, which cannot be told from "
                    f"others. Use strict, replace, ignore or one such as cp1252, or {self.key('encoding')}{name}"
                )

    @property
    def character(self) -> str:
        """The separator as a character; empty if it is to be found."""
        return NAMED_SEPARATORS.get(self.separator or "", self.separator or "")

    def key(self, name: str) -> str:
        """Return `name` as it is typed: `data.separator=`."""
        return f"{self.prefix}{name}="


def is_single_byte(name: str) -> bool:
    """Return whether each byte of an encoding is one character."""
    return len(bytes(range(256)).decode(name, "replace")) == 256


def codec_name(name: str, key: str) -> str:
    """Return the name of an encoding as Python spells it.

    Raises:
        BadConfig: if there is no such encoding of texts; the message names the key.
    """
    try:
        information = codecs.lookup(name)
        information.incrementaldecoder("strict").decode(b"", True)
        if isinstance("".encode(name), bytes) and information._is_text_encoding:
            return information.name
    except (LookupError, UnicodeError, ValueError, TypeError):
        pass
    raise BadConfig(f"{key}{name[:40]} cannot be used to read texts. Use utf-8, utf-16 or cp1252")
