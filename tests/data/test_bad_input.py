"""Each kind of bad input gets one message with the file, the column or row, and the remedy."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mhc.data import corpus
from mhc.data.datamodule import TextDataModule
from mhc.data.sources import Files, HuggingFace
from mhc.errors import BadConfig, BadInput, NotFound, Refused

Make = Callable[..., TextDataModule]
MakeCsv = Callable[..., Path]

SECRET = "a sentence that no message may show"


def message_of(datamodule: TextDataModule) -> str:
    with pytest.raises((BadInput, NotFound, BadConfig)) as info:
        datamodule.prepare()
    message = str(info.value)
    assert SECRET not in message
    return message


def from_files(make: Make, **options: object) -> str:
    return message_of(make(source=Files(**{key: str(value) for key, value in options.items()})))


def write_file(tmp_path: Path, content: bytes, name: str = "posts.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_missing_file_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    message = from_files(make_datamodule, train=tmp_path / "gone.csv")
    assert message.startswith(f"There is no file {tmp_path / 'gone.csv'}.")


def test_folder_instead_of_a_file_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    assert "is a folder. Name a file" in from_files(make_datamodule, train=tmp_path)


def test_unsupported_kind_of_file_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    message = from_files(make_datamodule, train=write_file(tmp_path, b"x", "posts.doc"))
    assert "posts.doc ends in .doc; files of texts end in .csv, .tsv" in message


def test_empty_file_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    assert "posts.csv is empty." in from_files(make_datamodule, train=write_file(tmp_path, b""))


def test_file_without_rows_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    assert "has column names but no rows" in from_files(make_datamodule, train=write_file(tmp_path, b"text,label\n"))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_error_of_a_missing_column_lists_the_columns(make_datamodule: Make, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"posts.{suffix}"
    columns = {"body": [SECRET] * 4, "topic": ["x", "y"] * 2}
    if suffix == "csv":
        path.write_text(f"body,topic\n{SECRET},x\n", encoding="utf-8")
    elif suffix == "jsonl":
        path.write_text(json.dumps({"body": SECRET, "topic": "x"}) + "\n", encoding="utf-8")
    else:
        pq.write_table(pa.table(columns), path)
    message = from_files(make_datamodule, train=path)
    assert "'text'" in message
    assert "It has: body, topic" in message


def test_repeated_column_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    message = from_files(make_datamodule, train=write_file(tmp_path, b"text,label,label\na,x,y\n"))
    assert "has several columns named label" in message


def test_single_label_is_refused(make_datamodule: Make, make_csv: MakeCsv) -> None:
    message = from_files(make_datamodule, train=make_csv(rows=[(f"text {row}", "sad") for row in range(9)]))
    assert message.startswith("The rows to train on have 1 label (sad); a classifier needs two.")


def test_label_with_one_row_is_refused(make_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", "xy"[row % 2]) for row in range(9)]
    message = from_files(make_datamodule, train=make_csv(rows=[*rows, ("alone", "z")]))
    assert message.startswith("Label z has 1 row in the rows to train on, at least 2 are needed.")
    assert "data.cleaning.rare_labels=drop" in message


def test_label_with_one_row_can_be_dropped(make_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", "xy"[row % 2]) for row in range(20)]
    datamodule = make_datamodule(make_csv(rows=[*rows, ("alone", "z")]), cleaning={"rare_labels": "drop"})
    datamodule.prepare()
    assert datamodule.labels == ["x", "y"]
    assert datamodule.facts().cleaning == {"rare_labels": 1}


def test_label_of_test_that_train_lacks_is_refused(make_datamodule: Make, make_csv: MakeCsv) -> None:
    held_out = make_csv("test.csv", rows=[("one", "anxiety"), ("two", "joy")])
    message = from_files(make_datamodule, train=make_csv(), test=held_out)
    assert message.startswith("Label joy occurs in test but not in train, which has anxiety, normal.")


def test_unknown_labels_of_test_can_be_dropped(make_datamodule: Make, make_csv: MakeCsv) -> None:
    held_out = make_csv("test.csv", rows=[("one", "anxiety"), ("two", "joy")])
    source = Files(train=str(make_csv()), test=str(held_out))
    datamodule = make_datamodule(source=source, cleaning={"unknown_labels": "drop"})
    datamodule.prepare()
    assert datamodule.facts().splits["test"].rows == 1
    assert datamodule.facts().cleaning == {"unknown_labels_in_test": 1}


def test_numbers_as_labels_need_names(make_datamodule: Make, make_csv: MakeCsv) -> None:
    message = from_files(make_datamodule, train=make_csv(rows=[(f"text {row}", str(row % 3)) for row in range(30)]))
    assert "are numbers (0, 1, 2)." in message
    assert "data.label_names='{0:NAME,1:NAME,2:NAME}'" in message


def test_numbered_labels_get_their_names_and_order(make_datamodule: Make, make_csv: MakeCsv) -> None:
    path = make_csv(rows=[(f"text {row}", str(row % 2)) for row in range(30)])
    datamodule = make_datamodule(path, label_names={0: "normal", 1: "anxiety"})
    datamodule.prepare()
    assert datamodule.labels == ["normal", "anxiety"]


def test_label_value_without_a_name_is_refused(make_datamodule: Make, make_csv: MakeCsv) -> None:
    path = make_csv(rows=[(f"text {row}", str(row % 3)) for row in range(30)])
    message = message_of(make_datamodule(path, label_names={0: "normal", 1: "anxiety"}))
    assert message.startswith("data.label_names has no name for 2 of ")


@pytest.mark.parametrize("label", ["0.5", "many"], ids=["fractions", "more than fifty"])
def test_scale_as_label_is_refused(make_datamodule: Make, make_csv: MakeCsv, label: str) -> None:
    rows = [(f"text {row}", str(row % 2 + 0.5) if label == "0.5" else str(row)) for row in range(60)]
    message = from_files(make_datamodule, train=make_csv(rows=rows))
    assert "a scale, not classes. Choose another column with data.label=" in message


def test_column_of_texts_as_label_is_refused(make_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", f"{SECRET} {row}") for row in range(60)]
    assert "60 different values in 60 rows" in from_files(make_datamodule, train=make_csv(rows=rows))


def test_long_label_is_not_shown(make_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", "xy"[row % 2]) for row in range(9)]
    message = from_files(make_datamodule, train=make_csv(rows=[*rows, ("alone", f"{SECRET} and more of it")]))
    assert "Label (a value of 50 characters) has 1 row" in message


def test_row_without_a_label_is_refused(make_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", "xy"[row % 2]) for row in range(9)]
    assert "Row 10 of " in from_files(make_datamodule, train=make_csv(rows=[*rows, (SECRET, "")]))


def test_error_of_invalid_utf8_has_line_and_keys(make_datamodule: Make, tmp_path: Path) -> None:
    path = write_file(tmp_path, b"text,label\nfine,x\ncaf\xe9,y\n")
    message = from_files(make_datamodule, train=path)
    assert message.startswith(f"{path} is not UTF-8 at line 3; 1 line is not. cp1252 fits: set data.encoding=cp1252 if")
    assert "data.encoding_errors=cp1252" in message


def test_invalid_utf8_after_the_first_chunk_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    line = "é" * 1000 + ",x\n"
    content = ("text,label\n" + line * 9000).encode()
    path = write_file(tmp_path, content + b"\xff,x\n")
    assert "is not UTF-8 at line 9002; 1 line is not." in from_files(make_datamodule, train=path)


def test_file_that_ends_within_a_character_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    assert "is not UTF-8 at line 2" in from_files(
        make_datamodule, train=write_file(tmp_path, b"text,label\na,x\xe2\x82")
    )


def test_nul_bytes_are_refused(make_datamodule: Make, tmp_path: Path) -> None:
    message = from_files(make_datamodule, train=write_file(tmp_path, b"text,label\na\0,x\n"))
    assert "has a NUL byte in line 2." in message


@pytest.mark.parametrize(("row", "fields"), [("a,b,x", 3), ("a", 1)], ids=["too many", "too few"])
def test_error_of_a_ragged_csv_has_the_line(make_datamodule: Make, tmp_path: Path, row: str, fields: int) -> None:
    path = write_file(tmp_path, f'text,label\n"two\nlines",x\n{row}\n'.encode())
    assert f"The row at line 4 of {path} has {fields} fields, but there are 2 columns." in from_files(
        make_datamodule, train=path
    )


def test_unclosed_quote_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    path = write_file(tmp_path, f'text,label\n"fi, ne",x\n"{SECRET},y\nmore,x\n'.encode())
    assert "has a quote in the row at line 3 that nothing closes" in from_files(make_datamodule, train=path)


def test_unclosed_quote_in_the_last_column_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    path = write_file(tmp_path, f'label,text\nx,"fi, ne"\ny,"{SECRET}\nx,more\n'.encode())
    assert "has a quote in the row at line 3 that nothing closes" in from_files(make_datamodule, train=path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a', "Line 2 of {path} is not valid JSON."),
        ('["a", "x"]', "Line 2 of {path} is not a JSON object."),
        ('{"text": ["a"], "label": "x"}', "Line 2 of {path} has no plain value in 'text'."),
    ],
    ids=["cut off", "a list", "nested"],
)
def test_error_of_a_bad_json_line_has_the_line(make_datamodule: Make, tmp_path: Path, line: str, message: str) -> None:
    path = write_file(tmp_path, f'{{"text": "{SECRET}", "label": "x"}}\n{line}\n'.encode(), "posts.jsonl")
    assert message.format(path=path) in from_files(make_datamodule, train=path)


def test_damaged_parquet_file_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    message = from_files(make_datamodule, train=write_file(tmp_path, b"PAR1 and nothing", "posts.parquet"))
    assert "posts.parquet is not a readable Parquet file" in message


def test_parquet_column_of_lists_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    path = tmp_path / "posts.parquet"
    pq.write_table(pa.table({"text": [["a"], ["b"]], "label": ["x", "y"]}), path)
    assert "Column 'text' of" in from_files(make_datamodule, train=path)


def test_text_of_five_megabytes_is_cut_and_counted(make_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", "xy"[row % 2]) for row in range(20)]
    long = [("word " * 1_000_000, "x"), ("w" * 5_000_000, "y")]
    held_out = make_csv("test.csv", rows=[("short", "x"), *long])
    datamodule = make_datamodule(source=Files(train=str(make_csv(rows=rows)), test=str(held_out)))
    datamodule.prepare()
    facts = datamodule.facts().splits["test"]
    assert (facts.rows, facts.truncated) == (3, 2)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_leaves_no_partial_corpus(
    make_datamodule: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(path: Path, *_: object) -> None:
        raise OSError(code, "No space left on device", str(path))

    monkeypatch.setattr(corpus, "write_ints", full)
    message = message_of(make_datamodule())
    assert str(tmp_path / "cache" / "corpora") in message
    assert message.startswith("The disk of" if code == errno.ENOSPC else "Your quota on the disk of")
    assert "choose another folder with paths.cache=" in message
    remaining = [path.name for path in (tmp_path / "cache" / "corpora").iterdir() if path.suffix != ".lock"]
    assert remaining == []


def test_read_only_cache_is_refused(make_datamodule: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(corpus, "write_ints", forbidden)
    with pytest.raises(Refused, match=r"is not writable\. Set paths\.cache="):
        make_datamodule().prepare()


def test_invalid_value_of_the_split_column_is_refused(make_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [("a", "x", "train"), ("b", "y", "holdout")]
    path = make_csv(rows=rows, header=("text", "label", "part"))
    assert "Row 2 of " in from_files(make_datamodule, train=path, split="part")


def test_split_column_with_a_test_file_is_refused() -> None:
    with pytest.raises(BadConfig, match=r"data\.split names a column of splits"):
        Files(train="a.csv", test="b.csv", split="part")


def test_hub_name_that_cannot_be_loaded_is_refused(make_datamodule: Make, tmp_path: Path) -> None:
    message = message_of(make_datamodule(source=HuggingFace(path=str(tmp_path / "nowhere"))))
    assert "could not be loaded" in message
    assert "data.path=" in message


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"batching": {"tokens": 0}}, r"data\.batching\.tokens is 0; expected `int` >= 1$"),
        ({"splitting": {"vall": 0.1}}, r"data\.splitting: .*vall.*Its keys are: val, test"),
        (
            {"cleaning": {"conflicting": "maybe"}},
            r"data\.cleaning\.conflicting is 'maybe'; it must be one of drop, keep$",
        ),
        ({"splitting": {"fold": "two"}}, r"data\.splitting\.fold is 'two'; invalid enum value 'two'$"),
        ({"tokenizer": {"kind": "letters"}}, r"model\.tokenizer\.kind is 'letters'; it must be one of wordpiece, bpe"),
        ({"trainn": "x.csv"}, r"data\.trainn is not known\. Files has: columns, encoding"),
    ],
    ids=["too small", "misspelt", "choice", "choice or number", "tokenizer", "shorthand"],
)
def test_error_of_an_invalid_value_has_its_key(make_datamodule: Make, node: dict[str, object], message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        make_datamodule(**node)


def test_unknown_high_risk_label_is_refused(make_datamodule: Make) -> None:
    with pytest.raises(BadConfig, match=r"data\.high_risk has 'suicidal', but the labels are anxiety, normal"):
        make_datamodule(high_risk=["suicidal"]).prepare()
