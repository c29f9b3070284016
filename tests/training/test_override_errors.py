"""A word that Hydra's grammar does not take is answered with the quoted line to paste."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from mhc.policy import CONF
from mhc.training.config import register_config
from mhc.training.exit_codes import usage
from mhc.training.override_errors import with_quotes

NAMES = [
    "posts[1].csv", "a,b.csv", "x=y.csv", "{a}.csv", "posts (v2), final=1.csv", "it's.csv", 'say "hi".csv', "😀.csv",
    "a#b.csv", "日本語.csv", "a${b}.csv", "back\\slash.csv", "~/x.csv", "a b.csv", "$HOME `ls`.csv", "100%.csv",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_quoted_line_gives_the_name_in_a_shell(name: str) -> None:
    line = with_quotes(f"data.train={name}")
    assert line is not None
    [word] = shlex.split(line)
    printed = subprocess.run(["bash", "-c", f"printf %s {line}"], capture_output=True, text=True, check=True).stdout
    assert printed == word
    register_config()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        assert compose("train", overrides=["data=files", word]).data.train == name


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("data.train=posts[1].csv", "If it is one text, type: 'data.train=\"posts[1].csv\"'"),
        ("data.train=a,b.csv", "To run one job for each value, add --multirun"),
        ("model=3", "model takes the name of an option, not '3'. It has: baseline, embedding, large, linear"),
        ("data=null", "data takes the name of an option, not 'null'. It has: files, huggingface, synthetic"),
        ("=5", "'=5' cannot be composed"),
        ("name='", "If it is one text, type: "),
    ],
)
def test_word_that_cannot_be_composed_is_explained(
    word: str, sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["mhc.train", word])
    register_config()
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"), pytest.raises(Exception) as raised:  # noqa: PT011
        compose("train", overrides=[word])
    explanation = usage(raised.value)
    assert explanation is not None
    assert sentence in explanation
