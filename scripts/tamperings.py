"""Ways to change a models folder behind mhc's back: ledger, registry.json, bundles and their anchors."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from mhc.production import bundle, ledger, state
from mhc.production.consistency import REGISTRY

Tampering = Callable[[Path], object]


def lines_of(models: Path) -> list[bytes]:
    """Return the lines of the ledger."""
    return (models / ledger.FILE).read_bytes().splitlines(keepends=True)


def write_lines(models: Path, lines: Sequence[bytes]) -> None:
    """Replace the ledger by these lines."""
    (models / ledger.FILE).write_bytes(b"".join(lines))


def cut(models: Path, count: int) -> None:
    """Cut the newest `count` entries off."""
    write_lines(models, lines_of(models)[:-count])


def rewrite(models: Path, number: int) -> None:
    """Give all entries after the first `number` another author, in a chain that is valid in itself."""
    entries = ledger.verified_entries(models)
    chain = entries[:number]
    for entry in entries[number:]:
        forged = replace(entry, by="eve", prev=chain[-1].hash if chain else ledger.START)
        chain.append(replace(forged, hash=ledger.digest(forged)))
    write_lines(models, [ledger.canonical(entry) + b"\n" for entry in chain])


def fresh_registry(models: Path) -> None:
    """Write the registry.json that fits the ledger as it is now."""
    (models / REGISTRY).write_bytes(state.snapshot(ledger.read(models).entries))


def folder(models: Path, number: int) -> Path:
    """Return the folder of one of the three bundles."""
    return models / bundle.FOLDER / f"strong_v{number}"


def edit_json(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the values of a JSON file."""
    values = json.loads(path.read_bytes())
    change(values)
    path.write_text(json.dumps(values))


def swap(models: Path) -> None:
    """Exchange the names of two bundles."""
    folder(models, 1).rename(models / "x")
    folder(models, 2).rename(folder(models, 1))
    (models / "x").rename(folder(models, 2))


def replace_by_link(path: Path, elsewhere: Path) -> None:
    """Move a file or folder, and leave a link to it."""
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def both(*steps: Tampering) -> Tampering:
    """Return a tampering of several steps."""
    return lambda models: [step(models) for step in steps]


def without_ledger(models: Path) -> None:
    """Remove the ledger."""
    (models / ledger.FILE).unlink()


def without_registry(models: Path) -> None:
    """Remove registry.json."""
    (models / REGISTRY).unlink()


def strange_bundle(models: Path) -> None:
    """Add an intact bundle that the ledger does not have."""
    shutil.copytree(folder(models, 1), models / bundle.FOLDER / "stranger")


def strange_folder(models: Path) -> None:
    """Add a folder that is no bundle."""
    (models / bundle.FOLDER / "stranger").mkdir()
    (models / bundle.FOLDER / "stranger" / "notes.txt").write_text("by hand")


LOST: dict[str, Tampering] = {
    "ledger: last line cut": lambda m: cut(m, 1),
    "ledger: five lines cut": lambda m: cut(m, 5),
    "ledger: all but the first line cut": lambda m: write_lines(m, lines_of(m)[:1]),
    "ledger: cut before the last bundle, registry rewritten": both(
        lambda m: write_lines(m, lines_of(m)[:1]), fresh_registry
    ),
    "ledger: last promotion cut, registry rewritten": both(lambda m: write_lines(m, lines_of(m)[:2]), fresh_registry),
    "ledger: emptied": lambda m: write_lines(m, []),
    "ledger: emptied, registry removed": both(lambda m: write_lines(m, []), without_registry),
    "ledger: removed": without_ledger,
    "ledger and registry removed": both(without_ledger, without_registry),
    "ledger removed, registry of an empty ledger": both(without_ledger, fresh_registry),
    "ledger and registry removed, anchors damaged": both(
        without_ledger,
        without_registry,
        lambda m: [(folder(m, n) / bundle.PROMOTION).write_text("{") for n in (1, 2, 3)],
    ),
    "ledger: first line cut": lambda m: write_lines(m, lines_of(m)[1:]),
    "ledger: line in the middle cut": lambda m: write_lines(m, lines_of(m)[:3] + lines_of(m)[4:]),
    "ledger: two lines swapped": lambda m: write_lines(m, [*lines_of(m)[:-2], *reversed(lines_of(m)[-2:])]),
    "ledger: line doubled": lambda m: write_lines(m, [*lines_of(m), lines_of(m)[-1]]),
    "ledger: byte flipped": lambda m: write_lines(m, [*lines_of(m)[:-1], lines_of(m)[-1].replace(b"ada", b"eve")]),
    "ledger: rewritten from the last line": lambda m: rewrite(m, len(lines_of(m)) - 1),
    "ledger: rewritten from the start": lambda m: rewrite(m, 0),
    "ledger: rewritten from the start, registry too": both(lambda m: rewrite(m, 0), fresh_registry),
    "ledger: random bytes": lambda m: write_lines(m, [os.urandom(300)]),
    "ledger: replaced by a folder": both(without_ledger, lambda m: (m / ledger.FILE).mkdir()),
    "registry: entries beyond the ledger": lambda m: edit_json(m / REGISTRY, lambda v: v.update(entries=99)),
    "registry: another head": lambda m: edit_json(m / REGISTRY, lambda v: v.update(head="f" * 64)),
    "anchor: an entry that never was": lambda m: edit_json(
        folder(m, 3) / bundle.PROMOTION, lambda v: v.update(ledger={"seq": 99, "head": "f" * 64})
    ),
    "bundle: unknown, complete": strange_bundle,
    "bundle: unknown, from another ledger": both(
        strange_bundle,
        lambda m: edit_json(
            m / bundle.FOLDER / "stranger" / bundle.PROMOTION,
            lambda v: v.update(ledger={"seq": 40, "head": "a" * 64}),
        ),
    ),
    "registry: removed": without_registry,
    "registry: not JSON": lambda m: (m / REGISTRY).write_text("{"),
    "registry: another champion": lambda m: (m / REGISTRY).write_bytes(
        (m / REGISTRY).read_bytes().replace(b'"champion": "strong_v2"', b'"champion": "strong_v1"')
    ),
}
"""No command may write anything."""

SEEN: dict[str, Tampering] = {
    "bundle: file removed": lambda m: (folder(m, 1) / bundle.CARD).unlink(),
    "bundle: file added": lambda m: (folder(m, 1) / "notes.txt").write_text("x"),
    "bundle: weights changed": lambda m: (folder(m, 2) / bundle.WEIGHTS).write_bytes(b"\0" * 64),
    "bundle: changed and sealed again": both(
        lambda m: (folder(m, 1) / "config.json").write_text("{}"), lambda m: bundle.seal(folder(m, 1))
    ),
    "bundle: removed": lambda m: shutil.rmtree(folder(m, 1)),
    "bundle: replaced by a link": lambda m: replace_by_link(folder(m, 1), m / "elsewhere"),
    "bundles: two swapped": swap,
    "production: folder by hand": strange_folder,
    "production: file by hand": lambda m: (m / bundle.FOLDER / "stranger").write_text("by hand"),
}
"""Commands may go on, but `mhc verify` must not forget it."""
