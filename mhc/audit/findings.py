"""An audit of data files as values. Pure; no value has the text of a row."""

from __future__ import annotations

import msgspec


class ColumnFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a file, from its first rows."""

    name: str
    role: str = ""
    """text, label, author, split, or empty."""
    filled: float
    """Share of values that are not empty."""
    distinct: int
    """Different values among the first rows."""
    rows: int
    """Rows that were looked at."""
    characters: float
    """Mean length of a value."""


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One file."""

    path: str
    split: str
    """The split that it is taken for; `by column` if a column names the splits."""
    rows: int
    separator: str = ""
    """Empty for files without separators."""
    encoding: str = ""
    columns: list[ColumnFacts] = []
    notes: list[str] = []
    """What is not as usual in the file."""


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """Columns by what they are taken for."""

    text: list[str]
    label: str
    author: str | None = None
    split: str | None = None


class Lengths(msgspec.Struct, frozen=True, kw_only=True):
    """Lengths of texts."""

    median: int
    p95: int
    longest: int


class SplitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One split as it is in the files."""

    rows: int
    classes: int
    """Different values of the column of labels."""
    labels: dict[str, int]
    """Rows by label; empty if the values are texts or ids, which are not shown."""
    words: Lengths
    """In scripts without blanks, characters."""
    authors: int | None = None
    """Number of authors; None without a column of authors."""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that a model cuts."""

    model: str
    max_tokens: int
    share: float


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One defect."""

    what: str
    """duplicates, conflicts, in_train, near_copies, placeholders, repeats, markup, mojibake, ..."""
    split: str = ""
    count: int
    sentence: str
    remedy: str = ""


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """A row whose label may be wrong."""

    file: str
    row: int
    """Number of the row in the file, without the line of column names, from 1."""
    given: str
    suspected: str
    probability: float
    """Of the suspected label, by a model that was not trained on the row."""


class Labelling(msgspec.Struct, frozen=True, kw_only=True):
    """Result of the check of the labels."""

    rows: int
    """Rows that were checked."""
    suspects: int
    """Rows whose label is suspect."""
    accuracy: float
    """Of the model, on rows that it was not trained on."""
    worst: list[Suspect]
    """The most suspect rows, the most suspect first."""


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known about data files before a training."""

    files: list[FileFacts]
    roles: Roles
    splits: dict[str, SplitFacts]
    tokens: Lengths | None = None
    """Lengths in pieces of words, special tokens included, of a sample."""
    cuts: list[Cut] = []
    findings: list[Finding] = []
    labelling: Labelling | None = None
    """None if it was not checked."""
    unchecked: str = ""
    """Why the labels were not checked."""
    cleaning: dict[str, int] = {}
    """Rows that a training would leave out, by reason."""
    trained_on: dict[str, dict[str, int]] = {}
    """Rows by label of each split that a training would have."""
    command: str
    """The command line that trains on these files."""
    refusal: str = ""
    """Why a training refuses the data, in spite of the command; empty if it does not."""
