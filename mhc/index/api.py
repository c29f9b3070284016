"""Runs for a notebook: `from mhc.index import Runs`. Uses the functions of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mhc import timestamps
from mhc.index import query
from mhc.index.index import Index
from mhc.index.records import config_names
from mhc.index.resolve import find
from mhc.index.rows import Row
from mhc.index.selection import RunFilter, Selection
from mhc.record import Location, RunRecord, Status, flatten
from mhc.runs import store

if TYPE_CHECKING:
    from pandas import DataFrame

    from mhc.index.summary import Summary
    from mhc.policy import LivenessPolicy


class Run(NamedTuple):
    """One run."""

    record: RunRecord
    """With the derived status: `lost` if it says `running` and the process is gone."""
    location: Location
    path: Path
    """The run's folder."""


class Runs:
    """The runs under `outputs` and the bundles under `models`, as they were at the creation of this object.

    >>> runs = Runs("outputs")
    >>> for run in runs.where("f1_macro >= 0.5 and tags has paper"):
    ...     print(run.record.id, run.record.metrics.test.f1_macro)
    >>> runs.get("attention_2026").record.history
    >>> runs.to_pandas().groupby("model.name")["metrics.test.f1_macro"].mean()
    """

    def __init__(
        self, outputs: str | Path = "outputs", models: str | Path = "models", policy: str | Path = "default"
    ) -> None:
        """Bring the index of `outputs` up to date.

        Raises:
            BadConfig: if a record says `running` and the policy that decides whether it is alive does not exist.
        """
        self.policy = policy
        self._index = Index(Path(outputs), Path(models), self._liveness)
        self._expressions: tuple[str, ...] = ()

    def _liveness(self) -> LivenessPolicy:
        from mhc.policy import load

        return load(self.policy).liveness

    def where(self, expression: str) -> Runs:
        """Return those of these runs for which the expression holds; the language is that of `mhc list --where`.

        Raises:
            BadInput: if the expression is invalid; shows the position.
        """
        query.parse(expression, timestamps.now(), config_names(self._index))
        subset = Runs.__new__(Runs)
        subset.policy, subset._index = self.policy, self._index
        subset._expressions = (*self._expressions, expression)
        return subset

    def __iter__(self) -> Iterator[Run]:
        """Iterate over the runs, newest first."""
        return (self._run(row) for row in self._rows())

    def __len__(self) -> int:
        return len(self._rows())

    def get(self, run_id: str) -> Run:
        """Return the run with that id, or with an id that begins or ends with it.

        Raises:
            NotFound: if no run fits.
            Conflict: if several runs fit.
            Unreadable: if its record cannot be read.
        """
        return self._run(find(self._index, run_id))

    def to_pandas(self) -> DataFrame:
        """Return one row per run and one column per field, named with dots (`metrics.test.f1_macro`); lists stay lists.

        The columns of the config begin with `config.`: `config.model.optimizer.lr`.

        Raises:
            ImportError: if pandas is not installed (an extra: `pip install mhc[pandas]`).
        """
        from pandas import DataFrame

        from mhc.index.records import record_dicts

        return DataFrame([flatten(record) for record in record_dicts(self._index, self._rows())])

    def summary(self) -> Summary:
        """Return counts, the running and the best runs; of all runs, regardless of `where`."""
        from mhc.index.summary import summary_of

        return summary_of(self._index)

    def _rows(self) -> list[Row]:
        now = timestamps.now()
        where = " and ".join(f"({expression})" for expression in self._expressions)
        expression = query.parse(where, now, config_names(self._index)) if where else None
        return Selection(self._index, RunFilter(where=expression), now).rows()

    def _run(self, row: Row) -> Run:
        from mhc.runs.liveness import with_derived_status

        folder = self._index.folder(row.path)
        record = store.read(folder)
        if record.status is Status.RUNNING:
            record = with_derived_status(record, folder, self._liveness())
        return Run(record, Location(row.location), folder)
