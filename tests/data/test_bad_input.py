"""Each kind of bad input gets one sentence that names file, column or row and what to do."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mhc.data import cache
from mhc.data.datamodule import TextDataModule
from mhc.data.sources import Files, HuggingFace
from mhc.errors import BadConfig, BadInput, NotFound, Refused

Make = Callable[..., TextDataModule]
MakeCsv = Callable[..., Path]

SECRET = "a sentence that nobody else may read"


def sentence_of(datamodule: TextDataModule) -> str:
    with pytest.raises((BadInput, NotFound, BadConfig)) as caught:
        datamodule.prepare()
    told = str(caught.value)
    assert SECRET not in told
    return told


def from_files(make: Make, **options: object) -> str:
    return sentence_of(make(source=Files(**{key: str(value) for key, value in options.items()})))


def a_file(tmp_path: Path, content: bytes, name: str = "posts.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_a_missing_file(a_datamodule: Make, tmp_path: Path) -> None:
    told = from_files(a_datamodule, train=tmp_path / "gone.csv")
    assert told.startswith(f"There is no file {tmp_path / 'gone.csv'}.")


def test_a_folder(a_datamodule: Make, tmp_path: Path) -> None:
    assert "is a folder. Name a file" in from_files(a_datamodule, train=tmp_path)


def test_an_unknown_kind_of_file(a_datamodule: Make, tmp_path: Path) -> None:
    told = from_files(a_datamodule, train=a_file(tmp_path, b"x", "posts.xlsx"))
    assert "posts.xlsx ends in .xlsx; files of texts end in .csv, .tsv" in told


def test_an_empty_file(a_datamodule: Make, tmp_path: Path) -> None:
    assert "posts.csv is empty." in from_files(a_datamodule, train=a_file(tmp_path, b""))


def test_a_file_of_column_names_only(a_datamodule: Make, tmp_path: Path) -> None:
    assert "has column names but no rows" in from_files(a_datamodule, train=a_file(tmp_path, b"text,label\n"))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_wrong_column_says_which_exist(a_datamodule: Make, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"posts.{suffix}"
    columns = {"body": [SECRET] * 4, "topic": ["x", "y"] * 2}
    if suffix == "csv":
        path.write_text(f"body,topic\n{SECRET},x\n", encoding="utf-8")
    elif suffix == "jsonl":
        path.write_text(json.dumps({"body": SECRET, "topic": "x"}) + "\n", encoding="utf-8")
    else:
        pq.write_table(pa.table(columns), path)
    told = from_files(a_datamodule, train=path)
    assert "'text'" in told
    assert "It has: body, topic" in told


def test_a_column_that_is_there_twice(a_datamodule: Make, tmp_path: Path) -> None:
    told = from_files(a_datamodule, train=a_file(tmp_path, b"text,label,label\na,x,y\n"))
    assert "has several columns named label" in told


def test_one_label_only(a_datamodule: Make, make_csv: MakeCsv) -> None:
    told = from_files(a_datamodule, train=make_csv(rows=[(f"text {row}", "sad") for row in range(9)]))
    assert told.startswith("The rows to train on have 1 label (sad); a classifier needs two.")


def test_a_label_with_a_single_row(a_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", "xy"[row % 2]) for row in range(9)]
    told = from_files(a_datamodule, train=make_csv(rows=[*rows, ("alone", "z")]))
    assert told.startswith("Label z has 1 row in the rows to train on, at least 2 are needed.")
    assert "data.cleaning.rare_labels=drop" in told


def test_a_label_with_a_single_row_can_be_left_out(a_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", "xy"[row % 2]) for row in range(20)]
    datamodule = a_datamodule(make_csv(rows=[*rows, ("alone", "z")]), cleaning={"rare_labels": "drop"})
    datamodule.prepare()
    assert datamodule.labels == ["x", "y"]
    assert datamodule.facts().cleaning == {"rare_labels": 1}


def test_a_label_of_test_that_train_does_not_have(a_datamodule: Make, make_csv: MakeCsv) -> None:
    held_out = make_csv("test.csv", rows=[("one", "anxiety"), ("two", "joy")])
    told = from_files(a_datamodule, train=make_csv(), test=held_out)
    assert told.startswith("Label joy stands in test but not in train, which has anxiety, normal.")


def test_unknown_labels_of_test_can_be_left_out(a_datamodule: Make, make_csv: MakeCsv) -> None:
    held_out = make_csv("test.csv", rows=[("one", "anxiety"), ("two", "joy")])
    source = Files(train=str(make_csv()), test=str(held_out))
    datamodule = a_datamodule(source=source, cleaning={"unknown_labels": "drop"})
    datamodule.prepare()
    assert datamodule.facts().splits["test"].rows == 1
    assert datamodule.facts().cleaning == {"unknown_labels_in_test": 1}


def test_numbers_as_labels_ask_for_names(a_datamodule: Make, make_csv: MakeCsv) -> None:
    told = from_files(a_datamodule, train=make_csv(rows=[(f"text {row}", str(row % 3)) for row in range(30)]))
    assert "are numbers (0, 1, 2)." in told
    assert "data.label_names='{0:NAME,1:NAME,2:NAME}'" in told


def test_numbered_labels_take_their_names_and_order(a_datamodule: Make, make_csv: MakeCsv) -> None:
    path = make_csv(rows=[(f"text {row}", str(row % 2)) for row in range(30)])
    datamodule = a_datamodule(path, label_names={0: "normal", 1: "anxiety"})
    datamodule.prepare()
    assert datamodule.labels == ["normal", "anxiety"]


def test_a_value_without_a_name(a_datamodule: Make, make_csv: MakeCsv) -> None:
    path = make_csv(rows=[(f"text {row}", str(row % 3)) for row in range(30)])
    told = sentence_of(a_datamodule(path, label_names={0: "normal", 1: "anxiety"}))
    assert told.startswith("data.label_names has no name for 2 of ")


@pytest.mark.parametrize("label", ["0.5", "many"], ids=["fractions", "more than fifty"])
def test_a_scale_is_no_label(a_datamodule: Make, make_csv: MakeCsv, label: str) -> None:
    rows = [(f"text {row}", str(row % 2 + 0.5) if label == "0.5" else str(row)) for row in range(60)]
    told = from_files(a_datamodule, train=make_csv(rows=rows))
    assert "a scale, not classes. Choose another column with data.label=" in told


def test_a_column_of_texts_is_no_label(a_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", f"{SECRET} {row}") for row in range(60)]
    assert "60 different values in 60 rows" in from_files(a_datamodule, train=make_csv(rows=rows))


def test_a_long_label_is_not_shown(a_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", "xy"[row % 2]) for row in range(9)]
    told = from_files(a_datamodule, train=make_csv(rows=[*rows, ("alone", f"{SECRET} and more of it")]))
    assert "Label (a value of 51 characters) has 1 row" in told


def test_a_row_without_a_label(a_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", "xy"[row % 2]) for row in range(9)]
    assert "Row 10 of " in from_files(a_datamodule, train=make_csv(rows=[*rows, (SECRET, "")]))


def test_broken_utf8_names_byte_and_line(a_datamodule: Make, tmp_path: Path) -> None:
    path = a_file(tmp_path, b"text,label\nfine,x\ncaf\xe9,y\n")
    assert f"{path} is not UTF-8 at byte 21 (line 3)." in from_files(a_datamodule, train=path)


def test_broken_utf8_behind_the_first_chunk(a_datamodule: Make, tmp_path: Path) -> None:
    line = "é" * 1000 + ",x\n"
    content = ("text,label\n" + line * 9000).encode()
    path = a_file(tmp_path, content + b"\xff,x\n")
    assert f"is not UTF-8 at byte {len(content)} (line 9002)." in from_files(a_datamodule, train=path)


def test_a_file_that_ends_within_a_character(a_datamodule: Make, tmp_path: Path) -> None:
    assert "is not UTF-8 at byte 14" in from_files(a_datamodule, train=a_file(tmp_path, b"text,label\na,x\xe2\x82"))


def test_nul_bytes(a_datamodule: Make, tmp_path: Path) -> None:
    told = from_files(a_datamodule, train=a_file(tmp_path, "text,label\na,x\n".encode("utf-16")))
    assert "has a NUL byte at byte 3 (line 1). Save it as UTF-8" in told


@pytest.mark.parametrize(("row", "fields"), [("a,b,x", 3), ("a", 1)], ids=["too many", "too few"])
def test_a_ragged_csv_names_the_line(a_datamodule: Make, tmp_path: Path, row: str, fields: int) -> None:
    path = a_file(tmp_path, f'text,label\n"two\nlines",x\n{row}\n'.encode())
    assert f"The row at line 4 of {path} has {fields} fields, but there are 2 columns." in from_files(
        a_datamodule, train=path
    )


def test_a_quote_that_is_not_closed(a_datamodule: Make, tmp_path: Path) -> None:
    path = a_file(tmp_path, f'text,label\nfine,x\n"{SECRET},y\nmore,x\n'.encode())
    assert "The row at line 3" in from_files(a_datamodule, train=path)


def test_a_quote_that_is_not_closed_in_the_last_column(a_datamodule: Make, tmp_path: Path) -> None:
    path = a_file(tmp_path, f'label,text\nx,fine\ny,"{SECRET}\nx,more\n'.encode())
    assert "Check that every quote is closed" in from_files(a_datamodule, train=path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "a', "Line 2 of {path} is not valid JSON."),
        ('["a", "x"]', "Line 2 of {path} is not a JSON object."),
        ('{"text": ["a"], "label": "x"}', "Line 2 of {path} has no plain value in 'text'."),
    ],
    ids=["cut off", "a list", "nested"],
)
def test_a_bad_line_of_json(a_datamodule: Make, tmp_path: Path, line: str, told: str) -> None:
    path = a_file(tmp_path, f'{{"text": "{SECRET}", "label": "x"}}\n{line}\n'.encode(), "posts.jsonl")
    assert told.format(path=path) in from_files(a_datamodule, train=path)


def test_a_damaged_parquet_file(a_datamodule: Make, tmp_path: Path) -> None:
    told = from_files(a_datamodule, train=a_file(tmp_path, b"PAR1 and nothing", "posts.parquet"))
    assert "posts.parquet is not a readable Parquet file" in told


def test_a_parquet_column_of_lists(a_datamodule: Make, tmp_path: Path) -> None:
    path = tmp_path / "posts.parquet"
    pq.write_table(pa.table({"text": [["a"], ["b"]], "label": ["x", "y"]}), path)
    assert "Column 'text' of" in from_files(a_datamodule, train=path)


def test_a_text_of_five_megabytes_is_cut_and_counted(a_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [(f"text {row}", "xy"[row % 2]) for row in range(20)]
    long = [("word " * 1_000_000, "x"), ("w" * 5_000_000, "y")]
    held_out = make_csv("test.csv", rows=[("short", "x"), *long])
    datamodule = a_datamodule(source=Files(train=str(make_csv(rows=rows)), test=str(held_out)))
    datamodule.prepare()
    facts = datamodule.facts().splits["test"]
    assert (facts.rows, facts.truncated) == (3, 2)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_left_on_the_disk(
    a_datamodule: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(path: Path, *_: object) -> None:
        raise OSError(code, "No space left on device", str(path))

    monkeypatch.setattr(cache, "write_ints", full)
    told = sentence_of(a_datamodule())
    assert told.startswith(f"No space left on the disk while writing {tmp_path / 'cache'}")
    assert "set paths.cache= elsewhere" in told
    left = [path.name for path in (tmp_path / "cache" / "corpora").iterdir() if path.suffix != ".lock"]
    assert left == []


def test_a_cache_that_may_not_be_written(a_datamodule: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(cache, "write_ints", forbidden)
    with pytest.raises(Refused, match=r"may not be written\. Set paths\.cache="):
        a_datamodule().prepare()


def test_a_split_column_with_another_word(a_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [("a", "x", "train"), ("b", "y", "holdout")]
    path = make_csv(rows=rows, header=("text", "label", "part"))
    assert "Row 2 of " in from_files(a_datamodule, train=path, split="part")


def test_a_split_column_and_a_test_file() -> None:
    with pytest.raises(BadConfig, match=r"data\.split names a column of splits"):
        Files(train="a.csv", test="b.csv", split="part")


def test_a_hub_name_that_cannot_be_loaded(a_datamodule: Make, tmp_path: Path) -> None:
    told = sentence_of(a_datamodule(source=HuggingFace(path=str(tmp_path / "nowhere"))))
    assert "could not be loaded" in told
    assert "data.path=" in told


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ({"batching": {"tokens": 0}}, r"data\.batching: .*\$\.tokens"),
        ({"splitting": {"vall": 0.1}}, r"data\.splitting: .*vall.*It knows: val, test"),
        ({"cleaning": {"conflicting": "maybe"}}, r"data\.cleaning: .*\$\.conflicting"),
        ({"tokenizer": {"kind": "letters"}}, r"model\.tokenizer: .*\$\.kind"),
        ({"trainn": "x.csv"}, r"data\.trainn is not known\. Files reads: group, label"),
    ],
    ids=["too small", "misspelt", "choice", "tokenizer", "shorthand"],
)
def test_a_value_that_does_not_fit_names_its_key(a_datamodule: Make, node: dict[str, object], told: str) -> None:
    with pytest.raises(BadConfig, match=told):
        a_datamodule(**node)


def test_a_high_risk_label_that_the_data_does_not_have(a_datamodule: Make) -> None:
    with pytest.raises(BadConfig, match=r"data\.high_risk has 'suicidal', but the labels are anxiety, normal"):
        a_datamodule(high_risk=["suicidal"]).prepare()
