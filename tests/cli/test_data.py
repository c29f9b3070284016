"""`mhc data`: tables, JSON and a page that show defects and the command to type, and no text of a row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Answer, Screen

CANARY = "the quick canary"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [f"{CANARY} sang in garden {row} for {row} hours,{'sad' if row % 2 else 'ok'}" for row in range(60)]
    path = tmp_path / "posts.csv"
    path.write_text("\n".join(["post,mood", *rows, rows[3], f"{CANARY} &amp; I,ok"]) + "\n")
    return path


def test_defects_and_the_command_are_shown_last(mhc: Callable[..., Answer], file: Path) -> None:
    answer = mhc("data", str(file), "--no-suspects")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[-1] == (
        f"python -m mhc.train data=files data.train={file} data.text=post data.label=mood"
    )
    assert "- train: 1 row with the text of an earlier row, left out of train" in answer.out
    assert "- train: 1 text with HTML entities or tags mended (data.cleaning.repair)" in answer.out
    assert CANARY not in answer.out


def test_json_has_every_count(mhc: Callable[..., Answer], file: Path) -> None:
    audit = json.loads(mhc("data", str(file), "--no-suspects", "--json").out)
    assert audit["roles"] == {"text": ["post"], "label": "mood", "author": None, "split": None}
    assert audit["splits"]["train"]["rows"] == 62
    assert {finding["what"]: finding["count"] for finding in audit["findings"]} == {"duplicates": 1, "markup": 1}
    assert sum(sum(labels.values()) for labels in audit["trained_on"].values()) == 61


def test_page_is_one_file_without_texts(mhc: Callable[..., Answer], file: Path, tmp_path: Path) -> None:
    page = tmp_path / "data.html"
    assert mhc("data", str(file), "--html", str(page)).code == 0
    content = page.read_text()
    assert "data.label=mood" in content
    assert CANARY not in content
    assert not any(word in content for word in ("<script", "http://", "https://"))


@pytest.mark.parametrize("words", [[], ["--json"]], ids=["tables", "JSON"])
@pytest.mark.parametrize("rows", [12, 60])
def test_texts_that_are_taken_for_labels_are_not_shown(
    mhc: Callable[..., Answer], tmp_path: Path, words: list[str], rows: int
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,note\n" + "".join(f"a longer text {row},my secret {row}\n" for row in range(rows)))
    answer = mhc("data", str(path), "--label", "note", *words)
    assert answer.code == 0
    assert "my secret" not in answer.out
    assert "the values of note are texts or ids" in answer.out


def test_texts_are_shown_on_a_terminal_only(mhc: Callable[..., Answer], file: Path) -> None:
    answer = mhc("data", str(file), "--show-texts")
    assert (answer.code, answer.out) == (2, "")
    assert "only on a terminal" in answer.err


def test_texts_of_suspect_rows_are_shown_on_a_terminal(terminal: Callable[..., Screen], tmp_path: Path) -> None:
    moods = {"sad": "tired alone night cry dark", "ok": "sunny lake picnic happy"}
    rows = [f"{moods[label]} number {row},{label}" for row in range(30) for label in moods]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,label", *rows, f"{CANARY} {moods['ok']},sad"]) + "\n")
    screen = terminal("data", str(path), "--show-texts", columns=160)
    assert (screen.code, CANARY in screen.text) == (0, True)
    assert CANARY not in terminal("data", str(path), columns=160).text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("a,b\n1,2\n2,3\n", "No column of"), ("text,label\n", "has column names but no rows"), ("", "is empty")],
    ids=["no texts", "no rows", "empty"],
)
def test_useless_file_is_one_sentence(mhc: Callable[..., Answer], tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    answer = mhc("data", str(path))
    assert (answer.code, answer.out) == (1, "")
    assert sentence in answer.err
