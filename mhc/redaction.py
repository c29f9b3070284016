"""Mask what must not be written to a disk or leave this machine: credentials, and the paths of local files.

The one place for it: records, recorded configs, logs, errors, diffs, the ledger and bundles pass through here. A value
is masked if its key looks like that of a credential, if it is part of an address (`https://user:password@host`,
`?token=...`), or if a rule of detect-secrets for tokens of a known provider matches. Those rules are regular
expressions; the checks of detect-secrets over the network and its guesses by entropy (every checksum looks random) are
not used. A reference such as `${oc.env:WANDB_API_KEY}` is no credential and stays.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

Scalar = str | int | float | bool

MASK = "***masked***"
"""The replacement; Hydra's grammar accepts it as a value."""

_WORDS = (
    r"api[_-]?keys?|(?:access|account|auth|client|database|db|encryption|master|private|secret|service|signing|storage)"
    r"[_-]?keys?|(?<!pad_)(?<!mask_)(?<!cls_)(?<!sep_)(?<!unk_)(?<!bos_)(?<!eos_)(?:token|jwt)|password|passwd|"
    r"passphrase|pwd|secrets?|credentials?|authorization|cookie"
)
"""Ends of keys whose value is a credential; `tokens`, `max_tokens` and `pad_token` are none."""
_KEY = re.compile(rf"(?:.*[^a-z])?[a-z]*?(?:{_WORDS})", re.IGNORECASE)
_OVERRIDE = re.compile(r"([+~]{0,2}[\w./@:-]+)=(.*)", re.DOTALL)
_HARMLESS = re.compile(r"(?:|null|none|true|false|\?\?\?|[*]+masked[*]+|\$\{[^}]*\}|\$\w+|<[^>]*>[.,]?)", re.IGNORECASE)
"""Values that are no credentials: none, a switch, a reference to an environment variable or to another key."""

_HINTS = (
    "key",
    "token",
    "jwt",
    "passw",
    "passphrase",
    "pwd",
    "secret",
    "credential",
    "authorization",
    "cookie",
    "bearer",
)
"""Parts of every key in `_WORDS`, quickly looked for first."""

_QUOTED = r"""(?P<quote>["'])(?P<quoted>(?:(?!(?P=quote))[^\n\\]|\\.)+)(?P=quote)"""
_PLAIN = r"""(?P<plain>\$\{[^}]*\}|[^\s,;&"'(){}\[\]]+)"""
_NAME = rf"""(?P<name>(?:{_WORDS})["']?\]?[ \t]{{0,9}}(?P<sign>=|:)[ \t]{{0,9}})"""
_PAIR = re.compile(rf"{_NAME}(?:{_QUOTED}|{_PLAIN})", re.IGNORECASE)
_PAIR_IN_CODE = re.compile(rf"{_NAME}{_QUOTED}", re.IGNORECASE)
_USER = re.compile(r"""\b(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]{0,20}:/{1,2})(?P<user>[^\s/'"<>]{1,500})@""")
_QUERY = re.compile(rf"([?&](?:[\w.-]*(?:{_WORDS}|key|sig|signature)|auth|code)=)([^&\s#'\"]+)", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer)\s+(?=[\w.~+/=-]*\d)[\w.~+/=-]{12,}", re.IGNORECASE)
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)(.*?)(?=-----END [A-Z ]*PRIVATE KEY|\Z)", re.DOTALL
)
_NEWER_TOKENS = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{30,}|github_pat_\w{20,}|sk-[\w-]{20,}|AIza[\w-]{35}|eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]+)?|ya29\.[\w-]{20,}|dop_v1_[a-f0-9]{64})"
)
"""Tokens that detect-secrets 1.5 has no rule for, or finds only the beginning of."""

_LONG_WORD = re.compile(r"[\w+/=.:-]{20,}")
_NO_TOKEN = re.compile(r"[0-9a-f]+|[\w.-]{1,200}_\d{8}_\d{6}_[0-9a-f]{4}|[0-9TZ:.+-]+|\D+|[^a-zA-Z]+")
"""Long words that no rule matches: checksums, ids of runs, times, words without digits or without letters."""
_LONGEST_LINE = 5_000
"""Characters of a line that are searched at once: some rules take time that grows with the square of it."""


def is_secret_key(key: str) -> bool:
    """Return whether the value of a key is a credential: the last part of a dotted key counts."""
    return _KEY.fullmatch(key.rpartition(".")[2].rpartition("/")[2].strip("\"'")) is not None


def is_masked(value: object) -> bool:
    """Return whether a value, or a part of it, was masked."""
    return isinstance(value, str) and MASK in value


def text(value: str) -> str:
    """Return a text with every credential in it masked."""
    return _masked_by_line(value, _PAIR)


def code(value: str) -> str:
    """Return source code, or a diff of it, with credentials masked; of assignments only quoted texts are."""
    return _masked_by_line(value, _PAIR_IN_CODE)


def override(word: str) -> str:
    """Return an override of Hydra with credentials masked; other words are masked as texts are."""
    match = _OVERRIDE.fullmatch(word)
    if match and is_secret_key(match[1].lstrip("+~").partition("@")[0]):
        return word if _HARMLESS.fullmatch(match[2].strip("\"' ")) else f"{match[1]}={MASK}"
    return text(word)


def values(value: object, known: Collection[str] = frozenset()) -> object:
    """Return the plain values of a config with credentials masked: by the key of a mapping, or within a text.

    Texts in `known` were masked before, and are not searched again.
    """
    if isinstance(value, Mapping):
        return {
            key: _masked_value(item) if is_secret_key(str(key)) else values(item, known) for key, item in value.items()
        }
    return [values(item, known) for item in value] if isinstance(value, list | tuple) else texts(value, known)


def texts(value: object, known: Collection[str] = frozenset()) -> object:
    """Return the plain values of a record, whose keys may be the names of classes, with credentials in texts masked."""
    if isinstance(value, Mapping):
        return {key: texts(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [texts(item, known) for item in value]
    return override(value) if isinstance(value, str) and value not in known else value


def credentials(value: object, key: str = "") -> Iterator[str]:
    """Yield the credentials in nested plain values that `values` masks because of their key."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from credentials(item, str(name) if is_secret_key(str(name)) or not is_secret_key(key) else key)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from credentials(item, key)
    elif is_secret_key(key) and _masked_value(value) == MASK != value:
        yield str(value)


def masked(key: str, value: Scalar) -> Scalar:
    """Return a value, masked if its key is that of a credential, or with the credentials in it masked."""
    if is_secret_key(key) and not isinstance(value, bool):
        return value if _HARMLESS.fullmatch(str(value)) else MASK
    return text(value) if isinstance(value, str) else value


def strings(value: object) -> Iterator[str]:
    """Yield every text in nested plain values."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def masked_keys(value: object, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of nested plain values that were masked."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from masked_keys(item, f"{prefix}.{key}" if prefix else str(key))
    elif any(is_masked(item) for item in strings(value)):
        yield prefix


def _masked_value(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _masked_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked_value(item) for item in value]
    return value if isinstance(value, bool | None) or _HARMLESS.fullmatch(str(value).strip("\"' ")) else MASK


def _mask_pair(match: re.Match[str]) -> str:
    """Mask the value of `key=value`; after a colon, a plain word must look like a credential: it may be prose."""
    groups = match.groupdict()
    quote, plain = groups["quote"] or "", groups.get("plain")
    content = groups["quoted"] if plain is None else plain
    prose = plain is not None and groups["sign"] == ":" and not re.search(r"\d", plain)
    if prose or _HARMLESS.fullmatch(content) or content.startswith(("${", "os.environ", MASK)):
        return match[0]
    return f"{groups['name']}{quote}{MASK}{quote}"


def _masked_by_line(value: str, pair: re.Pattern[str]) -> str:
    if "PRIVATE KEY" in value:
        value = _PRIVATE_KEY.sub(_mask_key_block, value)
    return "".join(_masked_line(part, pair) for part in _parts(value))


def _parts(value: str) -> Iterator[str]:
    for line in value.splitlines(keepends=True):
        for start in range(0, len(line), _LONGEST_LINE):
            yield line[start : start + _LONGEST_LINE]


def _masked_line(line: str, pair: re.Pattern[str]) -> str:
    if ":/" in line:
        line = _QUERY.sub(rf"\1{MASK}", _USER.sub(_mask_user, line))
    lower = line.lower()
    if any(hint in lower for hint in _HINTS):
        line = _BEARER.sub(rf"\1 {MASK}", pair.sub(_mask_pair, line))
    words = _LONG_WORD.findall(line)
    line = _NEWER_TOKENS.sub(MASK, line) if words else line
    if any(_NO_TOKEN.fullmatch(word) is None for word in words):
        for rule in _rules():
            line = rule.sub(MASK, line)
    return line


def _mask_user(match: re.Match[str]) -> str:
    """Mask the user of an address if it has a password, or may be a token: `ssh://git@host` stays."""
    secret = ":" in match["user"] or match["scheme"].lower().startswith("http")
    return f"{match['scheme']}{MASK}@" if secret else match[0]


def _mask_key_block(match: re.Match[str]) -> str:
    """Mask the lines of a private key one by one, with the signs of a diff, whose number of lines must not change."""
    return match[1] + re.sub(r"(?m)^([+ -]?).+$", rf"\1{MASK}", match[2])


@cache
def _rules() -> tuple[re.Pattern[str], ...]:
    """Return the rules of detect-secrets for tokens with a form of their own.

    They are imported when the first suspicious text is met: that takes 0.2 s.
    """
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector

    kinds: list[Any] = list(get_mapping_from_secret_type_to_class().values())
    chosen = [kind for kind in kinds if issubclass(kind, RegexBasedDetector) and kind.__name__ not in _UNUSED]
    return tuple(rule for kind in chosen for rule in kind().denylist)


_UNUSED = ("ArtifactoryDetector", "BasicAuthDetector", "IPPublicDetector", "JwtTokenDetector", "PrivateKeyDetector")
"""Detectors of what is masked above, of addresses, and one that matches words such as APACHELICENSE."""


_PATH = re.compile(r"(?:file://)?(?<![\w.:/~-])(?:~[\w-]*|[A-Za-z]:)?(?:/[^\s/'\",;:=()\[\]{}<>|]+){2,}/?")
_WHOLE_PATH = re.compile(r"(?:file://)?(?:~[\w-]*/|/|[A-Za-z]:[\\/])[^\n]*")


def without_local_paths(value: object) -> object:
    """Return nested plain values in which every absolute path is cut to `.../name`: the folders tell who and where."""
    if isinstance(value, Mapping):
        return {key: without_local_paths(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_local_paths(item) for item in value]
    if not isinstance(value, str):
        return value
    if match := _OVERRIDE.fullmatch(value):
        return f"{match[1]}={_cut_paths(match[2])}"
    return _cut_paths(value)


def _cut_paths(value: str) -> str:
    bare = value.strip("\"'")
    return _last_part(bare) if _WHOLE_PATH.fullmatch(bare) else _PATH.sub(lambda match: _last_part(match[0]), value)


def _last_part(path: str) -> str:
    return ".../" + re.split(r"[\\/]", path.rstrip("\\/"))[-1]
