"""The data module, from files to batches."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from mhc.data import readers
from mhc.data.batch_loader import BatchLoader
from mhc.data.datamodule import TextDataModule
from mhc.data.sources import Files, HuggingFace

Make = Callable[..., TextDataModule]
MakeCsv = Callable[..., Path]

ROWS = [(f"text number {row} " + "word " * (row % 25), "sad" if row % 3 else "glad") for row in range(90)]


def prepared(datamodule: TextDataModule) -> TextDataModule:
    datamodule.prepare()
    return datamodule


def texts_of(datamodule: TextDataModule) -> dict[str, list[str]]:
    return {name: list(datamodule.normalised_texts(name)) for name in datamodule.corpus.splits}


def test_files_of_every_kind_give_the_same_rows(make_datamodule: Make, make_csv: MakeCsv, tmp_path: Path) -> None:
    table = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    paths = [make_csv("rows.csv", ROWS), tmp_path / "rows.tsv", tmp_path / "rows.jsonl", tmp_path / "rows.parquet"]
    paths[1].write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS), encoding="utf-8")
    lines = "\n".join(json.dumps({"text": text, "label": label, "other": [1]}) for text, label in ROWS)
    paths[2].write_text(lines, encoding="utf-8")
    pq.write_table(pa.table(table), paths[3])
    texts_by_kind = [texts_of(prepared(make_datamodule(path))) for path in paths]
    assert texts_by_kind[0] == texts_by_kind[1] == texts_by_kind[2] == texts_by_kind[3]
    assert sorted(text for texts in texts_by_kind[0].values() for text in texts) == sorted(
        text.strip() for text, _ in ROWS
    )


def test_values_that_look_missing_are_unchanged(make_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [*ROWS, ("NA", "none"), ("null", "none"), ("nan", "none"), ("007", "none")]
    datamodule = prepared(make_datamodule(make_csv(rows=rows), splitting={"val": 0.0, "test": 0.0}))
    assert {"NA", "null", "nan", "007"} <= set(texts_of(datamodule)["train"])
    assert datamodule.labels == ["glad", "none", "sad"]


def test_byte_order_mark_is_not_part_of_a_column_name(make_datamodule: Make, tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS), encoding="utf-8-sig")
    assert prepared(make_datamodule(path)).labels == ["glad", "sad"]


def test_split_column_assigns_rows_to_splits(make_datamodule: Make, make_csv: MakeCsv) -> None:
    names = ("train", "Train", "validation", "test")
    rows = [(*row, names[number % 4]) for number, row in enumerate(ROWS)]
    path = make_csv(rows=rows, header=("text", "label", "part"))
    facts = prepared(make_datamodule(source=Files(train=str(path), split="part"))).facts()
    assert {name: split.rows for name, split in facts.splits.items()} == {"train": 46, "val": 22, "test": 22}
    assert set(facts.cut.values()) == {"given"}


def test_label_names_come_from_a_local_hugging_face_data_set(make_datamodule: Make, tmp_path: Path) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["sad", "glad"])}
    )
    table = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    rows = datasets.Dataset.from_dict(table, features=features)
    datasets.DatasetDict({"train": rows, "held": rows.select(range(2))}).save_to_disk(str(tmp_path / "hub"))
    datamodule = prepared(make_datamodule(source=HuggingFace(path=str(tmp_path / "hub"))))
    assert datamodule.labels == ["sad", "glad"]
    assert datamodule.facts().name == "hub"


def test_folder_of_files_is_a_data_set(make_datamodule: Make, make_csv: MakeCsv, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    make_csv("folder/train.csv", ROWS)
    make_csv("folder/test.csv", ROWS[:9])
    source = HuggingFace(path=str(tmp_path / "folder"), test="test")
    assert prepared(make_datamodule(source=source)).facts().cleaning == {"train_texts_in_test": 9}


def test_facts_count_every_step(make_datamodule: Make, make_csv: MakeCsv) -> None:
    rows = [*ROWS, ROWS[0], ("", "sad"), (ROWS[1][0], "glad")]
    rows = [(*row, f"author {number % 30}") for number, row in enumerate(rows)]
    test_rows = [("held out", "sad", "author 0"), ("held out too", "glad", "somebody"), (*ROWS[5], "somebody else")]
    header = ("text", "label", "author")
    train, test = make_csv(rows=rows, header=header), make_csv("test.csv", rows=test_rows, header=header)
    source = Files(train=str(train), test=str(test), group="author")
    facts = prepared(make_datamodule(source=source, high_risk=["sad"], near_duplicates=0.8)).facts()
    assert facts.cleaning == {
        "empty_texts": 1,
        "duplicates_in_train": 1,
        "conflicting_in_train": 2,
        "train_texts_in_test": 1,
    }
    assert facts.cut == {"train": "given", "test": "given", "val": "cut from train by hash of group"}
    assert facts.source == f"{train}, {test}"
    assert (facts.labels, facts.high_risk, facts.train_fraction) == (["glad", "sad"], ["sad"], 1.0)
    assert facts.splits["test"].shared_groups == 1
    assert facts.splits["val"].shared_groups == 0
    assert facts.splits["train"].rows + facts.splits["val"].rows == 88
    assert facts.splits["test"].near_duplicates is not None
    assert all(split.tokens and split.tokens > 0 for split in facts.splits.values())


def test_facts_have_the_share_of_train(make_datamodule: Make, make_csv: MakeCsv) -> None:
    facts = prepared(make_datamodule(make_csv(rows=ROWS), splitting={"train_fraction": 0.5})).facts()
    assert 0.45 <= facts.train_fraction <= 0.55


def test_next_run_reads_from_the_cache(make_datamodule: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepared(make_datamodule())
    monkeypatch.setattr(readers, "file_rows", lambda *_: pytest.fail("read again"))
    second = prepared(make_datamodule(seed=2))
    assert second.facts() == first.facts()
    assert texts_of(second) == texts_of(first)


def test_changed_contents_are_read_again(make_datamodule: Make, make_csv: MakeCsv) -> None:
    first = prepared(make_datamodule(make_csv(rows=ROWS))).facts()
    second = prepared(make_datamodule(make_csv(rows=[*ROWS, ("one more", "sad")]))).facts()
    assert first.splits["train"].fingerprint != second.splits["train"].fingerprint


def test_changed_contents_with_the_same_stat_are_read_again(make_datamodule: Make, make_csv: MakeCsv) -> None:
    path = make_csv(rows=ROWS)
    before = path.stat()
    first = texts_of(prepared(make_datamodule(path)))
    path.write_bytes(path.read_bytes().replace(b"number 7 ", b"number X "))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    second = texts_of(prepared(make_datamodule(path)))
    assert any("number X" in text for texts in second.values() for text in texts)
    assert not any("number X" in text for texts in first.values() for text in texts)


def test_cached_data_needs_neither_datasets_nor_pandas(
    make_datamodule: Make, make_csv: MakeCsv, tmp_path: Path
) -> None:
    path = make_csv(rows=ROWS)
    prepared(make_datamodule(path))
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import warnings; warnings.simplefilter("ignore")
from conftest import BATCHING, CLEANING, SPLITTING, TOKENIZER
from mhc.data.datamodule import TextDataModule
from mhc.data.sources import Files
datamodule = TextDataModule(source=Files(train={str(path)!r}), cleaning=CLEANING, splitting=SPLITTING,
    batching=BATCHING, tokenizer=TOKENIZER, cache_dir={str(tmp_path / "cache")!r}, seed=1)
datamodule.prepare()
assert next(iter(datamodule.train_dataloader()))
imported = {{"datasets", "pandas", "datasketch"}} & set(sys.modules)
assert not imported, imported
"""
    process = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


def prepare_together(datamodule: TextDataModule, start: multiprocessing.synchronize.Barrier) -> None:
    start.wait()
    datamodule.prepare()
    assert sum(len(batch["rows"]) for batch in datamodule.train_dataloader()) == len(datamodule.label_ids("train"))


def test_four_jobs_of_a_sweep_prepare_at_once(make_datamodule: Make, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(4)
    jobs = [context.Process(target=prepare_together, args=(make_datamodule(), start)) for _ in range(4)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(120)
    assert [job.exitcode for job in jobs] == [0] * 4
    for kind in ("corpora", "tokenizers", "tokens"):
        assert len([path for path in (tmp_path / "cache" / kind).iterdir() if path.is_dir()]) == 1


def rebuilt(loader: BatchLoader, datamodule: TextDataModule) -> dict[int, list[int]]:
    """Return the ids of each row, collected from the batches."""
    rows = {}
    for batch in loader:
        for number, ids, mask in zip(batch["rows"], batch["input_ids"], batch["attention_mask"], strict=True):
            assert (ids[mask == 0] == datamodule.pad_id).all()
            rows[int(number)] = ids[mask == 1].tolist()
    return rows


@pytest.mark.parametrize("prefetch", [0, 3])
def test_batches_have_the_ids_of_their_rows(make_datamodule: Make, prefetch: int) -> None:
    datamodule = prepared(make_datamodule(batching={"prefetch": prefetch}))
    texts = list(datamodule.normalised_texts("train"))
    expected = datamodule.tokenizer(texts, truncation=True, max_length=32)["input_ids"]  # type: ignore[operator]
    assert rebuilt(datamodule.train_dataloader(), datamodule) == dict(enumerate(expected))


def test_batch_has_the_documented_types(make_datamodule: Make) -> None:
    batch = next(iter(prepared(make_datamodule()).val_dataloader()))
    assert {name: (tensor.dtype, tensor.dim()) for name, tensor in batch.items()} == {
        "input_ids": (torch.int64, 2),
        "attention_mask": (torch.int64, 2),
        "labels": (torch.int64, 1),
        "rows": (torch.int64, 1),
    }
    assert batch["input_ids"].shape[1] % 8 == 0


def test_batches_of_ngrams_have_no_mask_and_pad_with_zero(make_datamodule: Make) -> None:
    datamodule = prepared(make_datamodule(tokenizer={"kind": "ngrams"}))
    batch = next(iter(datamodule.train_dataloader()))
    assert set(batch) == {"input_ids", "labels", "rows"}
    assert (datamodule.pad_id, datamodule.vocab_size) == (0, 500)
    lengths = datamodule.tokens["train"].lengths[batch["rows"].numpy()]
    assert torch.equal((batch["input_ids"] != 0).sum(1), torch.from_numpy(lengths))


def test_labels_and_counts_agree(make_datamodule: Make, make_csv: MakeCsv) -> None:
    datamodule = prepared(make_datamodule(make_csv(rows=ROWS)))
    ids = np.concatenate([batch["labels"].numpy() for batch in datamodule.train_dataloader()])
    assert np.bincount(ids).tolist() == datamodule.class_counts
    assert np.bincount(datamodule.label_ids("train")).tolist() == datamodule.class_counts


def test_order_of_batches_depends_on_the_epoch_only(make_datamodule: Make) -> None:
    datamodule = prepared(make_datamodule())

    def order(epoch: int) -> list[list[int]]:
        loader = datamodule.train_dataloader()
        loader.batch_sampler.sampler.set_epoch(epoch)
        return [batch["rows"].tolist() for batch in loader]

    assert order(3) == order(3)
    assert order(3) != order(4)
    assert len(order(3)) == len(datamodule.train_dataloader())


def test_epoch_that_ends_early_leaves_no_thread(make_datamodule: Make) -> None:
    import threading

    datamodule = prepared(make_datamodule(batching={"prefetch": 2}))
    batches = iter(datamodule.train_dataloader())
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]
