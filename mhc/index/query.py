"""The language of `--where`: comparisons of recorded fields, joined by and, or, not and brackets. Pure.

    expression = and_part { "or" and_part }
    and_part   = part { "and" part }
    part       = "not" part | "(" expression ")" | comparison
    comparison = field [ operator value | "in" "(" value { "," value } ")" | "is" [ "not" ] "null" ]
    operator   = "=" "==" "!=" "<>" "<" "<=" ">" ">=" "~" (contains) "!~" "has"

A field alone asks whether it is true (`candidate and not pinned`). What is not on record satisfies no comparison but
`is null`, `= null` and `!=`. The parser makes closures; nothing a user typed is evaluated or put into SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from mhc.errors import BadInput
from mhc.index import fields
from mhc.index.query_operators import OPERATORS, Test, holds_one_of, is_null, is_true, operand

LONGEST = 2000
"""Characters of an expression."""


class Token(NamedTuple):
    """One word, operator or bracket."""

    text: str
    at: int
    """Its place in the expression, from 0."""
    quoted: bool = False
    """Stood in quotation marks, so it is a text whatever it looks like."""


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator><=|>=|==|!=|<>|!~|[<>=~(),])
      | (?P<quoted>"[^"]*"|'[^']*')(?![\w.])
      | (?P<word>(?:[^\s()<>=!~,"']|"[^"]*"|'[^']*')+)
    )""",
    re.VERBOSE,
)


def tokens(text: str) -> list[Token]:
    """The words of `text`, and an empty one for its end.

    Raises:
        BadInput: where a quotation mark is not closed, or a character stands for nothing.
    """
    if len(text) > LONGEST:
        raise BadInput(f"An expression has at most {LONGEST:,} characters, this one has {len(text):,}")
    made: list[Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            mark = text[at] in "\"'"
            raise mistake(text, at, "this quotation mark is not closed" if mark else "this means nothing here")
        quoted = match.lastgroup == "quoted"
        found = match[match.lastgroup or 0]
        made.append(Token(found[1:-1] if quoted else found, match.end() - len(found), quoted))
        at = match.end()
    return [*made, Token("", end)]


def mistake(text: str, at: int, what: str) -> BadInput:
    """The error that shows the expression with a caret under the place."""
    flat = "".join(letter if letter.isprintable() else " " for letter in text)
    start = max(0, at - 60)
    shown = flat[start : start + 100]
    return BadInput(f"{what[0].upper()}{what[1:]}:\n  {shown}\n  {' ' * (at - start)}^")


DEEPEST = 40
"""Brackets and nots within each other."""

Lookup = Callable[[fields.Path], fields.Found]
"""Gives what stands on record under a path."""
Predicate = Callable[[Lookup], bool]


class Expression(NamedTuple):
    """A parsed expression."""

    holds: Predicate
    paths: frozenset[fields.Path]
    """The fields that it asks for, as paths in a record."""


def parse(text: str, now: datetime) -> Expression:
    """Make an expression of what a person typed; `now` is what `7d` counts back from.

    Raises:
        BadInput: where it cannot be read; points at the place.
    """
    parser = _Parser(text, now)
    holds = parser.expression()
    if parser.next.text or parser.next.quoted:
        raise mistake(text, parser.next.at, "'and', 'or' or the end is expected here")
    return Expression(holds, frozenset(parser.paths))


class _Parser:
    """Recursive descent over the tokens; each method reads one rule of the grammar and returns its test."""

    def __init__(self, text: str, now: datetime) -> None:
        self.text = text
        self.now = now
        self.paths: set[fields.Path] = set()
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    def take(self) -> Token:
        token = self.next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def take_word(self, *words: str) -> bool:
        """Take the next token if it is one of these (keywords in any case)."""
        if self.next.quoted or self.next.text.lower() not in words:
            return False
        self.take()
        return True

    def expression(self) -> Predicate:
        parts = [self.and_part()]
        while self.take_word("or"):
            parts.append(self.and_part())
        return parts[0] if len(parts) == 1 else lambda look: any(part(look) for part in parts)

    def and_part(self) -> Predicate:
        parts = [self.part()]
        while self.take_word("and"):
            parts.append(self.part())
        return parts[0] if len(parts) == 1 else lambda look: all(part(look) for part in parts)

    def part(self) -> Predicate:
        self._depth += 1
        if self._depth > DEEPEST:
            raise mistake(self.text, self.next.at, f"more than {DEEPEST} brackets and nots within each other")
        try:
            if self.take_word("not"):
                inner = self.part()
                return lambda look: not inner(look)
            if self.take_word("("):
                return self.bracketed()
            return self.comparison()
        finally:
            self._depth -= 1

    def bracketed(self) -> Predicate:
        inner = self.expression()
        if not self.take_word(")"):
            raise mistake(self.text, self.next.at, "a closing bracket is expected here")
        return inner

    def comparison(self) -> Predicate:
        path, kind = self.field()
        operator = self.next
        if self.take_word("is"):
            wanted = not self.take_word("not")
            if not self.take_word("null", "none"):
                raise mistake(self.text, self.next.at, "'null' is expected here")
            return lambda look: is_null(look(path)) is wanted
        if self.take_word("in"):
            values = self.values(kind)
            return lambda look: holds_one_of(look(path), values)
        if not operator.quoted and operator.text.lower() in OPERATORS:
            self.take()
            return self.compared(path, operator, self.value(operator, kind))
        return lambda look: is_true(look(path))

    def compared(self, path: fields.Path, operator: Token, value: object) -> Predicate:
        test: Test = OPERATORS[operator.text.lower()]
        return lambda look: test(look(path), value)

    def field(self) -> tuple[fields.Path, fields.Kind]:
        token = self.take()
        if token.quoted or not token.text or token.text in OPERATORS or token.text in "(),":
            raise mistake(self.text, token.at, "the name of a field is expected here")
        try:
            path, kind = fields.resolve(fields.split(token.text))
        except BadInput as problem:
            raise mistake(self.text, token.at, str(problem)) from None
        self.paths.add(path)
        return path, kind

    def values(self, kind: fields.Kind) -> list[object]:
        opening = self.next
        if not self.take_word("("):
            raise mistake(self.text, self.next.at, "'(' and a list of values is expected here")
        values = [self.value(opening, kind)]
        while self.take_word(","):
            values.append(self.value(opening, kind))
        if not self.take_word(")"):
            raise mistake(self.text, self.next.at, "',' or ')' is expected here")
        return values

    def value(self, after: Token, kind: fields.Kind) -> object:
        token = self.take()
        if not token.quoted and (not token.text or token.text in OPERATORS or token.text in "(),"):
            raise mistake(self.text, token.at, f"a value is expected after {after.text!r}")
        try:
            return operand(token.text, token.quoted, kind, after.text.lower(), self.now)
        except BadInput as problem:
            raise mistake(self.text, token.at, str(problem)) from None
