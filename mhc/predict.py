"""Label texts with a trained model: `python -m mhc.predict run=attention_v3 text="..."`, or a whole file.

From Python: `from mhc.predict import Predictor; labels, probabilities = Predictor.load(bundle="champion")(texts)`.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack

import numpy as np

from mhc.errors import BadConfig, BadInput
from mhc.hardware import reuse_memory
from mhc.inference import arguments, table_reader, table_writer
from mhc.inference.label_table import label_table, summary
from mhc.inference.predictor import Prediction, Predictor
from mhc.inference.progress import Progress
from mhc.inference.table_reader import STDIO, Table
from mhc.terminal import clean
from mhc.training import exit_codes

__all__ = ["Prediction", "Predictor"]

SUMMARY = """Label texts with a trained model.

  python -m mhc.predict run=attention_v3 text="I have not slept for days"
  python -m mhc.predict bundle=champion input=posts.csv output=labels.csv
  cat posts.jsonl | python -m mhc.predict bundle=champion input=- format=jsonl > labels.jsonl

The columns of the input are kept; label, confidence and probability_<label> are added (predicted_... where a column has
that name already). An empty text gets no label."""

KNOWN = {
    "run": "a run: its folder, or the beginning of its id",
    "bundle": "a bundle: its name, an alias such as champion, or its folder (with a slash)",
    "text": "one text, on the spot",
    "input": "a file of texts (.csv, .tsv, .jsonl, .parquet), or - for stdin",
    "output": "the file to write, or - for stdout [-]",
    "text_column": "the column of the texts [text]",
    "format": "of stdin and stdout: csv, tsv, jsonl, parquet [csv]",
    "encoding": "of a CSV or TSV file [utf-8]",
    "abstain_below": "give no label where the confidence is below this number; says so in the column abstained",
    "precision": "fp32, bf16, or auto: bf16 where the hardware has it [auto]",
    "device": "auto, cpu, cuda, mps [auto]",
    "batch_tokens": "tokens of a batch, padding included [what suits the device]",
    "paths.outputs": "folder of the runs [outputs]",
    "paths.models": "folder of the bundles [models]",
}
BROKEN_PIPE = 141
"""What a shell reports of a program that SIGPIPE ended: the reader (`head`) had enough."""


def main() -> None:
    """Do as the command line says."""
    words = sys.argv[1:]
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(arguments.usage(SUMMARY, KNOWN) + "\n")
        return
    try:
        values = arguments.parse(words, KNOWN)
        arguments.one_of(values, "run", "bundle")
        whole_table = arguments.one_of(values, "text", "input") == "input"
        threshold = arguments.number(values, "abstain_below", 0, 1)
        arguments.number(values, "batch_tokens", 1, 10_000_000)
        formats = formats_of(values) if whole_table else ("", "")
    except BadConfig as error:
        sys.exit(exit_codes.say(str(error), 2))
    try:
        label_rows(values, threshold, *formats) if whole_table else say_label(values, threshold)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)


def formats_of(values: dict[str, str]) -> tuple[str, str]:
    """Return the formats of input and output; `format=` is about stdin and stdout only.

    Raises:
        BadConfig: one of them is not known.
    """
    source, target, said = values["input"], values.get("output", STDIO), values.get("format")
    read = table_reader.format_of(said, source, "csv") if source == STDIO else table_reader.format_of(None, source)
    return read, table_reader.format_of(said, target, read) if target == STDIO else table_reader.format_of(
        None, target, read
    )


def say_label(values: dict[str, str], threshold: float | None) -> None:
    """Label one text and write its label and probabilities to stdout."""
    predictor = load(values)
    found = predictor.predict([values["text"]])
    if found.empty:
        raise BadInput('The text is empty. Say text="..." with at least one word')
    order = np.argsort(-found.probabilities[0])
    names = [clean(predictor.label_names[place]) for place in order]
    confidence = float(found.probabilities[0][order[0]])
    unsure = threshold is not None and confidence < threshold
    width = max(len(name) for name in names)
    lines = [f"no label: {names[0]} has only {confidence:.3f}, below {threshold:g}" if unsure else names[0]]
    lines += [
        f"  {name:<{width}}  {share:.3f}" for name, share in zip(names, found.probabilities[0][order], strict=True)
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    if found.truncated:
        exit_codes.say(
            f"The text is longer than the {predictor.encode.max_tokens} tokens that the model reads; it was cut.", 0
        )


def load(values: dict[str, str]) -> Predictor:
    """Return the model that was said."""
    return Predictor.load(
        run=values.get("run") or None,
        bundle=values.get("bundle") or None,
        outputs=values.get("paths.outputs") or os.environ.get("MHC_OUTPUTS") or "outputs",
        models=values.get("paths.models") or os.environ.get("MHC_MODELS") or "models",
        precision=values.get("precision", "auto"),
        device=values.get("device", "auto"),
        batch_tokens=int(float(values["batch_tokens"])) if "batch_tokens" in values else None,
    )


def label_rows(values: dict[str, str], threshold: float | None, read: str, write: str) -> None:
    """Label a table; input and output are opened before the model is loaded, so that what is wrong is said at once."""
    source, target = values["input"], values.get("output", STDIO)
    column = values.get("text_column", "text")
    started = time.monotonic()
    with ExitStack() as stack:
        table: Table = stack.enter_context(table_reader.opened(source, read, values.get("encoding", "utf-8")))
        table_reader.check_column(table, column)
        reuse_memory()
        file = stack.enter_context(table_writer.opened(target))
        predictor = load(values)
        visible = sys.stderr.isatty() and not (target == STDIO and sys.stdout.isatty())
        bar = stack.enter_context(Progress(visible))
        tally = label_table(predictor, table, column, file, write, threshold, bar)
    exit_codes.say(summary(tally, time.monotonic() - started, predictor.encode.max_tokens, threshold), 0)


if __name__ == "__main__":
    exit_codes.leave(main)
