"""Words of the command line reach the reader as they are typed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from mhc.policy import CONF
from mhc.training.config import register_config
from mhc.training.override_errors import explain_word, unparsable_word

ROWS = 'Index,"message, to = examine",label (depression result)\n0,first text,low\n1,second text,calm\n'


def read(folder: Path, *words: str) -> dict[str, list[tuple[str, str]]]:
    """Return the rows by split."""
    register_config()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=["data=files", *words])
    raw = instantiate(cfg.data.source, _convert_="all").read(folder)
    return {name: list(zip(rows.texts, rows.labels, strict=True)) for name, rows in raw.splits.items()}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_names_that_need_quotes_get_a_line_to_paste(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / f"20_odd 'names' (v2), {'long ' * 20}final=1 \u4eca\u65e5.csv"
    path.write_text(ROWS)
    typed = [f"data.train={path}", "data.text=message, to = examine", "data.label=label (depression result)"]
    assert [word for word in typed if unparsable_word([word])] == typed
    lines = [explain_word(word).partition("type: ")[2] for word in typed]
    done = subprocess.run(
        [shell, "-c", f"printf '%s\\n' {' '.join(lines)}"], capture_output=True, text=True, check=True
    )
    assert read(tmp_path, *done.stdout.splitlines())["train"] == [("first text", "low"), ("second text", "calm")]


@pytest.mark.parametrize(
    ("content", "words", "rows"),
    [
        ("Title;Body;Y\na;b;low\n", ["data.text=[title,body]", "data.label=y"], [("a\nb", "low")]),
        ("a|low\n", ["data.header=[text,label]", "data.separator=pipe"], [("a", "low")]),
        ('"a\tlow\n', ["data.header=[text,label]", "data.quoting=none", 'data.separator="\t"'], [('"a', "low")]),
        ("0,1\na,low\n", ["data.text=0", "data.label=1"], [("a", "low")]),
    ],
    ids=["joined", "header", "tab", "numbers"],
)
def test_words_reach_the_reader(tmp_path: Path, content: str, words: list[str], rows: list[tuple[str, str]]) -> None:
    (tmp_path / "posts.csv").write_text(content)
    assert read(tmp_path, f"data.train={tmp_path / 'posts.csv'}", *words)["train"] == rows


def test_words_name_the_columns_of_one_split(tmp_path: Path) -> None:
    (tmp_path / "dev.tsv").write_text("Text data\tLabel\na\tlow\n")
    (tmp_path / "test.tsv").write_text("text data\tClass labels\nb\tcalm\n")
    files = [f"data.train={tmp_path / 'dev.tsv'}", f"data.test={tmp_path / 'test.tsv'}"]
    rows = read(tmp_path, *files, "data.text=Text data", "data.columns.test.label=Class labels")
    assert rows == {"train": [("a", "low")], "test": [("b", "calm")]}
