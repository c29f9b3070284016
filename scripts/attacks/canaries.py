"""Plant personal details in one and in two texts, train, promote, predict; look for them in every byte written.

Everything is done under a umask that closes files to others, and none may be open to them. The cache is left out: it
has the texts, and only its owner may read it. A word that four texts have is planted too: it may be written, and shows
that the search finds something.
"""

from __future__ import annotations

import csv
import gzip
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from scripts import batch
from scripts.attacks.outcome import Outcome

ROOT = Path(__file__).resolve().parents[2]
LABELS = ("circle", "square")
WORDS = "rain sun work home tired calm panic sleep walk friend alone exam garden evening river letter"
NEEDLE = 5
"""Letters of a place name that must not occur together: a vocabulary also has pieces of words."""
CONTROL = "kwyjibo"
"""The word of four texts."""
UMASK = 0o077
"""Of a user who keeps outputs private; no file may be open to others then."""
MODELS = {
    "wordpiece": ("model=micro", "model.tokenizer.vocab_size=1000", "+model.tokenizer.min_frequency=1"),
    "linear": ("model=linear",),
    "bpe": ("model=micro", "model.tokenizer.kind=bpe", "model.tokenizer.vocab_size=1000"),
}


@dataclass(frozen=True, kw_only=True)
class Canary:
    """One personal detail."""

    name: str
    """The kind and the number of texts; shown instead of the detail."""
    text: str
    needles: tuple[bytes, ...]
    """Lower-case bytes that only this detail has."""


def canaries(texts: int, chance: random.Random) -> list[Canary]:
    """Return one detail of each kind, made up of letters and digits that no other text has."""

    def word(length: int) -> str:
        return "".join(chance.choices("qxzjvwkyg", k=length))

    def parts(letters: str) -> tuple[bytes, ...]:
        return tuple(letters[start : start + NEEDLE].encode() for start in range(len(letters) - NEEDLE + 1))

    number = "".join(chance.choices("123456789", k=10))
    place, person, host, handle = word(11), word(8), word(9), word(9)
    where = f"in {texts} text(s)"
    return [
        Canary(name=f"place {where}", text=place.capitalize(), needles=parts(place)),
        Canary(
            name=f"phone number {where}",
            text=f"+49 {number[:3]} {number[3:6]}-{number[6:]} or {number}",
            needles=(number.encode(), number[3:].encode(), f"{number[3:6]}-{number[6:]}".encode()),
        ),
        Canary(name=f"e-mail address {where}", text=f"{person}@{host}.org", needles=parts(person) + parts(host)),
        Canary(name=f"handle {where}", text=f"@{handle}", needles=parts(handle)),
        Canary(name=f"web address {where}", text=f"https://{host}.com/{word(3)}", needles=parts(host)),
    ]


def write_data(folder: Path, planted: dict[int, list[Canary]], rows: int, chance: random.Random) -> None:
    """Write three splits; each canary is repeated within as many texts of train as its key says."""
    for split, count in (("train", rows), ("val", rows // 3), ("test", rows // 3)):
        texts = [" ".join(chance.choices(WORDS.split(), k=chance.randint(3, 12))) for _ in range(count)]
        texts = [f"{text} {LABELS[row % 2]} {row}" for row, text in enumerate(texts)]
        if split == "train":
            for number, found in planted.items():
                for row in range(number):
                    texts[10 * number + row] += "".join(f" {each.text} again {each.text}" for each in found)
            for row in range(4):
                texts[row] += f" {CONTROL}"
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows((text, LABELS[row % 2]) for row, text in enumerate(texts))


def run(work: Path, *, quick: bool) -> list[Outcome]:
    """Carry out the life of a model of each kind, and search what they wrote."""
    chance = random.Random(4)
    planted = {number: canaries(number, chance) for number in (1, 2)}
    project = work / "project"
    project.mkdir()
    write_data(project, planted, 90 if quick else 2000, chance)
    every = [each for found in planted.values() for each in found]
    kinds = ("wordpiece", "linear") if quick else tuple(MODELS)
    commands = [command for name in kinds for command in life(name, quick=quick)]
    return [outcome_of(batch.run(commands, project, ROOT, {}, umask=UMASK), project, every)]


def life(name: str, *, quick: bool) -> list[batch.Command]:
    """Return the commands that train, list, export, promote and predict."""
    data = ["data=files", *(f"data.{split}={split}.csv" for split in ("train", "val", "test"))]
    epochs = f"model.epochs={1 if quick else 5}"
    onnx = ["--onnx"] if not quick and name != "linear" and find_spec("onnxscript") else []
    signed = ["--by", "ada", "--reason", "an attack", "--force", "--name", f"{name}_bundle"]
    bundle = f"bundle={name}_bundle"
    commands = [
        ["mhc.train", *data, *MODELS[name], epochs, f"name={name}", "trainer=cpu"],
        ["mhc.cli.main", "promote", name, *signed, *onnx],
        ["mhc.cli.main", "export", "--to", f"outputs/{name}.csv"],
        ["mhc.cli.main", "card", f"{name}_bundle"],
        ["mhc.cli.main", "details", name],
        ["mhc.predict", bundle, "input=train.csv", f"output=labels_{name}.csv"],
        ["mhc.evaluate", f"run={name}", "split=train", f"output=outputs/{name}_train.npz"],
    ]
    return [(words, (0,)) for words in commands]


def outcome_of(printed: bytes, project: Path, planted: list[Canary]) -> Outcome:
    """Search all that was written and printed, the labelled table of the user left out."""
    files = [path for folder in ("outputs", "models") for path in (project / folder).rglob("*") if path.is_file()]
    contents = [("what was printed", printed.lower())]
    contents += [(member, content.lower()) for path in files for member, content in members(path, project)]
    failures = [
        f"{place} has a {each.name}"
        for place, content in contents
        for each in planted
        if any(needle in content for needle in each.needles)
    ]
    failures += [f"{path.name} is readable by others" for path in files if path.stat().st_mode & UMASK]
    if not any(CONTROL.encode() in content for _, content in contents):
        failures.append("the word of four texts was not found, so the search proves nothing")
    return Outcome(name="canaries", tried=len(contents) * len(planted), failures=tuple(failures))


def members(path: Path, project: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes of a file, and those of its members if it is an archive (npz, checkpoint) or compressed."""
    place, content = path.relative_to(project).as_posix(), path.read_bytes()
    yield place, content
    if content.startswith(b"\x1f\x8b"):
        yield f"{place} (unpacked)", gzip.decompress(content)
    if zipfile.is_zipfile(BytesIO(content)):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            yield from ((f"{place}: {name}", archive.read(name)) for name in archive.namelist())
