"""A models folder with a linear bundle and an encoder of random weights, in a ledger: what a server predicts with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mhc.data.tfidf.learn import learned
from mhc.data.tfidf.tokenizer import TfidfTokenizer
from mhc.model.tfidf.model import TfidfModel, counts, rarity_of
from mhc.production import bundle, ledger, linear_bundle
from mhc.production.state import CHAMPION, task_of
from mhc.record import RECORD_FILE, encode
from tests.support.builders import LABELS, NOW, a_record, data_facts
from tests.support.trained import a_bundle, a_trained_run, some_texts

LINEAR, ENCODER = "words_v1", "network_v1"


def a_models_folder(folder: Path) -> Path:
    """Write `words_v1`, the champion, which mends texts, and `network_v1`, the challenger; return the models folder."""
    models = folder / "models"
    a_linear_bundle(models / bundle.FOLDER / LINEAR)
    run = a_trained_run(folder / "trained")
    a_bundle(models / bundle.FOLDER / ENCODER, run, temperature=1.4)
    promote(models, LINEAR, CHAMPION)
    promote(models, ENCODER, "challenger")
    return models


def a_linear_bundle(folder: Path, seed: int = 0) -> Path:
    """Write a sealed bundle of a linear model with the record of a run whose texts were masked and mended."""
    tokenizer = learned(
        TfidfTokenizer(ngrams=2, longest_piece=5, max_tokens=50, lowercase=True, split_digits=True, mask=True),
        some_texts(60, seed=3),
        None,
        min_texts=3,
    )
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder.parent / "vocabulary")
    ids, lengths, _ = tokenizer.encode(some_texts(60, seed=3))
    random = np.random.default_rng(seed)
    model = TfidfModel(
        weight=random.normal(size=(len(tokenizer), len(LABELS))).astype(np.float32),
        bias=random.normal(size=len(LABELS)).astype(np.float32),
        rarity=rarity_of(counts(ids, lengths, len(tokenizer))),
        first_piece=tokenizer.first_piece,
    )
    linear_bundle.write(model, folder.parent / "vocabulary", LABELS, folder, 0.8)
    shutil.rmtree(folder.parent / "vocabulary")
    facts = data_facts(masked=True, repaired=True, high_risk=[LABELS[-1]])
    (folder / RECORD_FILE).write_bytes(encode(a_record("words_20261120_120000_a1b2", data=facts)))
    bundle.seal(folder)
    return folder


def promote(models: Path, name: str, alias: str) -> None:
    """Enter a bundle into the ledger, as what the alias means from now on."""
    checksums = bundle.sha256(bundle.folder_of(models, name) / bundle.CHECKSUMS)
    run = "words_20261120_120000_a1b2"
    enter(models, "promoted", labels=list(LABELS), bundle=name, alias=alias, run=run, checksums=checksums)


def enter(models: Path, what: str, **fields: Any) -> None:
    """Append an entry about the task of `LABELS` to the ledger."""
    draft = msgspec.structs.replace(ledger.draft(what, "ada", "a test"), task=task_of(LABELS), **fields)
    with ledger.changing(models, NOW) as writer:
        writer.append(draft, NOW)
