"""Change the bytes of a file at random, as a torn disk, an editor or an attacker would. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
QUOTED = re.compile(rb'"[^"\n]*"')
ODD_VALUES = (
    b"null", b"true", b"[]", b"{}", b'""', b"-1", b"0", b"1e308", b"-1e308", b"5e-324", b"99999999999999999999999",
    b"1e999", b"NaN", b'"\\u0000"', b'"\\ud800"', b'"\xff\xfe"', b'"9999-12-31T23:59:59Z"',
    b'"0001-01-01T00:00:00+23:59"',
    b'"../../../etc/passwd"', b'"/dev/zero"', b'"\\u001b[2J"', b'"' + b"x" * 100_000 + b'"',
    b"[" * 150 + b"]" * 150, b'{"a":' * 150 + b"1" + b"}" * 150, b"[" * 5000 + b"]" * 5000, b"[1" + b"0" * 5000 + b"]",
)  # fmt: skip
"""Values of every type and size, that JSON can or cannot have."""

Mutation = Callable[[bytes, random.Random], bytes]


def random_bytes(content: bytes, rng: random.Random) -> bytes:
    """Replace everything."""
    return rng.randbytes(rng.choice((0, 1, 16, 500, 5000)))


def cut(content: bytes, rng: random.Random) -> bytes:
    """Keep the beginning or the end."""
    place = rng.randrange(len(content) + 1)
    return content[:place] if rng.random() < 0.7 else content[place:]


def flip(content: bytes, rng: random.Random) -> bytes:
    """Change one to eight bytes."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8) if changed else 0):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def insert(content: bytes, rng: random.Random) -> bytes:
    """Insert bytes that mean something to a parser."""
    place = rng.randrange(len(content) + 1)
    piece = rng.choice(
        (b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b"}", b"]", b"\n", b"\r\n", b",", b"&a ", b"*a", b": ")
    )
    return content[:place] + piece * rng.choice((1, 1, 1, 2000)) + content[place:]


def repeat(content: bytes, rng: random.Random) -> bytes:
    """Write a part twice, or leave it out."""
    start, end = sorted((rng.randrange(len(content) + 1), rng.randrange(len(content) + 1)))
    return content[:end] + content[start:] if rng.random() < 0.5 else content[:start] + content[end:]


def odd_value(content: bytes, rng: random.Random) -> bytes:
    """Replace a number or a text by a value of another type or size."""
    places = [match.span() for pattern in (NUMBER, QUOTED) for match in pattern.finditer(content)]
    if not places:
        return flip(content, rng)
    start, end = rng.choice(places)
    return content[:start] + rng.choice(ODD_VALUES) + content[end:]


def zeros(content: bytes, rng: random.Random) -> bytes:
    """Fill the end with zeros, as a file system does after a power failure."""
    place = rng.randrange(len(content) + 1)
    return content[:place] + bytes(len(content) - place)


MUTATIONS: tuple[Mutation, ...] = (
    random_bytes,
    cut,
    flip,
    flip,
    insert,
    repeat,
    odd_value,
    odd_value,
    odd_value,
    zeros,
)
"""The repeated ones are more frequent."""


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Return the content after one to three mutations."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(MUTATIONS)(content, rng)
    return content
