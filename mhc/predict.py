"""Label texts with a trained model: `python -m mhc.predict run=attention_v3 text="..."`, or a whole file.

From Python: `from mhc.predict import Predictor; labels, probabilities = Predictor.load(bundle="champion")(texts)`.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np

from mhc.data.tables.options import Reading
from mhc.errors import BROKEN_PIPE, BadConfig, BadInput
from mhc.hardware import reuse_memory
from mhc.inference import arguments, table_reader, table_writer
from mhc.inference.label_table import label_table, summary
from mhc.inference.predictor import Prediction, Predictor
from mhc.inference.progress import ProgressBar
from mhc.inference.table import Table
from mhc.inference.table_reader import STDIO
from mhc.production.bundle import refuse_output
from mhc.terminal import clean
from mhc.training import exit_codes

__all__ = ["Prediction", "Predictor"]

SUMMARY = """Label texts with a trained model.

  python -m mhc.predict run=attention_v3 text="I have not slept for days"
  python -m mhc.predict bundle=champion input=posts.csv output=labels.csv
  cat posts.jsonl | python -m mhc.predict bundle=champion input=- format=jsonl > labels.jsonl

The output has the columns of the input, and label, confidence and probability_<label> (with the prefix predicted_ if
the input has a column of that name). An empty text gets no label."""

KEYS = {
    **arguments.MODEL_KEYS,
    "text": "one text to label",
    "input": "a file of texts (.csv, .tsv, .txt, .jsonl, .json, .parquet, .xlsx; .gz and others), or - for stdin",
    "output": "the file to write (.csv, .tsv, .jsonl, .parquet), or - for stdout [-]",
    "text_column": "column of the texts, or several that are joined, such as [title,selftext] [text]",
    "format": "of stdin and stdout: csv, tsv, jsonl, parquet [csv]",
    "separator": "of a CSV file: one character, or tab, comma, semicolon, pipe [found in the file]",
    "quoting": "of a CSV file: double, or none if quotes enclose no fields [found in the file]",
    "encoding": "of a file of text [UTF-8 or UTF-16]",
    "encoding_errors": "strict, replace or ignore, or the encoding of the bytes that do not fit [strict]",
    "header": "names of the columns of a file that has no line of names, such as [text,label]",
    "abstain_below": "give no label if the confidence is below this number; adds the column abstained",
    **arguments.HARDWARE_KEYS,
    "batch_tokens": "tokens of a batch, padding included [a number that suits the device]",
    **arguments.FOLDER_KEYS,
}


def main() -> None:
    """Run the command line."""
    words = sys.argv[1:]
    if arguments.asks_for_help(words):
        sys.stdout.write(arguments.usage(SUMMARY, KEYS) + "\n")
        return
    try:
        values = arguments.parse(words, KEYS)
        arguments.one_of(values, "run", "bundle")
        whole_table = arguments.one_of(values, "text", "input") == "input"
        threshold = arguments.number(values, "abstain_below", 0, 1)
        arguments.number(values, "batch_tokens", 1, 10_000_000)
        formats = formats_of(values) if whole_table else ("", "")
    except BadConfig as error:
        sys.exit(exit_codes.write_stderr(str(error), 2))
    try:
        label_file(values, threshold, *formats) if whole_table else label_text(values, threshold)
    except BrokenPipeError:
        sys.exit(BROKEN_PIPE)


def formats_of(values: dict[str, str]) -> tuple[str, str]:
    """Return the formats of input and output; `format=` is that of stdin and stdout only.

    Raises:
        BadConfig: if a format is unknown or cannot be determined.
    """
    source, target, stdio = values["input"], values.get("output", STDIO), values.get("format")
    read = table_reader.format_of(stdio, source, "csv") if source == STDIO else table_reader.format_of_input(source)
    return read, table_reader.format_of(stdio, target, read) if target == STDIO else file_format(target, read)


def file_format(target: str, read: str) -> str:
    """Return the format of an output file by its suffix; a device or a pipe gets the format of the input.

    Raises:
        BadConfig: if the suffix is that of no format.
    """
    path = Path(target)
    return table_reader.format_of(None, target, read if path.exists() and not path.is_file() else None)


def label_text(values: dict[str, str], threshold: float | None) -> None:
    """Label one text, and write its label and probabilities to stdout.

    Raises:
        BadInput: if the text is empty.
    """
    predictor = load(values)
    prediction = predictor.predict([values["text"]])
    if prediction.empty:
        raise BadInput('The text is empty. Give text="..." with at least one word')
    order = np.argsort(-prediction.probabilities[0])
    names = [clean(predictor.label_names[index]) for index in order]
    probabilities = prediction.probabilities[0][order]
    confidence = float(probabilities[0])
    unsure = threshold is not None and confidence < threshold
    width = max(len(name) for name in names)
    lines = [f"no label: {names[0]} has only {confidence:.3f}, below {threshold:g}" if unsure else names[0]]
    lines += [f"  {name:<{width}}  {value:.3f}" for name, value in zip(names, probabilities, strict=True)]
    sys.stdout.write("\n".join(lines) + "\n")
    if prediction.truncated:
        exit_codes.write_stderr(
            f"The text is longer than the {predictor.encode.max_tokens} tokens that the model reads, and was cut", 0
        )


def load(values: dict[str, str]) -> Predictor:
    """Return the model of run= or bundle=."""
    return Predictor.load(
        run=values.get("run") or None,
        bundle=values.get("bundle") or None,
        task=values.get("task") or None,
        outputs=arguments.folder(values, "outputs", os.environ),
        models=arguments.folder(values, "models", os.environ),
        precision=values.get("precision", "auto"),
        device=values.get("device", "auto"),
        batch_tokens=int(float(values["batch_tokens"])) if "batch_tokens" in values else None,
    )


def reading_of(values: dict[str, str]) -> Reading:
    """Return how the input is read.

    Raises:
        BadConfig: if an option is not valid.
    """
    return Reading(
        separator=values.get("separator"),
        quoting=cast(Any, values.get("quoting")),
        encoding=values.get("encoding"),
        encoding_errors=values.get("encoding_errors", "strict"),
        header=arguments.names(values, "header"),
        prefix="",
    )


def label_file(values: dict[str, str], threshold: float | None, read: str, write: str) -> None:
    """Label a table; input and output are opened before the model is loaded, so that errors are reported early."""
    source, target = values["input"], values.get("output", STDIO)
    started = time.monotonic()
    if target != STDIO:
        refuse_output(Path(target), arguments.folder(values, "models", os.environ))
    table_writer.refuse_input(source, target)
    with ExitStack() as stack:
        text = arguments.names(values, "text_column") or ("text",)
        opened = table_reader.open_table(source, read, reading_of(values), text, output=write)
        table: Table = stack.enter_context(opened)
        for note in table.notes:
            exit_codes.write_stderr(f"{table.name}: {note}", 0)
        reuse_memory()
        file = stack.enter_context(table_writer.open_output(target))
        predictor = load(values)
        visible = sys.stderr.isatty() and not (target == STDIO and sys.stdout.isatty())
        bar = stack.enter_context(ProgressBar(visible=visible))
        tally = label_table(predictor, table, file, format=write, abstain_below=threshold, bar=bar)
    exit_codes.write_stderr(summary(tally, time.monotonic() - started, predictor.encode.max_tokens, threshold), 0)


if __name__ == "__main__":
    exit_codes.run_and_exit(main, result=True)
