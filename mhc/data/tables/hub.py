"""Load data sets of the Hugging Face hub, or local folders of them, with the library `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mhc.errors import BadInput

if TYPE_CHECKING:
    from datasets import Dataset

BATCH = 8192
"""Rows that are converted at once."""

PATTERN_CHARACTERS = "*?[]{}"
"""Characters with which `datasets` takes the path of a folder, or of a file in it, for a pattern."""


def hub_splits(path: str, config: str | None, revision: str | None, cache: Path) -> dict[str, Dataset]:
    """Return all splits of a hub data set, or of a folder (saved with `save_to_disk`, or of files).

    Raises:
        BadInput: if there is no such data set, it is a program, or its path would be taken for a pattern.
    """
    import datasets

    datasets.disable_progress_bars()
    folder = Path(path)
    saved = (folder / "dataset_dict.json").exists() or (folder / "state.json").exists()
    if folder.is_dir():
        refuse_patterns(folder.absolute(), "" if saved else PATTERN_CHARACTERS)
    try:
        if saved:
            data = datasets.load_from_disk(str(folder.absolute()))
        else:
            data = datasets.load_dataset(path, config, revision=revision, cache_dir=str(cache.absolute()))
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        if "scripts are no longer supported" in str(error):
            raise BadInput(
                f"The data set {path} is a program, which mhc does not execute. Choose one that consists of files, or "
                "save its rows to files and name them with data=files"
            ) from error
        raise BadInput(
            f"The data set {path} could not be loaded ({type(error).__name__}). Check data.path=, data.config= and the "
            "connection, or give a local folder"
        ) from error
    return dict(data) if isinstance(data, dict) else {"train": data}


def refuse_patterns(folder: Path, characters: str) -> None:
    """Refuse a folder if `datasets` would take its path, or that of a file in it, for a pattern or a URL.

    Raises:
        BadInput: if there is such a path.
    """
    for path in (folder, *sorted(folder.rglob("*"))):
        special = "::" if "::" in str(path) else "".join(sorted(set(str(path)) & set(characters)))
        if special:
            raise BadInput(
                f"{path} has {special} in its name, which the library datasets takes for a pattern. Rename it, or name "
                "the files with data=files"
            )
