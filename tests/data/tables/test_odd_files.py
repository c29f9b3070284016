"""Files as people have them: the right rows, or one sentence with the key to set; for labelling as for training."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mhc.data import corpus
from mhc.data.corpus import Corpus
from mhc.data.options import Cleaning, Splitting
from mhc.data.sources import Files
from mhc.data.tables.options import Reading
from mhc.errors import BadConfig, BadInput
from mhc.inference.table_reader import open_table, texts_of
from tests.data.conftest import CLEANING, SPLITTING

ODD = Path(__file__).resolve().parents[4] / "shared" / "data" / "odd"

ROWS = [(f"I feel {'rested' if row % 2 else 'empty'}, note {row}", "ok" if row % 2 else "sad") for row in range(40)]
"""Rows of different texts, each with a comma."""

READING = ("separator", "quoting", "encoding", "encoding_errors", "header")


def lines(
    rows: Sequence[Sequence[str]], separator: str = ",", header: str = "text,label", quote: str = '"', end: str = "\n"
) -> bytes:
    """Return rows as separated values; the text of each row is in quotes."""
    body = [separator.join([f"{quote}{text}{quote}", *rest]) for text, *rest in rows]
    return "".join(line + end for line in [header, *body] if line).encode()


def as_json(name: str, **more: object) -> list[str]:
    return [json.dumps({name: text, "label": label, **more}) for text, label in ROWS]


def joined(title: str, text: str) -> str:
    return f"{title}\n{text}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A file, what the user gives beside its name, and what comes of it."""

    content: bytes
    name: str = "posts.csv"
    options: Mapping[str, object] = field(default_factory=dict)
    rows: Sequence[tuple[str, str]] = ()
    """Expected rows; none: the file is refused."""
    said: str = ""
    """Part of the note, or of the error."""


TITLES = [(f"post {row}", f"{text};\nreally", label) for row, (text, label) in enumerate(ROWS)]
EXCEL = ("﻿Date;Title;Description;Subreddit\r\n" + "".join(f'x;{t};"{d}";{s}\r\n' for t, d, s in TITLES)).encode()
PLAIN = [(text.replace(",", ""), label) for text, label in ROWS]
TAB = [("He said hi", "sad"), ('Ok" then left', "ok"), *PLAIN]
"""Rows of a TSV without quoting; a quote is added at the beginning of the first."""
ONE_LINE = lines(ROWS).replace(b'rested, note 3"', b'rested\x85 caf\xe9, note 3"')
MENDED = [
    (text.replace("rested, note 3", "rested… café, note 3") if row == 3 else text, label)
    for row, (text, label) in enumerate(ROWS)
]

CASES = {
    "01 nameless index": Case(
        content=b",text,label\n" + b"".join(f'{row},"{t}",{s}\n'.encode() for row, (t, s) in enumerate(ROWS)),
        rows=ROWS,
        said="1 column(s) without a name are left out",
    ),
    "02 trailing comma": Case(
        content=lines([(*row, "") for row in ROWS], header="text,label,"),
        rows=ROWS,
        said="1 column(s) without a name are left out",
    ),
    "02 trailing commas of the rows": Case(content=lines([(*row, "", "") for row in ROWS]), rows=ROWS),
    "03 several columns of text": Case(
        content=EXCEL,
        options={"text": ["Title", "Description"], "label": "Subreddit"},
        rows=[(joined(title, text), label) for title, text, label in TITLES],
        said="the separator is a semicolon",
    ),
    "03 one column": Case(
        content=EXCEL,
        options={"text": "description ", "label": "Subreddit"},
        rows=[(text, label) for _, text, label in TITLES],
        said="the column 'description ' is 'Description'",
    ),
    "06 quotes that enclose nothing": Case(
        content=b"text\tlabel\n" + "".join(f"{t}\t{s}\n" for t, s in [('"He said hi', "sad"), *TAB[1:]]).encode(),
        name="posts.tsv",
        rows=[('"He said hi', "sad"), *TAB[1:]],
        said="quotes enclose no fields (data.quoting=none)",
    ),
    "11 NaN elsewhere": Case(
        content="".join(f"{line[:-1]}, \"score\": NaN}}\n" for line in as_json("text")).encode(),
        name="posts.jsonl",
        rows=ROWS,
    ),
    "12 JSON Lines named .json": Case(
        content="\n".join(as_json("post")).encode(), name="posts.json", options={"text": "post"}, rows=ROWS
    ),
    "13 array": Case(
        content=f"[{', '.join(as_json('text', meta={'likes': [1, 2]}))}]".encode(), name="posts.json", rows=ROWS
    ),
    "13 array over lines, with NaN": Case(
        content="[\n{}\n]".format(",\n".join(as_json("text", score=float("nan")))).encode(),
        name="posts.json",
        rows=ROWS,
    ),
    "16 one line of cp1252": Case(
        content=ONE_LINE, said="is not UTF-8 at line 5; 1 line is not. cp1252 fits: set data.encoding=cp1252 if"
    ),
    "16 with its encoding": Case(
        content=ONE_LINE, options={"encoding": "cp1252"}, rows=MENDED, said="the encoding is cp1252"
    ),
    "16 with the encoding of the line": Case(
        content=ONE_LINE,
        options={"encoding_errors": "cp1252"},
        rows=MENDED,
        said="1 line(s) have bytes that do not fit utf-8",
    ),
    "17 UTF-16": Case(content=lines(ROWS).decode().encode("utf-16"), rows=ROWS, said="the encoding is utf-16"),
    "17 UTF-16 without a mark": Case(content=lines(ROWS).decode().encode("utf-16-be"), rows=ROWS, said="utf-16-be"),
    "17 UTF-16 of JSON": Case(
        content="\n".join(as_json("text")).encode("utf-16"), name="posts.jsonl", rows=ROWS, said="utf-16"
    ),
    "18 gzip": Case(content=gzip.compress(lines(ROWS)), name="posts.csv.gz", rows=ROWS),
    "20 odd names": Case(
        content=lines(ROWS, header='message to examine,"label (a, b=1)"'),
        name="20_odd names (v2), final=1.csv",
        options={"text": "message to examine", "label": "label (a, b=1)"},
        rows=ROWS,
    ),
    "21 lone carriage returns": Case(
        content=lines([(text.replace(", ", "\r"), label) for text, label in ROWS]),
        rows=[(text.replace(", ", "\r"), label) for text, label in ROWS],
    ),
    "22 no header": Case(
        content=lines(ROWS, "|", header="", quote=""),
        said="seems to have no line of column names: its first line looks like a row of 2 fields, separated by a pipe. "
        "Add one, or name the columns in their order, such as data.header=[text,label]",
    ),
    "22 with a header": Case(
        content=lines(ROWS, "|", header="", quote=""),
        options={"header": ["text", "label"]},
        rows=ROWS,
        said="the separator is a pipe",
    ),
    "sep= of a name": Case(
        content=lines(ROWS, "\t", header="text\tlabel"), options={"separator": "tab"}, rows=ROWS
    ),
}  # fmt: skip


def source_of(case: Case, folder: Path) -> Files:
    path = folder / case.name
    path.write_bytes(case.content)
    return Files(train=str(path), **case.options)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_odd_file_gives_the_right_rows_or_a_sentence(case: Case, tmp_path: Path) -> None:
    source = source_of(case, tmp_path)
    if not case.rows:
        with pytest.raises(BadInput) as info:
            source.read(tmp_path)
        assert case.said in str(info.value)
        assert "note" not in str(info.value)
        return
    raw = source.read(tmp_path)
    assert list(zip(raw.splits["train"].texts, raw.splits["train"].labels, strict=True)) == case.rows
    assert case.said in "; ".join(raw.notes)
    assert case.said or not raw.notes


@pytest.mark.parametrize("output", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_odd_file_is_labelled_as_it_is_trained(case: Case, tmp_path: Path, output: str) -> None:
    path = source_of(case, tmp_path).paths["train"]
    text = case.options.get("text", "text")
    names = [text] if isinstance(text, str) else list(text)  # type: ignore[call-overload]
    options = {key: value for key, value in case.options.items() if key in READING}
    reading = Reading(**{**options, "header": tuple(options.get("header", ())), "prefix": ""})  # type: ignore[arg-type]
    if not case.rows:
        with pytest.raises(BadInput) as info, open_table(str(path), "csv", reading, names, output=output):
            pass
        assert case.said.replace("data.", "") in str(info.value)
        return
    with open_table(str(path), "csv", reading, names, output=output) as table:
        texts = texts_of(list(table.rows), table.text, 1, "posts")
        assert texts == [text for text, _ in case.rows]
        assert case.said.replace("data.", "") in "; ".join(table.notes) or "label" in case.said
        assert "" not in table.columns


def a_corpus(folder: Path, content: bytes, names: Mapping[str, str] | None = None, **cleaning: object) -> Corpus:
    (folder / "posts.csv").write_bytes(content)
    options = Cleaning(**{**CLEANING, **cleaning})
    return corpus.ensure(
        Files(train=str(folder / "posts.csv")), options, Splitting(**SPLITTING), names or {}, None, folder / "cache"
    )


def counts_of(data: Corpus) -> dict[str, int]:
    return dict(sum((Counter(split.labels) for split in data.about.splits.values()), Counter()))


FLOATS = lines([(text, "1.0" if label == "sad" else "0,0") for text, label in ROWS]).replace(b"0,0", b'"0,0"')


@pytest.mark.parametrize("names", [("0", "1"), ("0.0", "1.0"), ("0,0", "1,0")])
def test_number_is_one_label_however_it_is_written(tmp_path: Path, names: tuple[str, str]) -> None:
    data = a_corpus(tmp_path, FLOATS, dict(zip(names, ("ok", "sad"), strict=True)))
    assert (data.about.labels, counts_of(data)) == (["ok", "sad"], {"ok": 20, "sad": 20})


def test_label_with_two_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"data\.label_names names 1 twice: sad and low"):
        a_corpus(tmp_path, FLOATS, {"0": "ok", "1": "sad", "1.0": "low"})


def test_numbers_in_decimals_are_asked_for_their_names(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"data\.label_names='\{0:NAME,1:NAME\}'"):
        a_corpus(tmp_path, FLOATS)


VARIANTS = {"sad": ("sad", "SAD", "sad ", "s\u200bad"), "oké": ("oké", "oke\u0301", " OKÉ", "oké")}


def test_variants_of_a_label_are_refused_with_their_counts(tmp_path: Path) -> None:
    rows = [
        (text, VARIANTS["sad" if label == "sad" else "oké"][row // 2 % 4]) for row, (text, label) in enumerate(ROWS)
    ]
    with pytest.raises(BadInput, match="Labels differ only in case, blanks, Unicode form or invisible") as info:
        a_corpus(tmp_path, lines(rows))
    assert "SAD (5), sad (10), 's\\u200bad' (5)" in str(info.value)
    assert "data.cleaning.merge_labels=case" in str(info.value)
    merged = a_corpus(tmp_path, lines(rows), merge_labels="case")
    assert counts_of(merged) == {"sad": 20, "oké": 20}
    assert [note.partition(":")[0] for note in merged.about.notes] == ["labels were merged in 20 row(s)"]


def test_variants_that_are_named_stay_different(tmp_path: Path) -> None:
    rows = [(text, ("US", "us")[row % 2]) for row, (text, _) in enumerate(ROWS)]
    assert counts_of(a_corpus(tmp_path, lines(rows), {"US": "states", "us": "we"})) == {"states": 20, "we": 20}
    assert counts_of(a_corpus(tmp_path, lines(rows), merge_labels={"US": "US", "us": "us"})) == {"US": 20, "us": 20}


def test_labels_can_be_merged_by_a_mapping(tmp_path: Path) -> None:
    rows = [(text, ("sad", "low", "ok")[row % 3]) for row, (text, _) in enumerate(ROWS)]
    assert set(counts_of(a_corpus(tmp_path, lines(rows), merge_labels={"low": "sad"}))) == {"sad", "ok"}


@pytest.mark.parametrize("missing", ["", "nan", "N/A", "null", " "])
def test_missing_label_is_no_class(tmp_path: Path, missing: str) -> None:
    rows = [*ROWS, ("one more, without a label", missing)]
    with pytest.raises(BadInput, match=r"Row 41 of .* has no label.* data\.cleaning\.missing_labels=drop"):
        a_corpus(tmp_path, lines(rows))
    data = a_corpus(tmp_path, lines(rows), missing_labels="drop")
    assert (data.about.cleaning["missing_labels"], sum(counts_of(data).values())) == (1, 40)


def test_truth_values_are_the_same_in_every_format(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    truth = [label == "ok" for _, label in ROWS]
    texts = [text for text, _ in ROWS]
    (tmp_path / "a.csv").write_bytes(
        lines([(text, str(value).upper()) for text, value in zip(texts, truth, strict=True)])
    )
    records = [{"text": text, "label": value} for text, value in zip(texts, truth, strict=True)]
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, records)))
    pq.write_table(pa.table({"text": texts, "label": truth}), tmp_path / "c.parquet")
    for name in ("a.csv", "b.jsonl", "c.parquet"):
        source = Files(train=str(tmp_path / name))
        data = corpus.ensure(source, Cleaning(**CLEANING), Splitting(**SPLITTING), {}, None, tmp_path / "cache")
        assert counts_of(data) == {"true": 20, "false": 20}


def test_columns_of_one_split_have_their_own_names(tmp_path: Path) -> None:
    (tmp_path / "dev.tsv").write_bytes(lines(ROWS, "\t", header="Text data\tLabel"))
    (tmp_path / "test.tsv").write_bytes(lines(ROWS[:20], "\t", header="text data\tClass labels"))
    files = {"train": str(tmp_path / "dev.tsv"), "test": str(tmp_path / "test.tsv"), "text": "Text data"}
    with pytest.raises(BadInput, match=r"test\.tsv has no column 'label'.*data\.columns\.test\.label="):
        Files(**files).read(tmp_path)  # type: ignore[arg-type]
    raw = Files(**files, columns={"test": {"label": "Class labels"}}).read(tmp_path)  # type: ignore[arg-type]
    assert {name: len(rows) for name, rows in raw.splits.items()} == {"train": 40, "test": 20}


THERE = {
    "01_nameless_index.csv": (80, {}),
    "02_trailing_comma.csv": (80, {}),
    "03_excel_semicolon_bom.csv": (80, {"text": ["Title", "Description"], "label": "Subreddit"}),
    "04_float_labels.csv": (80, {}),
    "05_label_variants.csv": (80, {}),
    "06_unbalanced_quotes.tsv": (82, {}),
    "07_placeholders_test.csv": (34, {}),
    "08_deleted_authors.csv": (80, {"group": "author"}),
    "09_japanese_train.csv": (60, {"text": "tweet"}),
    "10_entities_train.csv": (80, {}),
    "11_nan_elsewhere.jsonl": (80, {}),
    "12_lines.json": (80, {"text": "post"}),
    "13_array.json": (80, {}),
    "14_names_differ_dev.tsv": (80, {"text": "Text data"}),
    "15_rare_class.csv": (83, {}),
    "16_one_cp1252_line.csv": (80, {"encoding": "cp1252"}),
    "17_utf16.csv": (80, {}),
    "18_gzip.csv.gz": (80, {}),
    "19_mojibake.csv": (80, {}),
    "20_odd_names (v2), final=1.csv": (80, {"text": "message to examine", "label": "label (depression result)"}),
    "21_lone_cr.csv": (80, {}),
    "22_pipe_no_header.csv": (80, {"header": ["text", "label"]}),
    "23_repeats.csv": (111, {"text": "tweet", "label": "intention"}),
    "24_users_are_labels.csv": (80, {"text": "post_text", "group": "user_id"}),
}


@pytest.mark.skipif(not ODD.is_dir(), reason="the odd files are not beside the project")
@pytest.mark.parametrize("name", THERE)
def test_file_beside_the_project_has_its_rows(tmp_path: Path, name: str) -> None:
    count, options = THERE[name]
    raw = Files(train=str(ODD / name), **options).read(tmp_path)  # type: ignore[arg-type]
    assert len(raw.splits["train"]) == count
    assert all(text.strip() for text in raw.splits["train"].texts)
    assert len({label.strip().casefold() for label in raw.splits["train"].labels}) <= 3
