"""The runs for a notebook: `from mhc.index import Runs`. The same functions as the command line's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mhc import timestamps
from mhc.index import query
from mhc.index.index import Index
from mhc.index.resolve import find
from mhc.index.rows import Row
from mhc.index.selection import Selection, Wanted
from mhc.record import Location, RunRecord
from mhc.runs import store

if TYPE_CHECKING:
    from pandas import DataFrame

    from mhc.index.summary import Summary
    from mhc.policy import LivenessPolicy


class Run(NamedTuple):
    """One run."""

    record: RunRecord
    """With the derived status: `lost` where it says running and the process is gone."""
    location: Location
    path: Path
    """The run's folder."""


class Runs:
    """The runs under `outputs` and the bundles under `models`, as they were when this was made.

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
            BadConfig: where a run says that it runs and there is no such policy to judge that by.
        """
        self.policy = policy
        self._index = Index(Path(outputs), Path(models), self._liveness)
        self._wanted: tuple[str, ...] = ()

    def _liveness(self) -> LivenessPolicy:
        from mhc.policy import load

        return load(self.policy).liveness

    def where(self, expression: str) -> Runs:
        """Those of these runs for which the expression holds; the language is that of `mhc list --where`.

        Raises:
            BadInput: where the expression cannot be read; points at the place.
        """
        query.parse(expression, timestamps.now())
        chosen = Runs.__new__(Runs)
        chosen.policy, chosen._index = self.policy, self._index
        chosen._wanted = (*self._wanted, expression)
        return chosen

    def __iter__(self) -> Iterator[Run]:
        """Newest first."""
        return (self._run(row) for row in self._rows())

    def __len__(self) -> int:
        return len(self._rows())

    def get(self, run_id: str) -> Run:
        """The run with that id, or with an id that begins or ends so.

        Raises:
            NotFound, Conflict: where no run, or more than one, fits.
            Unreadable: where its record cannot be read.
        """
        return self._run(find(self._index, run_id))

    def to_pandas(self) -> DataFrame:
        """One row a run, one column a field with dots (`metrics.test.f1_macro`); lists stay lists.

        Raises:
            ImportError: where pandas is not there (an extra: `pip install mhc[pandas]`).
        """
        from pandas import DataFrame

        from mhc.index.compare import flat
        from mhc.index.selection import record_dicts

        return DataFrame([flat(record) for record in record_dicts(self._index, self._rows())])

    def summary(self) -> Summary:
        """Counts, what is running, the best; of all runs, whatever `where` chose."""
        from mhc.index.summary import summary_of

        return summary_of(self._index)

    def _rows(self) -> list[Row]:
        now = timestamps.now()
        joined = " and ".join(f"({expression})" for expression in self._wanted)
        return Selection(self._index, Wanted(where=query.parse(joined, now) if joined else None), now).rows()

    def _run(self, row: Row) -> Run:
        from mhc.record import Status
        from mhc.runs.liveness import derived

        folder = self._index.folder(row.path)
        record = store.read(folder)
        shown = derived(record, folder, self._liveness()) if record.status is Status.RUNNING else record
        return Run(shown, Location(row.location), folder)
