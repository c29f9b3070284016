"""Take out of a bundle of an earlier version what must not leave this machine, with an entry in the ledger.

The entry has the new checksums, and is written first. If the process is killed before all files are written, the next
`mhc doctor --fix` writes the same content again: it depends on nothing but the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from msgspec import MsgspecError, json
from msgspec.structs import replace

from mhc import config_file, files, redaction, reduction, timestamps
from mhc.errors import Unreadable
from mhc.policy import PromotionPolicy
from mhc.production import bundle, change, decision, ledger, model_card, snapshot, state
from mhc.production.decision import PromotionRecord
from mhc.provenance import lineage
from mhc.record import RECORD_FILE, RunRecord, encode
from mhc.runs import atomic

Contents = Mapping[str, bytes | None]
"""The new content of files by name; None for a file that is deleted."""


def private_files(folder: Path) -> list[str]:
    """Return the names of the files of a bundle that hold what must not leave this machine."""
    return sorted(_contents(folder))


def is_interrupted(folder: Path, checksums: str) -> bool:
    """Return whether the files were masked, but not their checksums: the process was killed between the two."""
    try:
        return not _contents(folder) and _sealed(folder, {}) != files.read(folder / bundle.CHECKSUMS) and (
            hashlib.sha256(_sealed(folder, {})).hexdigest() == checksums
        )  # fmt: skip
    except OSError:
        return False


def redact(models: Path, name: str, policy: PromotionPolicy) -> None:
    """Rewrite the private files of a bundle, and record its new checksums in the ledger.

    Raises:
        Unreadable: if the bundle is not as it was promoted, or the ledger does not agree with the models folder.
        BadInput: if a file cannot be written.
    """
    now, folder = timestamps.now(), models / bundle.FOLDER / name
    with change.changing(models, now) as writer:
        recorded = state.fold(writer.entries).bundles[name]
        _remove_drafts(folder)
        contents = _contents(folder)
        sealed = _sealed(folder, contents)
        checksums = hashlib.sha256(sealed).hexdigest()
        if checksums != recorded.checksums:
            flaws = bundle.flaws(folder, recorded.checksums, without_weights=True)
            if flaws:
                raise Unreadable(f"{name} is not as it was promoted, so nothing of it is changed: {flaws[0]}")
            why = f"credentials, uncommitted changes and local paths were masked in {', '.join(sorted(contents))}"
            entry = replace(ledger.draft("redacted", "mhc", why), bundle=name, task=recorded.task, checksums=checksums)
            writer.append(entry, now)
        for path, content in contents.items():
            if content is None:
                (folder / path).unlink()
            else:
                atomic.write(folder / path, content)
        atomic.write(folder / bundle.CHECKSUMS, sealed)
        snapshot.write(models, writer.entries, policy, f"Mask what is private in {name}")


def _remove_drafts(folder: Path) -> None:
    """Remove the drafts that an earlier call left when it was killed; under the lock no other process writes one."""
    for name in (*_REWRITTEN, bundle.CHECKSUMS):
        for draft in folder.glob(f".{name}.*"):
            draft.unlink()


def _contents(folder: Path) -> Contents:
    """Return the private files with their new content."""
    contents: dict[str, bytes | None] = {}
    try:
        with files.reading(folder):
            record = json.decode(files.read(folder / RECORD_FILE), type=RunRecord)
            promotion = json.decode(files.read(folder / bundle.PROMOTION), type=PromotionRecord)
            clean, shown = reduction.cleaned(record), reduction.cleaned(promotion)
            if clean != record or record.lineage.git_diff:
                contents[RECORD_FILE] = encode(reduction.reduced(record))
            if shown != promotion:
                contents[bundle.PROMOTION] = decision.encode(shown)
            if _has_private_text(files.read(folder / bundle.CARD).decode()):
                contents[bundle.CARD] = model_card.render(shown, reduction.reduced(record)).encode()
            contents |= _config(folder)
    except (Unreadable, FileNotFoundError, MsgspecError):
        return {}
    return contents | ({lineage.DIFF: None} if (folder / lineage.DIFF).exists() else {})


def _has_private_text(card: str) -> bool:
    """Return whether a model card has something to mask; its escapes are ignored."""
    plain = card.replace("\\", "").replace("\u200b", "")
    return redaction.text(plain) != plain or redaction.without_local_paths(plain.splitlines()) != plain.splitlines()


def _config(folder: Path) -> Contents:
    try:
        text = files.yaml_text(folder / bundle.CONFIG)
    except FileNotFoundError:
        return {}
    reduced = reduction.reduced_config(text)
    return (
        {} if config_file.plain_values(reduced) == config_file.plain_values(text) else {bundle.CONFIG: reduced.encode()}
    )


def _sealed(folder: Path, contents: Contents) -> bytes:
    """Return the content of checksums.sha256 for the new contents: the recorded lines with new hashes."""
    lines = []
    for line in files.read(folder / bundle.CHECKSUMS).decode("utf-8", "replace").splitlines():
        path = line.partition("  ")[2]
        content = contents.get(path, b"")
        if path not in contents and path not in _REWRITTEN:
            lines.append(line)
        elif content is not None and (folder / path).exists():
            content = content or files.read(folder / path)
            lines.append(f"{hashlib.sha256(content).hexdigest()}  {path}")
    return "".join(f"{line}\n" for line in lines).encode()


_REWRITTEN = (RECORD_FILE, bundle.PROMOTION, bundle.CARD, bundle.CONFIG, lineage.DIFF)
