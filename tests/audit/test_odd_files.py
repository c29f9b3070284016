"""Files as people have them: each gets a command line that Hydra accepts and that gives the right rows."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from mhc.audit.examine import examine
from mhc.audit.findings import Audit
from mhc.audit.tables import Wishes
from mhc.data.corpus import Corpus
from mhc.evaluate import corpus_of
from mhc.policy import CONF

TEXTS = [f"I walked to the lake with friend {row} and came home at {row} o'clock" for row in range(80)]
LABELS = ["sad" if row % 2 else "ok" for row in range(80)]
NUMBERS = [str(row % 2) for row in range(80)]


@pytest.fixture
def hydra() -> Iterator[None]:
    GlobalHydra.instance().clear()
    yield
    GlobalHydra.instance().clear()


def audit_of(*paths: Path) -> Audit:
    return examine(paths, Wishes(), check_labels=False).audit


def trained(command: str, cache: Path) -> Corpus:
    """Return the data that the command trains on."""
    from mhc.training import config

    program, *words = shlex.split(command)[2:]
    assert program == "mhc.train"
    config.register_config()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=words)
    cfg.paths.cache = str(cache)
    return corpus_of(cfg, "train")


def rows_of(corpus: Corpus) -> int:
    return sum(facts.rows for facts in corpus.about.splits.values())


def write(path: Path, header: str, rows: list[str], encoding: str = "utf-8") -> Path:
    path.write_bytes("\n".join([header, *rows] if header else rows).encode(encoding) + b"\n")
    return path


PAIRS = list(zip(TEXTS, LABELS, strict=True))
PLAIN = [f"{text},{label}" for text, label in PAIRS]
VARIANTS = [line.upper().replace("SAD", "Sad") if row % 3 else line for row, line in enumerate(PLAIN)]
ODD = {
    "nameless index": ("a.csv", ",text,label", [f"{row},{text},{label}" for row, (text, label) in enumerate(PAIRS)]),
    "trailing comma": ("a.csv", "text,label,", [f"{text},{label}," for text, label in PAIRS]),
    "semicolons": ("a.csv", "Date;Body;Subreddit", [f"2020;{text};{label}" for text, label in PAIRS]),
    "numbers": ("a.csv", "text,label", [f"{text},{label}.0" for text, label in zip(TEXTS, NUMBERS, strict=True)]),
    "variants": ("a.csv", "text,label", VARIANTS),
    "pipes, no header": ("a.csv", "", [f"{text}|{label}" for text, label in PAIRS]),
    "odd names": ("odd (v2), final=1.csv", "message to examine,label (result)", PLAIN),
    "apostrophes": ("it's \"a\" $file.csv", "the 'text',my \"label\"", PLAIN),
    "words of Hydra": ("a.csv", "null,true", PLAIN),
    "missing labels": ("a.csv", "text,label", [*PLAIN, "one more,nan"]),
    "one lonely class": ("a.csv", "text,label", [*PLAIN, "one more,ptsd"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "header", "rows"), ODD.values(), ids=ODD)
@pytest.mark.usefixtures("hydra")
def test_odd_file_gets_a_command_that_trains(tmp_path: Path, name: str, header: str, rows: list[str]) -> None:
    audit = audit_of(write(tmp_path / name, header, rows))
    corpus = trained(audit.command, tmp_path / "cache")
    assert (audit.refusal, rows_of(corpus)) == ("", 80)
    assert {name: facts.labels for name, facts in corpus.about.splits.items()} == audit.trained_on


@pytest.mark.usefixtures("hydra")
def test_bytes_of_another_encoding_get_the_key(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label", [f"{text} caf\u00e9,{label}" for text, label in PAIRS], "cp1252")
    audit = audit_of(path)
    assert audit.command.endswith("data.encoding_errors=cp1252")
    assert "caf\u00e9" in next(trained(audit.command, tmp_path / "cache").texts("train"))


@pytest.mark.usefixtures("hydra")
def test_columns_that_differ_between_files_are_named(tmp_path: Path) -> None:
    dev = write(
        tmp_path / "dev.tsv", "PID\tText data\tLabel", [f"{i}\t{t}\t{label}" for i, (t, label) in enumerate(PAIRS)]
    )
    test = write(
        tmp_path / "test.tsv",
        "Pid\ttext data\tClass labels",
        [f"9{i}\tnew {t}\t{label}" for i, (t, label) in enumerate(PAIRS)],
    )
    audit = audit_of(dev, test)
    corpus = trained(audit.command, tmp_path / "cache")
    assert corpus.about.splits["test"].rows == 80
    assert "'data.columns.test.label=\"Class labels\"'" in audit.command


def findings(audit: Audit) -> dict[tuple[str, str], int]:
    return {(finding.what, finding.split): finding.count for finding in audit.findings}


def test_defects_are_counted_by_split(tmp_path: Path) -> None:
    rows = PLAIN
    train = write(
        tmp_path / "train.csv",
        "text,label",
        [*rows, rows[0], f"{TEXTS[1]},ok", "tea &amp; rain,ok", "caf\u00c3\u00a9,sad"],
    )
    test = write(
        tmp_path / "test.csv",
        "text,label",
        [
            rows[5].upper().replace("SAD", "sad").replace("OK", "ok"),
            "[removed],sad",
            "nan,ok",
            ",sad",
            *(["the same,ok"] * 4),
        ],
    )
    counts = findings(audit_of(train, test))
    expected = {
        ("duplicates", "train"): 2,
        ("conflicts", "train"): 1,
        ("markup", "train"): 1,
        ("mojibake", "train"): 1,
        ("empty_texts", "test"): 1,
        ("placeholders", "test"): 2,
        ("duplicates", "test"): 3,
        ("repeats", "test"): 4,
        ("in_train", "test"): 1,
    }
    assert {key: counts.get(key) for key in expected} == expected


def test_authors_on_both_sides_are_counted(tmp_path: Path) -> None:
    train = write(
        tmp_path / "train.csv",
        "author,text,label",
        [f"u{row % 10},{t},{label}" for row, (t, label) in enumerate(PAIRS)],
    )
    test = write(
        tmp_path / "test.csv",
        "author,text,label",
        [f"u{5 + row % 10},new {t},{label}" for row, (t, label) in enumerate(PAIRS)],
    )
    assert findings(audit_of(train, test))["authors_in_train", "test"] == 5


def test_no_text_is_in_the_audit(tmp_path: Path) -> None:
    import msgspec

    path = write(tmp_path / "a.csv", "text,label", PLAIN * 2)
    examined = examine([path], Wishes(), check_labels=True)
    assert b"walked" not in msgspec.json.encode(examined.audit)
    assert examined.text(str(path), 3) == TEXTS[2]


def test_swapped_labels_are_suspected(tmp_path: Path) -> None:
    sad, ok = (
        ["tired alone night cry dark", "hopeless empty heavy numb"],
        ["sunny lake picnic happy", "friends laugh music dance"],
    )
    rows = [f"{(sad if row % 2 else ok)[row % 4 // 2]} {TEXTS[row]} {row},{LABELS[row]}" for row in range(80)]
    rows[10], rows[33] = rows[10].replace(",ok", ",sad"), rows[33].replace(",sad", ",ok")
    check = examine([write(tmp_path / "a.csv", "text,label", rows)], Wishes(), check_labels=True).audit.labelling
    assert check is not None
    assert {(one.row, one.given, one.suspected) for one in check.worst} == {(11, "sad", "ok"), (34, "ok", "sad")}
