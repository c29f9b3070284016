"""`mhc.predict`: labels in the order of the texts, independent of the batches; errors are one sentence."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from mhc import predict
from mhc.errors import BadConfig
from mhc.inference import label_table
from mhc.predict import Predictor
from mhc.production.loading import from_run
from mhc.training import exit_codes
from tests.support import programs
from tests.support.builders import LABELS
from tests.support.trained import MAX_TOKENS, a_bundle, a_table, a_trained_run, some_texts

ROOT = Path(__file__).resolve().parents[2]
SECRET = "unmistakable"
"""A word of the input that no message may contain."""

Command = Callable[..., tuple[int, str, str]]
Maker = Callable[[Path], object]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one run, `tiny_...`, in outputs; no test changes it."""
    folder = tmp_path_factory.mktemp("home")
    a_trained_run(folder / "outputs")
    return folder


@pytest.fixture
def command(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs `mhc.predict` with words in an empty folder; it returns (code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MHC_OUTPUTS", str(home / "outputs"))
    monkeypatch.setenv("MHC_MODELS", str(home / "models"))

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mhc.predict", *map(str, words)])
        code = exit_codes.code_of(predict.main)
        return code, *capsys.readouterr()

    return call


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def reference(run: Path, text: str) -> np.ndarray:
    """Return the probabilities [k] of one text, computed without our batching."""
    loaded = from_run(run)
    tokens = loaded.tokenizer(text, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
    with torch.inference_mode():
        output = loaded.network(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
    return output.logits.softmax(1)[0].numpy()


def the_run(home: Path) -> Path:
    return next((home / "outputs").iterdir())


def test_every_text_gets_the_probabilities_that_it_gets_alone(home: Path) -> None:
    texts = some_texts(60)
    labels, probabilities = Predictor.load(run=the_run(home), precision="fp32")(texts)
    expected = np.array([reference(the_run(home), text) for text in texts])
    assert abs(probabilities - expected).max() < 1e-5
    assert labels == [LABELS[best] for best in expected.argmax(axis=1)]


@pytest.mark.parametrize("batch_tokens", [1, 40, 100_000])
def test_size_of_the_batches_changes_nothing(home: Path, batch_tokens: int) -> None:
    texts = some_texts(40)
    expected = Predictor.load(run=the_run(home), precision="fp32")(texts)
    actual = Predictor.load(run=the_run(home), precision="fp32", batch_tokens=batch_tokens)(texts)
    assert actual[0] == expected[0]
    assert abs(actual[1] - expected[1]).max() < 1e-5


def test_bfloat16_stays_within_a_hundredth(home: Path) -> None:
    texts = some_texts(100)
    expected = Predictor.load(run=the_run(home), precision="fp32")(texts)[1]
    assert abs(Predictor.load(run=the_run(home), precision="bf16")(texts)[1] - expected).max() < 1e-2


def test_bundle_gives_the_same_in_a_pipeline_of_transformers(home: Path, tmp_path: Path) -> None:
    from transformers import pipeline

    folder = a_bundle(tmp_path / "bundle", the_run(home))
    texts = some_texts(30)
    classifier = pipeline("text-classification", model=str(folder), top_k=None, truncation=True, batch_size=8)
    labels, probabilities = Predictor.load(bundle=folder, precision="fp32")(texts)
    for output, label, row in zip(classifier(texts), labels, probabilities, strict=True):
        scores = {each["label"]: each["score"] for each in output}
        assert max(scores, key=scores.get) == label
        assert abs(np.array([scores[name] for name in LABELS]) - row).max() < 1e-5


def test_empty_text_gets_no_label(home: Path) -> None:
    predictor = Predictor.load(run=the_run(home), precision="fp32")
    labels, probabilities = predictor(["river stone", " \n\u200b", "lamp"])
    assert labels[1] == ""
    assert np.isnan(probabilities[1]).all()
    assert abs(probabilities[[0, 2]] - predictor(["river stone", "lamp"])[1]).max() < 1e-6
    assert predictor([])[1].shape == (0, 4)


def test_model_is_either_a_run_or_a_bundle(home: Path) -> None:
    for both in ({}, {"run": "a", "bundle": "b"}):
        with pytest.raises(BadConfig, match="Give one of run= and bundle="):
            Predictor.load(**both)


def test_one_text_is_labelled_on_stdout(command: Command, home: Path) -> None:
    code, out, err = command("run=tiny", "text=river stone cloud", "precision=fp32")
    expected = reference(the_run(home), "river stone cloud")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == LABELS[expected.argmax()]
    assert dict(line.split() for line in lines[1:]) == {
        name: f"{share:.3f}" for name, share in zip(LABELS, expected, strict=True)
    }


def test_output_has_the_columns_and_the_order_of_the_input(command: Command, home: Path, tmp_path: Path) -> None:
    texts = some_texts(50)
    a_table(tmp_path / "posts.csv", texts, author=[f"a,{n}" for n in range(50)])
    code, out, err = command("run=tiny", "input=posts.csv", "output=labels.csv", "precision=fp32")
    rows = rows_of(tmp_path / "labels.csv")
    assert (code, out) == (0, "")
    assert list(rows[0]) == ["id", "text", "author", "label", "confidence", *(f"probability_{name}" for name in LABELS)]
    assert [(row["id"], row["text"], row["author"]) for row in rows] == [
        (str(n), text, f"a,{n}") for n, text in enumerate(texts)
    ]
    expected = Predictor.load(run=the_run(home), precision="fp32")(texts)
    assert [row["label"] for row in rows] == expected[0]
    probabilities = np.array([[float(row[f"probability_{name}"]) for name in LABELS] for row in rows])
    assert abs(probabilities - expected[1]).max() < 1e-5
    assert err.startswith("50 texts in ")
    assert f"longer than the {MAX_TOKENS} tokens" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "posts.csv"]


def test_chunks_of_a_large_table_change_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_table(tmp_path / "posts.csv", some_texts(50))
    command("run=tiny", "input=posts.csv", "output=whole.csv", "precision=fp32")
    monkeypatch.setattr(label_table, "CHUNK_ROWS", 7)
    command("run=tiny", "input=posts.csv", "output=chunks.csv", "precision=fp32")
    for whole, chunk in zip(rows_of(tmp_path / "whole.csv"), rows_of(tmp_path / "chunks.csv"), strict=True):
        assert whole["text"] == chunk["text"]
        assert float(whole["confidence"]) == pytest.approx(float(chunk["confidence"]), abs=1e-5)


def test_label_column_of_the_input_is_not_overwritten(command: Command, tmp_path: Path) -> None:
    a_table(tmp_path / "posts.csv", ["river"], label=["normal"])
    command("run=tiny", "input=posts.csv", "output=labels.csv")
    row = rows_of(tmp_path / "labels.csv")[0]
    assert row["label"] == "normal"
    assert row["predicted_label"] in LABELS


@pytest.mark.parametrize("written", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("read", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_is_written_to_every_format(command: Command, tmp_path: Path, read: str, written: str) -> None:
    texts = ['with "quotes", a comma\tand a tab', "two\nlines", "river \u00e9\U0001f600"]
    table = pa.table({"text": texts, "n": ["1", "2", "3"]})
    if read == "parquet":
        pq.write_table(table, tmp_path / "in.parquet")
    elif read == "jsonl":
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        with (tmp_path / f"in.{read}").open("w", newline="") as file:
            csv.writer(file, delimiter="\t" if read == "tsv" else ",").writerows(
                [["text", "n"], *zip(texts, "123", strict=True)]
            )
    code, _, err = command("run=tiny", f"input=in.{read}", f"output=out.{written}")
    assert code == 0, err
    out = tmp_path / f"out.{written}"
    if written == "parquet":
        rows = pq.read_table(out).to_pylist()
    elif written == "jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    else:
        with out.open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t" if written == "tsv" else ","))
    assert [(row["text"], row["n"]) for row in rows] == list(zip(texts, "123", strict=True))
    assert all(row["label"] in LABELS and 0 < float(row["confidence"]) <= 1 for row in rows)


def test_parquet_keeps_its_types(command: Command, tmp_path: Path) -> None:
    when = pa.array([1, 2], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["river", None], "n": [1, None], "at": when}), tmp_path / "in.parquet")
    assert command("run=tiny", "input=in.parquet", "output=out.parquet")[0] == 0
    schema = pq.read_schema(tmp_path / "out.parquet")
    assert (schema.field("n").type, schema.field("at").type) == (pa.int64(), pa.timestamp("us"))
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert (rows[1]["label"], rows[1]["confidence"], rows[1]["n"]) == (None, None, None)


def test_unsure_prediction_gives_no_label(command: Command, home: Path, tmp_path: Path) -> None:
    texts = some_texts(50)
    a_table(tmp_path / "posts.csv", texts)
    middle = float(np.median(Predictor.load(run=the_run(home), precision="fp32")(texts)[1].max(axis=1)))
    code, _, err = command(
        "run=tiny", "input=posts.csv", "output=labels.csv", f"abstain_below={middle}", "precision=fp32"
    )
    rows = rows_of(tmp_path / "labels.csv")
    unsure = [row for row in rows if row["abstained"] == "true"]
    assert (code, len(unsure)) == (0, 25)
    assert all((float(row["confidence"]) < middle) == (row["abstained"] == "true") for row in rows)
    assert all((row["label"] == "") == (row["abstained"] == "true") for row in rows)
    assert "25 got no label, their confidence is below" in err
    assert command("run=tiny", "text=river", "abstain_below=1")[1].startswith("no label: ")


def test_stdin_goes_to_stdout_through_a_real_pipe(home: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "mhc.predict",
        "run=tiny",
        "input=-",
        "format=jsonl",
        f"paths.outputs={home / 'outputs'}",
    ]
    lines = "".join(json.dumps({"text": text, "n": n}) + "\n" for n, text in enumerate(some_texts(20)))
    done = subprocess.run(words, input=lines, capture_output=True, text=True, check=True, cwd=ROOT)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["n"] for row in rows] == list(range(20))
    assert all(row["label"] in LABELS for row in rows)
    assert done.stderr.startswith("20 texts in ")


def test_predictor_imports_neither_lightning_nor_torchmetrics(home: Path) -> None:
    code = (
        "import sys; from mhc.predict import Predictor\n"
        "assert 'torch' not in sys.modules\n"
        f"Predictor.load(run={str(the_run(home))!r})(['river'])\n"
        "print(sorted({'pytorch_lightning', 'torchmetrics', 'datasets', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_closed_pipe_ends_the_command_quietly(home: Path, tmp_path: Path) -> None:
    a_table(tmp_path / "posts.csv", some_texts(3000, longest=3))
    command = (
        f"{sys.executable} -m mhc.predict run=tiny input={tmp_path / 'posts.csv'} paths.outputs={home / 'outputs'}"
        " | head -n 1; echo ${PIPESTATUS[0]}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] in ("141", "0")
    assert "bug" not in done.stderr


def bad(name: str, content: bytes) -> Maker:
    def make(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return make


WRONG_FILES = {
    "no file": (lambda folder: None, "posts.csv", "There is no file posts.csv"),
    "a folder": (
        lambda folder: (folder / "posts.csv").mkdir(),
        "posts.csv",
        "posts.csv is a folder. Name a file",
    ),
    "empty": (bad("posts.csv", b""), "posts.csv", "posts.csv is empty"),
    "only names": (bad("posts.csv", b"text\n"), "posts.csv", "posts.csv has no rows"),
    "another column": (bad("posts.csv", b"body,n\na,1\n"), "posts.csv", "has no column 'text'. It has: body, n."),
    "names twice": (bad("posts.csv", b"text,text\na,b\n"), "posts.csv", "several columns named text"),
    "ragged": (
        bad("posts.csv", b'text,n\n"a\nb",1\nunmistakable,2,3\n'),
        "posts.csv",
        "The row at line 4 of posts.csv has 3 fields, but there are 2 columns",
    ),
    "open quote": (
        bad("posts.csv", b'text,n\n"fi, ne",1\n"unmistakable,1\n'),
        "posts.csv",
        "posts.csv has a quote in the row at line 3 that nothing closes",
    ),
    "broken UTF-8": (
        bad("posts.csv", b"text\nfine\nunmistakable \xe9t\xe9\n"),
        "posts.csv",
        "posts.csv is not UTF-8 at line 3; 1 line is not. cp1252 fits: set encoding=cp1252",
    ),
    "key twice": (
        bad("posts.jsonl", b'{"text": "a", "n": 1}\n{"text": "b", "n": 1, "n": 2}\n'),
        "posts.jsonl",
        "Line 2 of posts.jsonl has the key 'n' twice",
    ),
    "NUL": (bad("posts.csv", b"text\nunmistakable\0\n"), "posts.csv", "posts.csv has a NUL byte in line 2"),
    "no JSON": (
        bad("posts.jsonl", b'{"text": "a"}\n{"text": "unmistakable"\n'),
        "posts.jsonl",
        "Line 2 of posts.jsonl is not valid JSON",
    ),
    "JSON list": (
        bad("posts.jsonl", b'["unmistakable"]\n'),
        "posts.jsonl",
        "Line 1 of posts.jsonl is not a JSON object",
    ),
    "a list": (
        bad("posts.jsonl", b'{"text": []}\n'),
        "posts.jsonl",
        "Row 1 of posts.jsonl has no plain value in 'text'",
    ),
    "no Parquet": (bad("posts.parquet", b"PAR1 unmistakable"), "posts.parquet", "is not a readable Parquet file"),
}


@pytest.mark.parametrize(("make", "name", "sentence"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_unreadable_file_is_one_sentence_without_its_text(
    command: Command, tmp_path: Path, make: Maker, name: str, sentence: str
) -> None:
    make(tmp_path)
    code, out, err = command("run=tiny", f"input={name}", "output=labels.csv")
    assert (code, out) == (1, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert SECRET not in err
    assert not (tmp_path / "labels.csv").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rnu=tiny", "text=a"], "There is no key 'rnu'; did you mean 'run'"),
        (["run=tiny"], "Give text= or input="),
        (["text=a"], "Give run= or bundle="),
        (["run=tiny", "bundle=champion", "text=a"], "Give run= or bundle=, not 2 of them"),
        (["run=tiny", "text=a", "run=other"], "run= is given twice"),
        (["run=tiny", "unmistakable"], "is not key=value"),
        (["run=tiny", "text=a", "abstain_below=60%"], "abstain_below=60% must be a number from 0 to 1"),
        (["run=tiny", "input=posts.doc"], "posts.doc has none of the suffixes .csv"),
        (["run=tiny", "input=posts.csv", "output=labels.xlsx"], "labels.xlsx has none of the suffixes .csv, .tsv"),
        (["run=tiny", "input=posts.csv", "output=labels"], "labels has none of the suffixes .csv"),
        (["run=tiny", "input=-", "format=excel"], "format=excel is not one of csv, tsv, jsonl, parquet"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_argument_is_a_usage_error(command: Command, words: list[str], sentence: str) -> None:
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert sentence in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run=nope", "text=a"], "No run 'nope'"),
        (["bundle=champion", "text=a"], "No bundle and no alias 'champion'"),
        (["run=tiny", "text= "], "The text is empty"),
        (["run=tiny", "text=a", "precision=fp8"], "precision=fp8 is none of auto, bf16, fp32"),
        (["run=tiny", "text=a", "device=tpu9"], "device=tpu9 is not on this machine"),
        (["run=tiny", "input=posts.csv", "output=no/such/folder.csv"], "cannot be written: No such file or directory"),
        (["run=tiny", "input=posts.csv", "output=folder.csv"], "folder.csv cannot be written: it is a folder"),
        (["run=tiny", "input=posts.csv", "output=/dev/full", "format=csv"], "/dev/full"),
        (["run=tiny", "input=posts.csv", "encoding=utf-7x"], "encoding=utf-7x cannot be used"),
    ],
    ids=lambda value: " ".join(value[:2] + value[-1:]) if isinstance(value, list) else "",
)
def test_impossible_request_is_one_sentence(command: Command, tmp_path: Path, words: list[str], sentence: str) -> None:
    a_table(tmp_path / "posts.csv", ["river"])
    (tmp_path / "folder.csv").mkdir()
    code, out, err = command(*words)
    assert (code, out) == (1, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_full_disk_is_one_sentence(command: Command, tmp_path: Path) -> None:
    a_table(tmp_path / "posts.csv", ["river"])
    (tmp_path / "labels.csv").symlink_to("/dev/full")
    code, _, err = command("run=tiny", "input=posts.csv", "output=labels.csv")
    assert code == 1
    assert re.fullmatch(
        r"labels\.csv cannot be written: the disk of .* is full, .* are free\. Choose another output=\n", err
    )


def test_failure_in_the_middle_leaves_the_old_output_unchanged(command: Command, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("old")
    (tmp_path / "posts.csv").write_bytes(b"text\n" + b"river\n" * 20_000 + b"a,b\n")
    code, _, err = command("run=tiny", "input=posts.csv", "output=labels.csv")
    assert (code, "line 20002" in err) == (1, True)
    assert (tmp_path / "labels.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "posts.csv"]


LATER_COLUMNS = b'{"text": "river", "n": 1}\n{"text": "stone", "n": 1.5, "who": "ada"}\n{"n": null, "label": "x"}\n'


@contextmanager
def piped(content: bytes) -> Iterator[int]:
    """Yield the descriptor of a pipe that has this content."""
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    yield read
    os.close(read)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
@pytest.mark.parametrize("source", ["posts.jsonl", "-"])
def test_table_of_json_lines_has_the_keys_of_all_rows(home: Path, tmp_path: Path, source: str, suffix: str) -> None:
    (tmp_path / "posts.jsonl").write_bytes(LATER_COLUMNS)
    words = [f"run={the_run(home)}", f"input={source}", "format=jsonl", f"output={tmp_path}/labels.{suffix}"]
    with piped(LATER_COLUMNS) as stdin:
        done = programs.run("mhc.predict", *words, cwd=tmp_path, stdin=stdin)
    assert done.returncode == 0, done.stderr
    if suffix == "parquet":
        rows = pq.read_table(tmp_path / "labels.parquet").to_pylist()
        assert [row["n"] for row in rows] == [1.0, 1.5, None]
    else:
        separator = "," if suffix == "csv" else "\t"
        with (tmp_path / f"labels.{suffix}").open(newline="") as file:
            rows = [
                {key: value or None for key, value in row.items()} for row in csv.DictReader(file, delimiter=separator)
            ]
    assert list(rows[0])[:5] == ["text", "n", "who", "label", "predicted_label"]
    assert [row["who"] for row in rows] == [None, "ada", None]
    assert [row["label"] for row in rows] == [None, None, "x"]
    assert [row["predicted_label"] in LABELS for row in rows] == [True, True, False]


def test_later_key_of_json_lines_is_not_overwritten(command: Command, tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_bytes(LATER_COLUMNS)
    code, _, err = command("run=tiny", "input=posts.jsonl", "output=labels.jsonl")
    assert (code, "Row 3 of posts.jsonl has the column 'label'" in err) == (1, True)
    assert not (tmp_path / "labels.jsonl").exists()


def test_column_of_several_types_is_refused_before_labelling(command: Command, tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_bytes(b'{"text": "river", "n": 1}\n{"text": "stone", "n": "unmistakable"}\n')
    code, _, err = command("run=nope", "input=posts.jsonl", "output=labels.parquet")
    assert (code, err.startswith("Column 'n' of posts.jsonl does not fit into Parquet")) == (1, True)
    assert SECRET not in err


def test_second_column_of_one_name_gets_another(command: Command, tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array(["river"]), pa.array([1]), pa.array([2])], names=["text", "n", "n"])
    pq.write_table(twice, tmp_path / "posts.parquet")
    (tmp_path / "posts.csv").write_text("text,n,n\nriver,1,2\n")
    for source in ("posts.parquet", "posts.csv"):
        code, _, err = command("run=tiny", f"input={source}", "output=labels.csv")
        assert (code, err.splitlines()[0]) == (0, f"{source}: a second column 'n' is 'n_2'")
        assert list(rows_of(tmp_path / "labels.csv")[0].items())[:3] == [("text", "river"), ("n", "1"), ("n_2", "2")]


ODD_FILES: dict[str, tuple[str, bytes, list[str], list[str]]] = {
    "UTF-16 with semicolons": (
        "posts.csv",
        "Text;n\nriver;1\nstone;2\n".encode("utf-16"),
        [],
        ["the encoding is utf-16", "the separator is a semicolon", "the column 'text' is 'Text'"],
    ),
    "several columns of text": ("posts.csv", b"title,body\nriver,x\n,\n", ["text_column=[title,body]"], []),
    "no names": ("posts.txt", b"1|river\n2|stone\n", ["header=[n,text]"], ["the separator is a pipe"]),
    "gzipped array": ("posts.json.gz", gzip.compress(b'[{"text": "river"}, {"text": "stone"}]'), [], []),
    "quotes of no fields": (
        "posts.tsv", b'text\tn\n"river\t1\nstone\t1\n', [], ["quotes enclose no fields (quoting=none)"],
    ),
    "one bad byte": (
        "posts.csv", b"text\nriv\xe9r\nstone\n", ["encoding_errors=cp1252"],
        ["1 line(s) have bytes that do not fit utf-8"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "words", "notes"), ODD_FILES.values(), ids=ODD_FILES)
def test_odd_file_is_labelled_and_its_oddities_are_named(
    command: Command, tmp_path: Path, name: str, content: bytes, words: list[str], notes: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    code, out, err = command("run=tiny", f"input={name}", "output=labels.csv", *words)
    assert (code, out) == (0, "")
    assert err.splitlines()[:-1] == [f"{name}: {note}" for note in notes]
    assert err.splitlines()[-1].startswith("2 texts in ")
    assert rows_of(tmp_path / "labels.csv")[0]["label"] in LABELS


NANOSECONDS = 1_600_000_000_123_456_789
TYPES: dict[str, tuple[pa.Array, object]] = {
    "timestamp": (pa.array([NANOSECONDS], pa.timestamp("ns")), "2020-09-13T12:26:40.123456789"),
    "with zone": (pa.array([NANOSECONDS], pa.timestamp("ns", "UTC")), "2020-09-13T12:26:40.123456789+00:00"),
    "microseconds": (pa.array([NANOSECONDS // 1000], pa.timestamp("us")), "2020-09-13T12:26:40.123456"),
    "time": (pa.array([123_456_789], pa.time64("ns")), "00:00:00.123456789"),
    "duration": (pa.array([123_456_789], pa.duration("ns")), "P0DT0H0M0.123456789S"),
    "date": (pa.array([18_000], pa.date32()), "2019-04-14"),
    "decimal": (pa.array([Decimal("1.10")]), "1.10"),
    "bytes": (pa.array([b"\xff"]), "/w=="),
    "category": (pa.array(["a"]).dictionary_encode(), "a"),
    "list": (pa.array([[NANOSECONDS]], pa.list_(pa.timestamp("ns"))), ["2020-09-13T12:26:40.123456789"]),
    "struct": (pa.array([{"at": 1}], pa.struct([("at", pa.time64("ns"))])), {"at": "00:00:00.000000001"}),
    "map": (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.timestamp("s"))), [["a", "1970-01-01T00:00:01"]]),
}


@pytest.mark.parametrize(("column", "text"), TYPES.values(), ids=TYPES)
def test_parquet_type_is_kept_and_has_a_text(command: Command, tmp_path: Path, column: pa.Array, text: object) -> None:
    pq.write_table(pa.table({"text": ["river"], "x": column}), tmp_path / "posts.parquet")
    assert command("run=tiny", "input=posts.parquet", "output=labels.jsonl")[0] == 0
    assert json.loads((tmp_path / "labels.jsonl").read_bytes())["x"] == text
    assert command("run=tiny", "input=posts.parquet", "output=labels.csv")[0] == 0
    written = rows_of(tmp_path / "labels.csv")[0]["x"]
    assert written == (text if isinstance(text, str) else json.dumps(text, separators=(",", ":")))
    assert command("run=tiny", "input=posts.parquet", "output=labels.parquet")[0] == 0
    read = pq.read_table(tmp_path / "posts.parquet")
    assert pq.read_table(tmp_path / "labels.parquet").select(["x"]).equals(read.select(["x"]))


def test_time_beyond_the_calendar_is_one_sentence(command: Command, tmp_path: Path) -> None:
    far = pa.array([10**18], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["river"], "x": far}), tmp_path / "posts.parquet")
    code, _, err = command("run=tiny", "input=posts.parquet", "output=labels.csv")
    assert (code, "has a value after row 0 that cannot be written as text" in err) == (1, True)
    assert command("run=tiny", "input=posts.parquet", "output=labels.parquet")[0] == 0
    assert pq.read_table(tmp_path / "labels.parquet").column("x").cast(pa.int64()).to_pylist() == [10**18]


@pytest.mark.parametrize("way", ["itself", "dots", "link", "hard link", "folder link", "stdin", "stdout"])
def test_input_is_never_overwritten(home: Path, tmp_path: Path, way: str) -> None:
    posts = a_table(tmp_path / "posts.csv", ["river"])
    before = posts.read_bytes()
    (tmp_path / "link.csv").symlink_to(posts)
    (tmp_path / "hard.csv").hardlink_to(posts)
    (tmp_path / "folder").symlink_to(tmp_path)
    names = {
        "dots": f"../{tmp_path.name}/./posts.csv",
        "link": "link.csv",
        "hard link": "hard.csv",
        "folder link": "folder/posts.csv",
    }
    words = {"stdin": ["input=-", "output=posts.csv"], "stdout": ["input=posts.csv"]}
    places = words.get(way, ["input=posts.csv", f"output={names.get(way, 'posts.csv')}"])
    with posts.open("ab" if way == "stdout" else "rb") as file:
        streams = {way: file.fileno()} if way in words else {}
        done = programs.run("mhc.predict", f"run={the_run(home)}", *places, cwd=tmp_path, **streams)
    assert (done.returncode, "is the input itself, which would be overwritten" in done.stderr) == (1, True)
    assert posts.read_bytes() == before


def test_labels_are_not_written_over_production(command: Command, home: Path, tmp_path: Path) -> None:
    a_table(tmp_path / "posts.csv", ["river"])
    output = home / "models" / "production" / "x" / "labels.csv"
    code, _, err = command("run=tiny", "input=posts.csv", f"output={output}")
    assert (code, "belongs to production" in err) == (1, True)


def test_text_of_five_megabytes_is_cut_and_counted(command: Command, tmp_path: Path) -> None:
    a_table(tmp_path / "posts.csv", ["river " * 900_000, "x" * 5_000_000, "lamp"])
    code, _, err = command("run=tiny", "input=posts.csv", "output=labels.csv")
    assert code == 0
    assert f"are longer than the {MAX_TOKENS} tokens" in err
    assert [len(row["text"]) for row in rows_of(tmp_path / "labels.csv")] == [5_400_000, 5_000_000, 4]


def test_byte_order_mark_and_other_encoding_are_read(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mark.csv").write_bytes(b"\xef\xbb\xbftext\nriver\n")
    (tmp_path / "old.csv").write_bytes("text\nd\u00e9j\u00e0\n".encode("windows-1252"))
    assert command("run=tiny", "input=mark.csv", "output=a.csv")[0] == 0
    assert command("run=tiny", "input=old.csv", "output=b.csv", "encoding=windows-1252")[0] == 0
    assert rows_of(tmp_path / "b.csv")[0]["text"] == "d\u00e9j\u00e0"


def test_help_has_every_key(command: Command) -> None:
    code, out, _ = command("--help")
    assert code == 0
    assert all(f"{key}=" in out for key in predict.KEYS)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_number_of_rows(home: Path, tmp_path: Path) -> None:
    def peak(rows: int) -> float:
        path = tmp_path / f"{rows}.csv"
        path.write_text("text\n" + "river stone cloud lamp chair green seven walks\n" * rows)
        code = (
            "import sys, resource; sys.argv = ['p', *sys.argv[1:]]\n"
            "from mhc.predict import main; main()\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        words = ["run=tiny", f"input={path}", f"output={tmp_path / 'out.csv'}", f"paths.outputs={home / 'outputs'}"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
        )
        return int(done.stdout) / 1024

    assert peak(60_000) - peak(10_000) < 30
