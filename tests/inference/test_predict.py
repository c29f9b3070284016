"""Labels come out in the order of the texts, the same whatever the batches, and what is wrong is said in a sentence."""

import csv
import json
import os
import subprocess
import sys
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
from tests.support.builders import LABELS
from tests.support.trained import MAX_TOKENS, a_bundle, a_table, a_trained_run, some_texts

ROOT = Path(__file__).resolve().parents[2]
SECRET = "unmistakable"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with one run, `tiny_...`, in outputs; nobody changes it."""
    place = tmp_path_factory.mktemp("home")
    a_trained_run(place / "outputs")
    return place


@pytest.fixture
def typed(home, tmp_path, monkeypatch, capsys):
    """Type words behind `python -m mhc.predict`, in an empty folder; gives (code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MHC_OUTPUTS", str(home / "outputs"))
    monkeypatch.setenv("MHC_MODELS", str(home / "models"))

    def type_in(*words):
        monkeypatch.setattr(sys, "argv", ["mhc.predict", *map(str, words)])
        code = exit_codes.code_of(predict.main)
        return code, *capsys.readouterr()

    return type_in


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def alone(run, text):
    """What the network says of one text, asked in the plainest way: [k]."""
    loaded = from_run(run)
    tokens = loaded.tokenizer(text, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
    with torch.inference_mode():
        output = loaded.network(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
    return output.logits.softmax(1)[0].numpy()


def the_run(home):
    return next((home / "outputs").iterdir())


def test_every_text_gets_what_the_network_says_of_it_alone(home):
    texts = some_texts(60)
    labels, found = Predictor.load(run=the_run(home), precision="fp32")(texts)
    wanted = np.array([alone(the_run(home), text) for text in texts])
    assert abs(found - wanted).max() < 1e-5
    assert labels == [LABELS[best] for best in wanted.argmax(axis=1)]


@pytest.mark.parametrize("batch_tokens", [1, 40, 100_000])
def test_the_size_of_the_batches_changes_nothing(home, batch_tokens):
    texts = some_texts(40)
    wanted = Predictor.load(run=the_run(home), precision="fp32")(texts)
    found = Predictor.load(run=the_run(home), precision="fp32", batch_tokens=batch_tokens)(texts)
    assert found[0] == wanted[0]
    assert abs(found[1] - wanted[1]).max() < 1e-5


def test_bfloat16_stays_within_a_hundredth(home):
    texts = some_texts(100)
    wanted = Predictor.load(run=the_run(home), precision="fp32")(texts)[1]
    assert abs(Predictor.load(run=the_run(home), precision="bf16")(texts)[1] - wanted).max() < 1e-2


def test_the_pipeline_of_transformers_says_the_same_of_a_bundle(home, tmp_path):
    from transformers import pipeline

    folder = a_bundle(tmp_path / "bundle", the_run(home))
    texts = some_texts(30)
    classifier = pipeline("text-classification", model=str(folder), top_k=None, truncation=True, batch_size=8)
    labels, found = Predictor.load(bundle=folder, precision="fp32")(texts)
    for said, label, row in zip(classifier(texts), labels, found, strict=True):
        scores = {each["label"]: each["score"] for each in said}
        assert max(scores, key=scores.get) == label
        assert abs(np.array([scores[name] for name in LABELS]) - row).max() < 1e-5


def test_an_empty_text_gets_no_label_and_the_others_theirs(home):
    predictor = Predictor.load(run=the_run(home), precision="fp32")
    labels, found = predictor(["river stone", " \n\u200b", "lamp"])
    assert labels[1] == ""
    assert np.isnan(found[1]).all()
    assert abs(found[[0, 2]] - predictor(["river stone", "lamp"])[1]).max() < 1e-6
    assert predictor([])[1].shape == (0, 4)


def test_a_model_is_a_run_or_a_bundle_and_not_both(home):
    for both in ({}, {"run": "a", "bundle": "b"}):
        with pytest.raises(BadConfig, match="Say one of run= and bundle="):
            Predictor.load(**both)


def test_one_text_is_labelled_on_the_spot(typed, home):
    code, out, err = typed("run=tiny", "text=river stone cloud", "precision=fp32")
    wanted = alone(the_run(home), "river stone cloud")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == LABELS[wanted.argmax()]
    assert dict(line.split() for line in lines[1:]) == {
        name: f"{share:.3f}" for name, share in zip(LABELS, wanted, strict=True)
    }


def test_a_file_keeps_its_columns_and_its_order(typed, home, tmp_path):
    texts = some_texts(50)
    a_table(tmp_path / "posts.csv", texts, author=[f"a,{n}" for n in range(50)])
    code, out, err = typed("run=tiny", "input=posts.csv", "output=labels.csv", "precision=fp32")
    rows = rows_of(tmp_path / "labels.csv")
    assert (code, out) == (0, "")
    assert list(rows[0]) == ["id", "text", "author", "label", "confidence", *(f"probability_{name}" for name in LABELS)]
    assert [(row["id"], row["text"], row["author"]) for row in rows] == [
        (str(n), text, f"a,{n}") for n, text in enumerate(texts)
    ]
    wanted = Predictor.load(run=the_run(home), precision="fp32")(texts)
    assert [row["label"] for row in rows] == wanted[0]
    found = np.array([[float(row[f"probability_{name}"]) for name in LABELS] for row in rows])
    assert abs(found - wanted[1]).max() < 1e-5
    assert err.startswith("50 texts in ")
    assert f"longer than the {MAX_TOKENS} tokens" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "posts.csv"]


def test_chunks_of_a_large_table_change_nothing(typed, tmp_path, monkeypatch):
    a_table(tmp_path / "posts.csv", some_texts(50))
    typed("run=tiny", "input=posts.csv", "output=whole.csv", "precision=fp32")
    monkeypatch.setattr(label_table, "CHUNK_ROWS", 7)
    typed("run=tiny", "input=posts.csv", "output=chunks.csv", "precision=fp32")
    for whole, chunk in zip(rows_of(tmp_path / "whole.csv"), rows_of(tmp_path / "chunks.csv"), strict=True):
        assert whole["text"] == chunk["text"]
        assert float(whole["confidence"]) == pytest.approx(float(chunk["confidence"]), abs=1e-5)


def test_a_label_that_stands_there_is_kept_beside_the_predicted_one(typed, tmp_path):
    a_table(tmp_path / "posts.csv", ["river"], label=["normal"])
    typed("run=tiny", "input=posts.csv", "output=labels.csv")
    row = rows_of(tmp_path / "labels.csv")[0]
    assert row["label"] == "normal"
    assert row["predicted_label"] in LABELS


@pytest.mark.parametrize("written", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("read", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_goes_into_every_format(typed, tmp_path, read, written):
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
    code, _, err = typed("run=tiny", f"input=in.{read}", f"output=out.{written}")
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


def test_parquet_keeps_its_types(typed, tmp_path):
    when = pa.array([1, 2], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["river", None], "n": [1, None], "at": when}), tmp_path / "in.parquet")
    assert typed("run=tiny", "input=in.parquet", "output=out.parquet")[0] == 0
    schema = pq.read_schema(tmp_path / "out.parquet")
    assert (schema.field("n").type, schema.field("at").type) == (pa.int64(), pa.timestamp("us"))
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert (rows[1]["label"], rows[1]["confidence"], rows[1]["n"]) == (None, None, None)


def test_a_model_that_is_unsure_says_so_and_gives_no_label(typed, home, tmp_path):
    texts = some_texts(50)
    a_table(tmp_path / "posts.csv", texts)
    middle = float(np.median(Predictor.load(run=the_run(home), precision="fp32")(texts)[1].max(axis=1)))
    code, _, err = typed(
        "run=tiny", "input=posts.csv", "output=labels.csv", f"abstain_below={middle}", "precision=fp32"
    )
    rows = rows_of(tmp_path / "labels.csv")
    unsure = [row for row in rows if row["abstained"] == "true"]
    assert (code, len(unsure)) == (0, 25)
    assert all((float(row["confidence"]) < middle) == (row["abstained"] == "true") for row in rows)
    assert all((row["label"] == "") == (row["abstained"] == "true") for row in rows)
    assert "25 got no label, their confidence is below" in err
    assert typed("run=tiny", "text=river", "abstain_below=1")[1].startswith("no label: ")


def test_stdin_goes_to_stdout_through_a_real_pipe(home):
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


def test_labelling_imports_neither_lightning_nor_torchmetrics(home):
    code = (
        "import sys; from mhc.predict import Predictor\n"
        "assert 'torch' not in sys.modules\n"
        f"Predictor.load(run={str(the_run(home))!r})(['river'])\n"
        "print(sorted({'pytorch_lightning', 'torchmetrics', 'datasets', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_reader_that_has_enough_ends_it_quietly(home, tmp_path):
    a_table(tmp_path / "posts.csv", some_texts(3000, longest=3))
    command = (
        f"{sys.executable} -m mhc.predict run=tiny input={tmp_path / 'posts.csv'} paths.outputs={home / 'outputs'}"
        " | head -n 1; echo ${PIPESTATUS[0]}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] in ("141", "0")
    assert "bug" not in done.stderr


def bad(name, content):
    def make(folder):
        (folder / name).write_bytes(content)

    return make


WRONG_FILES = {
    "no file": (lambda folder: None, "posts.csv", "There is no file posts.csv"),
    "a folder": (
        lambda folder: (folder / "posts.csv").mkdir(),
        "posts.csv",
        "posts.csv cannot be read: Is a directory",
    ),
    "empty": (bad("posts.csv", b""), "posts.csv", "posts.csv has no rows"),
    "only names": (bad("posts.csv", b"text\n"), "posts.csv", "posts.csv has no rows"),
    "another column": (bad("posts.csv", b"body,n\na,1\n"), "posts.csv", "has no column 'text'. It has: body, n."),
    "names twice": (bad("posts.csv", b"text,text\na,b\n"), "posts.csv", "several columns named 'text'"),
    "ragged": (
        bad("posts.csv", b'text,n\n"a\nb",1\nunmistakable,2,3\n'),
        "posts.csv",
        "The row that ends at line 4 of posts.csv has 3 fields, but there are 2 columns",
    ),
    "open quote": (
        bad("posts.csv", b'text,n\nfine,1\n"unmistakable,1\n'),
        "posts.csv",
        "posts.csv is no CSV at line 3",
    ),
    "broken UTF-8": (
        bad("posts.csv", b"text\nfine\nunmistakable \xe9t\xe9\n"),
        "posts.csv",
        "posts.csv is not UTF-8 at line 3, byte 14 of it",
    ),
    "NUL": (bad("posts.csv", b"text\nunmistakable\0\n"), "posts.csv", "posts.csv has a NUL byte in line 2"),
    "UTF-16": (bad("posts.csv", "text\nunmistakable\n".encode("utf-16")), "posts.csv", "has a NUL byte in line 1"),
    "no JSON": (
        bad("posts.jsonl", b'{"text": "a"}\n{"text": "unmistakable"\n'),
        "posts.jsonl",
        "Line 2 of posts.jsonl is no JSON object",
    ),
    "JSON list": (bad("posts.jsonl", b'["unmistakable"]\n'), "posts.jsonl", "Line 1 of posts.jsonl is no JSON object"),
    "a number": (bad("posts.jsonl", b'{"text": 3}\n'), "posts.jsonl", "Row 1 of posts.jsonl has int instead of a text"),
    "no Parquet": (bad("posts.parquet", b"PAR1 unmistakable"), "posts.parquet", "is no Parquet file that can be read"),
    "another column later": (
        bad("posts.jsonl", b'{"text": "a"}\n{"text": "b", "label": "x"}\n'),
        "posts.jsonl",
        "Row 2 of posts.jsonl has a column 'label', which the first row has not",
    ),
}


@pytest.mark.parametrize(("make", "name", "sentence"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_file_that_cannot_be_read_is_said_so_without_its_text(typed, tmp_path, make, name, sentence):
    make(tmp_path)
    code, out, err = typed("run=tiny", f"input={name}", "output=labels.csv")
    assert (code, out) == (1, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert SECRET not in err
    assert not (tmp_path / "labels.csv").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rnu=tiny", "text=a"], "There is no key 'rnu'; did you mean 'run'"),
        (["run=tiny"], "Say text= or input="),
        (["text=a"], "Say run= or bundle="),
        (["run=tiny", "bundle=champion", "text=a"], "Say run= or bundle=, not 2 of them"),
        (["run=tiny", "text=a", "run=other"], "run= is said twice"),
        (["run=tiny", "unmistakable"], "is no key=value"),
        (["run=tiny", "text=a", "abstain_below=60%"], "abstain_below=60% has to be a number from 0 to 1"),
        (["run=tiny", "input=posts.doc"], "posts.doc does not say its format by a suffix"),
        (["run=tiny", "input=-", "format=excel"], "format=excel is none of csv, tsv, jsonl, parquet"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_slip_in_the_words_is_a_usage_error(typed, words, sentence):
    code, out, err = typed(*words)
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
        (["run=tiny", "input=posts.csv", "encoding=utf-7x"], "encoding=utf-7x is not one"),
    ],
    ids=lambda value: " ".join(value[:2] + value[-1:]) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_sentence(typed, tmp_path, words, sentence):
    a_table(tmp_path / "posts.csv", ["river"])
    (tmp_path / "folder.csv").mkdir()
    code, out, err = typed(*words)
    assert (code, out) == (1, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_a_full_disk_is_one_sentence(typed, tmp_path):
    a_table(tmp_path / "posts.csv", ["river"])
    (tmp_path / "labels.csv").symlink_to("/dev/full")
    code, _, err = typed("run=tiny", "input=posts.csv", "output=labels.csv")
    assert (code, err) == (1, "labels.csv cannot be written: No space left on device. Choose another output=\n")


def test_a_failure_in_the_middle_leaves_the_old_output_as_it_was(typed, tmp_path):
    (tmp_path / "labels.csv").write_text("old")
    (tmp_path / "posts.csv").write_bytes(b"text\n" + b"river\n" * 20_000 + b"a,b\n")
    code, _, err = typed("run=tiny", "input=posts.csv", "output=labels.csv")
    assert (code, "line 20002" in err) == (1, True)
    assert (tmp_path / "labels.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "posts.csv"]


def test_a_text_of_five_megabytes_is_cut_and_counted(typed, tmp_path):
    a_table(tmp_path / "posts.csv", ["river " * 900_000, "x" * 5_000_000, "lamp"])
    code, _, err = typed("run=tiny", "input=posts.csv", "output=labels.csv")
    assert code == 0
    assert f"are longer than the {MAX_TOKENS} tokens" in err
    assert [len(row["text"]) for row in rows_of(tmp_path / "labels.csv")] == [5_400_000, 5_000_000, 4]


def test_a_byte_order_mark_and_another_encoding_are_understood(typed, tmp_path):
    (tmp_path / "mark.csv").write_bytes(b"\xef\xbb\xbftext\nriver\n")
    (tmp_path / "old.csv").write_bytes("text\nd\u00e9j\u00e0\n".encode("windows-1252"))
    assert typed("run=tiny", "input=mark.csv", "output=a.csv")[0] == 0
    assert typed("run=tiny", "input=old.csv", "output=b.csv", "encoding=windows-1252")[0] == 0
    assert rows_of(tmp_path / "b.csv")[0]["text"] == "d\u00e9j\u00e0"


def test_help_names_every_key(typed):
    code, out, _ = typed("--help")
    assert code == 0
    assert all(f"{key}=" in out for key in predict.KNOWN)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_stream_of_many_rows_needs_no_more_memory(home, tmp_path):
    def peak(rows):
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

    assert peak(120_000) - peak(20_000) < 60
