"""Texts of users as literal text of Markdown and LaTeX: nothing in them has an effect. Pure."""

from __future__ import annotations

import html
import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~^$:@-])")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_MAX_LENGTH = 500
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "±": r"$\pm$", "…": r"\ldots{}",
}  # fmt: skip


def markdown(value: object) -> str:
    """Return a value in one line, with HTML and Markdown escaped, and without addresses that become links."""
    return _MARKDOWN.sub(r"\\\1", html.escape(_line(value), quote=True).replace("://", ":\u200b//"))


def latex(value: object) -> str:
    """Return a value in one line, with the special characters of LaTeX escaped."""
    return "".join(_LATEX.get(character, character) for character in _line(value))


def _line(value: object) -> str:
    return " ".join(_INVISIBLE.sub(" ", str(value)).split())[:_MAX_LENGTH]
