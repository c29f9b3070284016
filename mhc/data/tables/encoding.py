"""Find the encoding of a file, count the lines that do not fit it, and open the file as text."""

from __future__ import annotations

import codecs
import io
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from mhc.data.tables.options import ERRORS, Reading, codec_name, is_single_byte
from mhc.data.tables.source import Source
from mhc.errors import BadInput

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Encodings by the bytes that a file begins with; those of UTF-32 begin like those of UTF-16."""

CANDIDATES = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1258", "cp874",
    "cp932", "euc_jp", "gb18030", "big5", "cp949", "koi8_r", "mac_roman",
)  # fmt: skip
"""Encodings that files of texts have if they are not UTF-8."""

SCRIPTS = (("cp932", "HIRAGANA", 0.3), ("euc_jp", "HIRAGANA", 0.3), ("cp949", "HANGUL", 0.8))
"""Encodings that are told by the share of a script among the characters that are not ASCII, even in a few words."""

CHUNK = 1 << 24
"""Bytes that are checked at once."""

SAMPLE = 1 << 16
"""Bytes from which an encoding is guessed."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """Encoding of a file."""

    name: str
    """Name for Python, such as utf-8-sig."""
    errors: str
    """Handler of bytes that do not fit."""
    bad_lines: int = 0
    """Lines that have such bytes."""

    @property
    def is_utf8(self) -> bool:
        """Return whether the bytes are UTF-8, each of them."""
        return self.name in ("utf-8", "utf-8-sig") and not self.bad_lines


@dataclass
class Misfits:
    """Lines with bytes that do not fit an encoding."""

    count: int = 0
    first: int = 0
    """Number of the first of them."""
    sample: bytearray = field(default_factory=bytearray)

    def add(self, number: int, line: bytes) -> None:
        """Count a line."""
        self.count += 1
        self.first = self.first or number
        if len(self.sample) < SAMPLE:
            self.sample += line


def encoding_of(source: Source, reading: Reading) -> Encoding:
    """Return the encoding of a file: as given, by its byte order mark, or UTF-8; all of its bytes are checked.

    Raises:
        BadInput: if bytes do not fit the encoding, and `encoding_errors` is strict; or if there are NUL bytes.
    """
    with source.bytes() as file:
        start = file.read(SAMPLE)
    name = codec_name(reading.encoding, reading.key("encoding")) if reading.encoding else marked(start)
    if name in ("utf-8", "utf-8-sig") and start.startswith(codecs.BOM_UTF8):
        name = "utf-8-sig"
    with source.bytes() as file:
        misfits = misfits_of(file, name, source.name)
    if misfits.count and reading.encoding_errors == "strict":
        raise BadInput(explanation(source.name, name, misfits, reading))
    return Encoding(name=name, errors=handler(reading.encoding_errors), bad_lines=misfits.count)


def marked(start: bytes) -> str:
    """Return the encoding by the byte order mark or, without one, by the zero bytes of UTF-16; else UTF-8."""
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    pairs = max(1, len(start) // 2)
    even, odd = start[::2].count(0) / pairs, start[1::2].count(0) / pairs
    if odd > 0.3 > 10 * even:
        return "utf-16-le"
    return "utf-16-be" if even > 0.3 > 10 * odd else "utf-8"


def misfits_of(file: IO[bytes], name: str, where: str) -> Misfits:
    """Return the lines that do not fit the encoding.

    Raises:
        BadInput: if there is a NUL byte, which is in no text.
    """
    wide = name.startswith(("utf-16", "utf-32"))
    decoder, line, end = codecs.getincrementaldecoder(name)(), 1, b""
    while True:
        chunk = file.read(CHUNK)
        if not wide and b"\0" in chunk:
            number = line + chunk.count(b"\n", 0, chunk.find(b"\0"))
            raise BadInput(
                f"{where} has a NUL byte in line {number}. Binary files have such bytes. Save it as UTF-8 text"
            )
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            return wide_misfit(line) if wide else misfits_by_line(io.BytesIO(end + chunk), file, name, line)
        if not chunk:
            return Misfits()
        line += chunk.count(b"\n")
        end = chunk[chunk.rfind(b"\n") + 1 :] if b"\n" in chunk else end + chunk


def wide_misfit(line: int) -> Misfits:
    """Return that a file of UTF-16 is damaged: its lines cannot be told apart as bytes."""
    return Misfits(count=1, first=line)


def misfits_by_line(begun: IO[bytes], rest: IO[bytes], name: str, number: int) -> Misfits:
    """Return the lines that do not fit, from the line `number` on: those of `begun`, which `rest` goes on."""
    misfits, pending = Misfits(), b""
    for file in (begun, rest):
        for line in file:
            line, pending = pending + line, b""
            if file is begun and not line.endswith(b"\n"):
                pending = line
                break
            if not fits(line, name):
                misfits.add(number, line)
            number += 1
    if pending and not fits(pending, name):
        misfits.add(number, pending)
    return misfits


def fits(line: bytes, name: str) -> bool:
    """Return whether the bytes can be decoded."""
    try:
        line.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def explanation(where: str, name: str, misfits: Misfits, reading: Reading) -> str:
    """Return the sentence for a file whose bytes do not fit: which lines, what would fit, and the keys."""
    count = f"{misfits.count:,} lines are" if misfits.count > 1 else "1 line is"
    likely = guess(bytes(misfits.sample))
    problem = f"{where} is not {name.removesuffix('-sig').upper()} at line {misfits.first}; {count} not"
    if likely is None:
        return (
            f"{problem}. Save it as UTF-8, or set {reading.key('encoding')} or {reading.key('encoding_errors')}replace"
        )
    errors = reading.key("encoding_errors")
    only = f" or {errors}{likely} to read only these bytes with it," if is_single_byte(likely) else ""
    return (
        f"{problem}. {likely} fits: set {reading.key('encoding')}{likely} if that is the encoding of the whole file,"
        f"{only} or {errors}replace to put marks in their place"
    )


def guess(sample: bytes) -> str | None:
    """Return the encoding that fits lines which are not UTF-8; None if none of the usual ones does."""
    if not sample:
        return None
    if is_western(sample):
        return "cp1252"
    for name, script, share in SCRIPTS:
        if share_of(script, sample, name) >= share:
            return name
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=list(CANDIDATES)).best()
    return best.encoding if best is not None else None


def is_western(sample: bytes) -> bool:
    """Return whether the bytes are a text in Latin script as cp1252: too few of them tell statistics anything."""
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        return False
    special = [character for character in text if not character.isascii()]
    letters = sum(character.isascii() and character.isalpha() for character in text)
    plain = all((unicodedata.category(one)[0] in "LPZ" and one not in "¿¡ªº") or one in "€£°" for one in special)
    return plain and len(special) <= letters


def share_of(script: str, sample: bytes, name: str) -> float:
    """Return the share of a script among the characters that are not ASCII; 0 if the bytes do not fit."""
    try:
        special = [character for character in sample.decode(name) if not character.isascii()]
    except UnicodeDecodeError:
        return 0.0
    return sum(unicodedata.name(one, "").startswith(script) for one in special) / max(1, len(special))


def handler(errors: str) -> str:
    """Return the name of the handler for Python's codecs; an encoding gets a handler that decodes with it."""
    if errors in ERRORS:
        return errors
    name = f"mhc-{codecs.lookup(errors).name}"

    def decode(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        return error.object[error.start : error.end].decode(errors, "replace"), error.end

    codecs.register_error(name, decode)
    return name


@contextmanager
def text_of(source: Source, encoding: Encoding, newline: str = "") -> Iterator[io.TextIOWrapper]:
    """Open a file as text; line breaks are not changed."""
    with source.bytes() as file:
        text = io.TextIOWrapper(file, encoding=encoding.name, errors=encoding.errors, newline=newline)
        try:
            yield text
        finally:
            text.detach()
