"""Separators, quotes, compression, encodings and Excel: the same rows from each."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from openpyxl import Workbook

from mhc.data.sources import Files
from mhc.data.tables import encoding
from mhc.errors import BadConfig, BadInput

ROWS = [(f"text {row} of the file", "low" if row % 2 else "calm") for row in range(240)]
PLAIN = "text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS)


def read(folder: Path, content: bytes | str, name: str = "posts.csv", **options: object) -> list[tuple[str, str]]:
    """Return the rows of a file with this content, and after them the notes on it."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    raw = Files(train=str(path), **options).read(folder)  # type: ignore[arg-type]
    rows = raw.splits["train"]
    return [*zip(rows.texts, rows.labels, strict=True), *(("note", note) for note in raw.notes)]


def with_quotes(first: int, second: int) -> str:
    """Return the file with a quote before the texts of two rows."""
    lines = PLAIN.splitlines(keepends=True)
    for line in (first, second):
        lines[line] = f'"{lines[line]}'
    return "".join(lines)


def test_stray_quotes_swallow_no_row(tmp_path: Path) -> None:
    rows = read(tmp_path, with_quotes(100, 200))
    assert len(rows) == 241
    assert rows[99] == ('"text 99 of the file', "low")
    assert rows[240] == ("note", "posts.csv: quotes enclose no fields (data.quoting=none)")


STRAY = with_quotes(100, 200).replace("text 0 of", '"text, 0 of').replace("file,calm", 'file",calm', 1)
"""Quotes are also in use, so the file cannot be read without quoting."""


def test_swallowed_rows_are_counted_and_refused(tmp_path: Path) -> None:
    content = STRAY.replace('"text 199 of the file,low', 'text 199 of the file",low')
    with pytest.raises(BadInput, match=r"from line 101 to line 201 that spans what look like 101 rows.*quoting=none"):
        read(tmp_path, content)
    rows = read(tmp_path, content, quoting="double")
    assert len(rows) == 141
    assert rows[140] == ("note", "posts.csv: 100 lines within quoted fields look like rows")


def test_quotes_that_nothing_closes_properly_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has a quote in the row at line 101 that nothing closes"):
        read(tmp_path, STRAY)
    with pytest.raises(BadInput, match=r"The row at line 2 of .* has 3 fields"):
        read(tmp_path, STRAY, quoting="none")


def test_texts_of_several_lines_are_texts(tmp_path: Path) -> None:
    rows = [(f"text {row}\n\nI feel, really, {row}\nlow, calm", "low" if row % 2 else "calm") for row in range(50)]
    assert read(tmp_path, "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows)) == rows


def test_quote_within_a_quoted_text_is_counted(tmp_path: Path) -> None:
    rows = read(tmp_path, 'text,label\n"he said "no" twice",low\n"a, b",calm\n')
    assert rows[1:] == [
        ("a, b", "calm"),
        ("note", "posts.csv: 1 row has a quote within a quoted field that is not doubled"),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["posts.csv", "posts.tsv", "posts.txt"])
def test_separator_is_found(tmp_path: Path, name: str, separator: str) -> None:
    texts = [(f"well, I; said | this\u2003{row}", "low") for row in range(20)]
    content = f"text{separator}label\n" + "".join(f'"{text}"{separator}{label}\n' for text, label in texts)
    rows = read(tmp_path, content, name)
    assert rows[:20] == texts
    usual = "\t" if name.endswith(".tsv") else ","
    assert bool(rows[20:]) == (separator != usual)


def zipped(content: bytes, names: tuple[str, ...] = ("posts.csv",)) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


def zst(content: bytes) -> bytes:
    """Return two frames with the window of the archives of Reddit."""
    options = zstandard.ZstdCompressionParameters.from_level(3, window_log=30, enable_ldm=True)
    halves = content[: len(content) // 2], content[len(content) // 2 :]
    return b"".join(zstandard.ZstdCompressor(compression_params=options).compress(half) for half in halves)


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zst,
    ".zip": zipped,
}


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_compressed_file_is_read(tmp_path: Path, suffix: str) -> None:
    compress = COMPRESSIONS[suffix]
    assert read(tmp_path, compress(PLAIN.encode()), f"posts.csv{suffix}") == ROWS
    lines = "\n".join(json.dumps({"text": text, "label": label}) for text, label in ROWS)
    assert read(tmp_path, compress(lines.encode()), f"posts.jsonl{suffix}") == ROWS


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_damaged_compressed_file_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    whole = COMPRESSIONS[suffix](PLAIN.encode())
    for content in (whole[: len(whole) // 2], b"text,label\n"):
        with pytest.raises(BadInput, match=rf"posts\.csv\{suffix} is not a whole \{suffix} file"):
            read(tmp_path, content, f"posts.csv{suffix}")


def test_zip_file_needs_one_member(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has 2 files in it\. Extract it"):
        read(tmp_path, zipped(b"text,label\n", ("a.csv", "b.csv")), "posts.csv.zip")
    content = zipped(PLAIN.encode(), ("posts.csv", "__MACOSX/._posts.csv"))
    assert len(read(tmp_path, content, "posts.csv.zip")) == 240


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cp1252", "Ich weiß nicht, müde und „traurig“"),
        ("cp1252", "I don\u2019t know \u2013 really\u2026"),
        ("cp1251", "Я не могу спать и мне очень плохо и грустно каждый день, помогите"),
        ("cp932", "今週はずっと眠れなくて毎晩泣いています。仕事にも行けません。どうすればいいですか。"),
        ("cp949", "나는 오늘 슬프다 잠을 못 잤다"),
        ("utf-16-le", "今週はずっと眠れなくて and some words"),
    ],
)
def test_encoding_that_fits_is_named(tmp_path: Path, name: str, text: str) -> None:
    content = f'text,label\n"{text}",low\nplain,calm\n'.encode(name)
    if name == "utf-16-le":  # found by its zero bytes
        assert read(tmp_path, content)[:1] == [(text, "low")]
        return
    with pytest.raises(
        BadInput, match=f"is not UTF-8 at line 2; 1 line is not. {name} fits: set data.encoding={name} "
    ):
        read(tmp_path, content)
    assert read(tmp_path, content, encoding=name)[:1] == [(text, "low")]
    if name.startswith("cp125"):
        assert read(tmp_path, content, encoding_errors=name)[:1] == [(text, "low")]


def test_bytes_that_do_not_fit_are_counted(tmp_path: Path) -> None:
    content = b"text,label\na\xff,low\nb,calm\nc\xff\xfe,low\n"
    assert read(tmp_path, content, encoding_errors="replace") == [
        ("a\ufffd", "low"),
        ("b", "calm"),
        ("c\ufffd\ufffd", "low"),
        ("note", "posts.csv: 2 line(s) have bytes that do not fit utf-8"),
    ]
    assert read(tmp_path, content, encoding_errors="ignore")[2] == ("c", "low")


def test_line_of_bad_bytes_is_the_same_in_any_chunk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(encoding, "CHUNK", 7)
    with pytest.raises(BadInput, match="is not UTF-8 at line 4; 2 lines are not"):
        read(
            tmp_path, "text,label\nmüde,a\nüber,b\n".encode() + b"\xff\xff\xff\xff\xff\xff\xff\xff,a\nx\xff,b\nfine,a\n"
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": "::"}, "data.separator='::' is not one character"),
        ({"quoting": "single"}, "data.quoting=single is not double or none"),
        ({"encoding": "utf-9"}, "data.encoding=utf-9 cannot be used"),
        ({"encoding": "base64"}, "data.encoding=base64 cannot be used"),
        ({"encoding_errors": "guess"}, "data.encoding_errors=guess cannot be used"),
        ({"encoding_errors": "cp932"}, "data.encoding_errors=cp932 has several bytes per character"),
        ({"columns": {"dev": {}}}, "data.columns.dev is not known"),
        ({"columns": {"test": {"texts": "a"}}}, "data.columns.test.texts is not known"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_option_of_reading_has_its_key(options: dict[str, object], message: str) -> None:
    with pytest.raises(BadConfig) as info:
        Files(train="posts.csv", **options)  # type: ignore[arg-type]
    assert str(info.value).startswith(message)


def test_excel_file_is_read(tmp_path: Path) -> None:
    book = Workbook()
    book.active.title = "Empty"
    sheet = book.create_sheet("Posts")
    for row in (["", "Text", "label", None], [None] * 4, [1, "one, two", 1], [2, 3.5, 0], [3, True, 1]):
        sheet.append(row)
    book.save(tmp_path / "posts.xlsx")
    rows = read(tmp_path, (tmp_path / "posts.xlsx").read_bytes(), "posts.xlsx")
    assert rows[:3] == [("one, two", "1"), ("3.5", "0"), ("true", "1")]
    assert ("note", "posts.xlsx: the sheet 'Posts' is read, of 2") in rows


def test_damaged_excel_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"posts\.xlsx is not a readable Excel file \(BadZipFile\)"):
        read(tmp_path, b"PK and nothing", "posts.xlsx")


def test_field_that_rows_do_not_have_is_empty(tmp_path: Path) -> None:
    lines = '{"text": "a", "label": "x"}\n{"label": "y"}\n{"text": null, "label": "z", "text2": [1]}\n'
    assert read(tmp_path, lines, "posts.jsonl") == [("a", "x"), ("", "y"), ("", "z")]


@pytest.mark.parametrize("twice", ["text", "other"])
def test_key_twice_matters_only_if_it_is_asked_for(tmp_path: Path, twice: str) -> None:
    line = f'{{"text": "a", "label": "x", "{twice}": "b", "other": 1}}\n'
    if twice == "other":
        assert read(tmp_path, line, "posts.jsonl") == [("a", "x")]
        return
    with pytest.raises(BadInput, match=r"Line 1 of .* has the key 'text' twice"):
        read(tmp_path, line, "posts.jsonl")


def test_column_twice_matters_only_if_it_is_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path, "text,n,label,n\na,1,x,2\n") == [("a", "x")]
    with pytest.raises(BadInput, match="several columns named text"):
        read(tmp_path, "text,text,label\na,1,x\n")
    with pytest.raises(BadInput, match="several columns like 'text': Text, TEXT"):
        read(tmp_path, "Text,TEXT,label\na,1,x\n")


def test_value_in_a_column_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"The row at line 3 of .* has a value in column 3, which has no name"):
        read(tmp_path, "text,label,\na,x,\nI feel bad, really,y\n")
