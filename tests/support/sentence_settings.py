"""Settings of sentence-transformers beside the files of an encoder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

MEAN = {"pooling_mode_mean_tokens": True}


def write_settings(
    folder: Path,
    pooling: Mapping[str, object] | None = MEAN,
    *,
    normalise: bool = True,
    texts: Mapping[str, object] | None = None,
    further: Sequence[str] = (),
) -> Path:
    """Write `modules.json` and the files that it names, and return the folder.

    Args:
        folder: of the encoder.
        pooling: content of its config; None: there is no such file.
        normalise: whether the vectors are scaled to length 1.
        texts: content of `sentence_bert_config.json`; None: there is no such file.
        further: kinds of parts after the pooling, before the scaling.
    """
    kinds = ["Transformer", "Pooling", *further, *(["Normalize"] if normalise else [])]
    parts = [
        {"idx": number, "name": str(number), "path": f"{number}_{kind}" if number else "",
         "type": f"sentence_transformers.models.{kind}"}
        for number, kind in enumerate(kinds)
    ]  # fmt: skip
    (folder / "modules.json").write_text(json.dumps(parts))
    for part in parts[1:]:
        (folder / part["path"]).mkdir()
    if pooling is not None:
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32} | dict(pooling)))
    if texts is not None:
        (folder / "sentence_bert_config.json").write_text(json.dumps(texts))
    return folder
