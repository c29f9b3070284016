"""Credentials are masked wherever a text is written; nothing else is."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from mhc import redaction
from mhc.redaction import MASK

CREDENTIALS = {
    "an override": ("+logger.wandb.api_key=abc", f"+logger.wandb.api_key={MASK}"),
    "a quoted override": ("tracker.password='a b c'", f"tracker.password={MASK}"),
    "a number": ("tracker.password=123456", f"tracker.password={MASK}"),
    "a value of a mapping": ("wandb={api_key:abc123,offline:true}", f"wandb={{api_key:{MASK},offline:true}}"),
    "user and password": ("x=https://ada:pw@host/models", f"x=https://{MASK}@host/models"),
    "a token as user": ("git clone https://ghs@host/x", f"git clone https://{MASK}@host/x"),
    "an address that became a path": ("/w/https:/ada:pw@host/x: missing", f"/w/https:/{MASK}@host/x: missing"),
    "a key of a bucket": ("s3://AK:secret@bucket/x", f"s3://{MASK}@bucket/x"),
    "a query": ("GET https://host/x?a=1&sig=abc&b=2", f"GET https://host/x?a=1&sig={MASK}&b=2"),
    "a header": ("Authorization: Bearer abc123abc123abc", f"Authorization: Bearer {MASK}"),
    "AWS": ("the key AKIAIOSFODNN7EXAMPLE", f"the key {MASK}"),
    "GitHub": ("x ghp_abcdefghijklmnopqrstuvwxyz0123456789 y", f"x {MASK} y"),
    "Hugging Face": ("x hf_abcdefghijklmnopqrstuvwxyzABCDEFGH y", f"x {MASK} y"),
    "Slack": ("xoxb-123456789012-abcdefghijklmno", MASK),
    "Stripe": ("sk_live_0123456789abcdefghijklmn", MASK),
    "a JSON web token": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVm", MASK),
    "prose": ("the password: hunter2 works", f"the password: {MASK} works"),
}  # fmt: skip

HARMLESS = [
    "data.batching.tokens=4096",
    "model.tokenizer.max_tokens=128",
    "tokenizer.pad_token=[PAD]",
    "logger.wandb.api_key=${oc.env:WANDB_API_KEY}",
    "see logger.wandb.api_key=${oc.env:WANDB_API_KEY}, please",
    "use_auth_token=true",
    "tracker.password=null",
    "a password: forgotten",
    "label=secret",
    "git clone ssh://git@host/x",
    "sqlite:///outputs/mlflow.db",
    "run attention_20261120_120000_a1b2 of 0123456789abcdef0123456789abcdef01234567",
    "sha256 e01bacb8950fff96f2fb413901e2ec58201a25c00ac858a022bf24eb3c78c9fe at 2026-11-20T12:00:00.123456Z",
    "ada@example.org wrote it",
]


@pytest.mark.parametrize(("word", "masked"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_credential_is_masked_once(word: str, masked: str) -> None:
    assert redaction.override(word) == masked
    assert redaction.override(masked) == masked


@pytest.mark.parametrize("word", HARMLESS)
def test_value_that_is_no_credential_stays(word: str) -> None:
    assert redaction.override(word) == word
    assert redaction.text(word) == word


def test_values_of_a_config_are_masked_by_their_keys() -> None:
    config = {
        "tracker": {"api_key": "a", "auth_token": ["b", "c"], "secret": {"any": 1}, "tokens": 5},
        "list": ["pwd=d"],
    }
    assert redaction.values(config) == {
        "tracker": {"api_key": MASK, "auth_token": [MASK, MASK], "secret": {"any": MASK}, "tokens": 5},
        "list": [f"pwd={MASK}"],
    }
    assert sorted(redaction.credentials(config)) == ["1", "a", "b", "c"]


def test_names_of_classes_are_no_keys_of_credentials() -> None:
    record = {"recall": {"password": 0.5, "secret": 0.25}}
    assert redaction.texts(record) == record


def test_code_keeps_its_lines_and_its_expressions() -> None:
    code = "+token = tokenizer.encode(text)\n+password = getpass()\n+api_key = 'planted'\n"
    assert redaction.code(code) == code.replace("planted", MASK)


def test_private_key_is_masked_line_by_line() -> None:
    diff = "+-----BEGIN RSA PRIVATE KEY-----\n+MIIplanted\n+planted==\n+-----END RSA PRIVATE KEY-----\n+x = 1\n"
    masked = redaction.code(diff)
    assert "planted" not in masked
    assert (masked.count("\n"), masked[-8:]) == (diff.count("\n"), "\n+x = 1\n")


@pytest.mark.parametrize("word", ["/", "a1", "token", "http://", "eyJa", "token=", "://a:b"])
def test_hostile_text_takes_no_time(word: str) -> None:
    start = time.perf_counter()
    redaction.text(word * 50_000)
    assert time.perf_counter() - start < 5


def test_source_code_of_the_project_is_not_changed() -> None:
    root = Path(redaction.__file__).parent
    paths = [path for path in sorted(root.rglob("*.py")) if path.name != "redaction.py"]  # it has all the patterns
    assert [path.name for path in paths if redaction.code(path.read_text()) != path.read_text()] == []


def test_absolute_paths_are_cut_to_their_names() -> None:
    values = ["python", "/home/ada/x.py", "data.train=/home/a b/c.csv", "data.train=[/a/b/c.csv,~/d/e.csv]",
              'File "/usr/lib/x.py", line 3', "../data/x.csv", "and/or", "https://host/a/b/c", "n/a"]  # fmt: skip
    assert redaction.without_local_paths(values) == [
        "python", ".../x.py", "data.train=.../c.csv", "data.train=[.../c.csv,.../e.csv]",
        'File ".../x.py", line 3', "../data/x.csv", "and/or", "https://host/a/b/c", "n/a",
    ]  # fmt: skip


def test_importing_it_imports_no_detector() -> None:
    code = "import sys, mhc.redaction; print(any('detect_secrets' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
