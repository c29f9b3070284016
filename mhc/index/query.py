"""The language of `--where`: comparisons of recorded fields, joined by and, or, not and parentheses. Pure.

    expression = and_part { "or" and_part }
    and_part   = part { "and" part }
    part       = "not" part | "(" expression ")" | comparison
    comparison = field [ operator value | "in" "(" value { "," value } ")" | "is" [ "not" ] "null" ]
    operator   = "=" "==" "!=" "<>" "<" "<=" ">" ">=" "~" (contains) "!~" "has"

A field without an operator holds if it is true (`candidate and not pinned`). A field without a value satisfies no
comparison but `is null`, `= null` and `!=`. The parser builds closures; no input is evaluated as code or put into SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from mhc.errors import BadInput
from mhc.index.config_names import ConfigNames
from mhc.index.fields import NO_NAMES, FieldValue, Kind, Path, resolve, split
from mhc.index.query_operators import OPERATORS, Test, is_null, is_one_of, is_true, parse_operand

MAX_LENGTH = 2000
"""Characters of an expression."""
MAX_DEPTH = 40
"""Nested parentheses and nots."""

FieldReader = Callable[[Path], FieldValue]
"""Returns the value of a run's field."""
Predicate = Callable[[FieldReader], bool]


class Expression(NamedTuple):
    """A parsed expression."""

    holds: Predicate
    paths: frozenset[Path]
    """The fields that it reads."""


class Token(NamedTuple):
    """One word, operator or parenthesis."""

    text: str
    position: int
    """In the expression, from 0."""
    quoted: bool = False
    """Whether it was in quotation marks, and so is a text in any case."""


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator><=|>=|==|!=|<>|!~|[<>=~(),])
      | (?P<quoted>"[^"]*"|'[^']*')(?![\w.])
      | (?P<word>(?:[^\s()<>=!~,"']|"[^"]*"|'[^']*')+)
    )""",
    re.VERBOSE,
)


def parse(text: str, now: datetime, names: ConfigNames = NO_NAMES) -> Expression:
    """Parse an expression; times such as `7d` count back from `now`, `names` are those of the values in configs.

    Raises:
        BadInput: if it is invalid; shows the position.
    """
    parser = _Parser(text, now, names)
    holds = parser.expression()
    if parser.next.text or parser.next.quoted:
        raise _invalid(text, parser.next.position, "'and', 'or' or the end is expected here")
    return Expression(holds, frozenset(parser.paths))


def _tokens(text: str) -> list[Token]:
    """Return the tokens of `text`, and an empty one for its end.

    Raises:
        BadInput: if the text is too long, a quotation mark is not closed, or a character is invalid.
    """
    if len(text) > MAX_LENGTH:
        raise BadInput(f"An expression has at most {MAX_LENGTH:,} characters, this one has {len(text):,}")
    tokens: list[Token] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            position += len(text[position:]) - len(text[position:].lstrip())
            quote = text[position] in "\"'"
            raise _invalid(text, position, "this quotation mark is not closed" if quote else "this is not valid here")
        quoted = match.lastgroup == "quoted"
        token = match[match.lastgroup or 0]
        tokens.append(Token(token[1:-1] if quoted else token, match.end() - len(token), quoted))
        position = match.end()
    return [*tokens, Token("", end)]


def _invalid(text: str, position: int, problem: str) -> BadInput:
    """Return the error that shows the expression with a caret under the position."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    start = max(0, position - 60)
    excerpt = line[start : start + 100]
    return BadInput(f"{problem[0].upper()}{problem[1:]}:\n  {excerpt}\n  {' ' * (position - start)}^")


class _Parser:
    """Recursive descent over the tokens; each method parses one rule of the grammar and returns its predicate."""

    def __init__(self, text: str, now: datetime, names: ConfigNames) -> None:
        self.text = text
        self.now = now
        self.names = names
        self.paths: set[Path] = set()
        self._tokens = _tokens(text)
        self._position = 0
        self._depth = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._position]

    def take(self) -> Token:
        token = self.next
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def take_word(self, *words: str) -> bool:
        """Take the next token if it is one of these (keywords are case-insensitive)."""
        if self.next.quoted or self.next.text.lower() not in words:
            return False
        self.take()
        return True

    def invalid(self, token: Token, problem: str) -> BadInput:
        return _invalid(self.text, token.position, problem)

    def expression(self) -> Predicate:
        parts = [self.and_part()]
        while self.take_word("or"):
            parts.append(self.and_part())
        return parts[0] if len(parts) == 1 else lambda read: any(part(read) for part in parts)

    def and_part(self) -> Predicate:
        parts = [self.part()]
        while self.take_word("and"):
            parts.append(self.part())
        return parts[0] if len(parts) == 1 else lambda read: all(part(read) for part in parts)

    def part(self) -> Predicate:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.invalid(self.next, f"more than {MAX_DEPTH} nested parentheses and nots")
        try:
            if self.take_word("not"):
                inner = self.part()
                return lambda read: not inner(read)
            if self.take_word("("):
                return self.parenthesized()
            return self.comparison()
        finally:
            self._depth -= 1

    def parenthesized(self) -> Predicate:
        inner = self.expression()
        if not self.take_word(")"):
            raise self.invalid(self.next, "a closing parenthesis is expected here")
        return inner

    def comparison(self) -> Predicate:
        path, kind = self.field()
        operator = self.next
        if self.take_word("is"):
            expected = not self.take_word("not")
            if not self.take_word("null", "none"):
                raise self.invalid(self.next, "'null' is expected here")
            return lambda read: is_null(read(path)) is expected
        if self.take_word("in"):
            operands = self.operands(kind)
            return lambda read: is_one_of(read(path), operands)
        if not operator.quoted and operator.text.lower() in OPERATORS:
            self.take()
            return self.compared(path, operator, self.operand(operator, kind))
        return lambda read: is_true(read(path))

    def compared(self, path: Path, operator: Token, operand: object) -> Predicate:
        test: Test = OPERATORS[operator.text.lower()]
        return lambda read: test(read(path), operand)

    def field(self) -> tuple[Path, Kind]:
        token = self.take()
        if token.quoted or not token.text or token.text in OPERATORS or token.text in "(),":
            raise self.invalid(token, "the name of a field is expected here")
        try:
            path, kind = resolve(split(token.text), self.names)
        except BadInput as problem:
            raise self.invalid(token, str(problem)) from None
        self.paths.add(path)
        return path, kind

    def operands(self, kind: Kind) -> list[object]:
        opening = self.next
        if not self.take_word("("):
            raise self.invalid(self.next, "'(' and a list of values is expected here")
        operands = [self.operand(opening, kind)]
        while self.take_word(","):
            operands.append(self.operand(opening, kind))
        if not self.take_word(")"):
            raise self.invalid(self.next, "',' or ')' is expected here")
        return operands

    def operand(self, operator: Token, kind: Kind) -> object:
        token = self.take()
        if not token.quoted and (not token.text or token.text in OPERATORS or token.text in "(),"):
            raise self.invalid(token, f"a value is expected after {operator.text!r}")
        try:
            return parse_operand(token.text, kind, operator.text.lower(), self.now, quoted=token.quoted)
        except BadInput as problem:
            raise self.invalid(token, str(problem)) from None
