"""Find what earlier versions wrote and this one does not: credentials and data in runs, bundles and the ledger.

A credential that was on a disk must be revoked where it was issued; masking it keeps it from spreading further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from mhc import config_file, files, redaction, timestamps
from mhc.errors import Unreadable
from mhc.index import connection
from mhc.policy import LivenessPolicy, Policy, PromotionPolicy
from mhc.production import bundle, ledger, state
from mhc.provenance import lineage, uncommitted
from mhc.record import RECORD_FILE, Event, RunRecord, Status
from mhc.retention import bundle_redaction
from mhc.retention.doctor import Finding
from mhc.runs import atomic, folders, liveness, store

KIND = "private content"
LOGS = ("train.log", "traceback.txt")
CONFIGS = (".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml")
PLAN = "multirun.yaml"
SEARCHED = 64_000_000
"""Bytes of the largest other file that is searched for a credential of the config."""
SHORTEST = 6
"""Characters of a credential that is searched for; a shorter one occurs by chance."""


def find(outputs: Path, models: Path, policy: Policy) -> list[Finding]:
    """Return all findings, those of the runs first; a ledger that cannot be opened is a finding of others."""
    findings = list(of_runs(outputs, policy.liveness))
    with suppress(Unreadable):
        findings += of_production(models, policy.promotion)
    return findings


def of_runs(outputs: Path, policy: LivenessPolicy) -> Iterator[Finding]:
    """Yield the runs and the plans of sweeps that hold credentials, or the changes of files that may be data."""
    sweeps = set()
    for folder, _ in folders.iter_runs(outputs):
        sweeps.add(folder.parent)
        names = [*_changed_files(folder), *_other_files(folder)]
        if names:
            yield _finding(folder, outputs, names, policy)
    for sweep in sorted(sweeps):
        if _masked_config(sweep / PLAN):
            sentence = f"{sweep / PLAN} holds a credential; revoke it as well"
            yield Finding(KIND, sweep, sentence, partial(_mask_file, sweep / PLAN, _masked_config))


def of_production(models: Path, policy: PromotionPolicy) -> Iterator[Finding]:
    """Yield the bundles that hold what must not leave this machine, and the ledger's lines with credentials."""
    chain = ledger.read(models)
    for name, item in state.fold(chain.entries).bundles.items():
        names = bundle_redaction.private_files(models / bundle.FOLDER / name)
        if names or bundle_redaction.is_interrupted(models / bundle.FOLDER / name, item.checksums):
            sentence = f"The bundle {name} holds credentials, uncommitted changes or local paths: {', '.join(names)}"
            yield Finding(KIND, models / bundle.FOLDER / name, sentence,
                          partial(bundle_redaction.redact, models, name, policy))  # fmt: skip
    for entry in chain.entries:
        if ledger.masked(entry) != entry:
            yield Finding(
                KIND,
                models / ledger.FILE,
                f"Entry {entry.seq} of {models / ledger.FILE} holds a credential. No line of the chain can be changed, "
                "and registry.json repeats it; mhc history masks it. Revoke the credential where it was issued",
            )


def _finding(folder: Path, outputs: Path, names: list[str], policy: LivenessPolicy) -> Finding:
    sentence = f"{folder} holds credentials or changes of data files in {', '.join(names)}; revoke the credentials"
    record = _record(folder)
    if record and liveness.with_derived_status(record, folder, policy).status is Status.RUNNING:
        return Finding(KIND, folder, f"{sentence}. It can be masked when the run has ended")
    if not _changed_files(folder):
        return Finding(KIND, folder, f"{sentence}. Files of this kind cannot be masked: delete them, or purge the run")
    return Finding(KIND, folder, sentence, partial(_mask_run, folder, outputs, names))


def _changed_files(folder: Path) -> list[str]:
    """Return the names of the run's files that have something to mask."""
    record = _record(folder)
    names = [RECORD_FILE] if record and store.masked(record) != record else []
    return names + [name for name, mask in _masks().items() if mask(folder / name) is not None]


def _masks() -> dict[str, Callable[[Path], bytes | None]]:
    """Return the function of each file that returns its masked content, or None if there is nothing to mask."""
    return {
        **dict.fromkeys(CONFIGS, _masked_config),
        **dict.fromkeys(LOGS, _masked_log),
        lineage.DIFF: _masked_diff,
    }


def _mask_run(folder: Path, outputs: Path, names: list[str]) -> None:
    for name, mask in _masks().items():
        _mask_file(folder / name, mask)
    why = f"credentials and changes of data files were masked in {', '.join(names)}"
    event = Event(at=timestamps.format_time(timestamps.now()), what="redacted", by="doctor", why=why)
    if _record(folder):
        store.update(folder, store.masked, event)
    connection.remove(outputs)  # a copy of what the records were


def _mask_file(path: Path, mask: Callable[[Path], bytes | None]) -> None:
    content = mask(path)
    if content is not None:
        atomic.write(path, content)


def _masked_config(path: Path) -> bytes | None:
    try:
        with files.reading(path):
            text = files.yaml_text(path)
            masked = config_file.masked(text)
    except (FileNotFoundError, Unreadable):
        return None
    return None if masked == text else masked.encode()


def _masked_log(path: Path) -> bytes | None:
    content = _content(path)
    text = content.decode("utf-8", "surrogateescape")
    masked = redaction.text(text)
    return None if masked == text else masked.encode("utf-8", "surrogateescape")


def _masked_diff(path: Path) -> bytes | None:
    content = _content(path)
    masked = uncommitted.reduced(content)
    return None if masked == content else masked


def _other_files(folder: Path) -> list[str]:
    """Return the names of other files, such as event files of TensorBoard, that hold a credential of the config."""
    secrets = [secret.encode() for secret in _secrets(folder) if len(secret) >= SHORTEST]
    known = {RECORD_FILE, *_masks()}
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) if secrets else []
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return [
        name
        for name, path in names.items()
        if name not in known and any(secret in _content(path) for secret in secrets)
    ]


def _secrets(folder: Path) -> Iterator[str]:
    try:
        with files.reading(folder):
            yield from redaction.credentials(config_file.plain_values(files.yaml_text(folder / CONFIGS[0])))
    except (FileNotFoundError, Unreadable):
        return


def _content(path: Path) -> bytes:
    try:
        return files.read(path, SEARCHED, follow_links=False)
    except OSError:
        return b""


def _record(folder: Path) -> RunRecord | None:
    try:
        return store.read(folder)
    except Unreadable:
        return None
