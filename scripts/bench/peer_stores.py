"""Fill the store of a peer (MLflow, Trackio) with N runs: one is logged through its API, then its rows are copied.

Run it with a Python that has the peer: `python scripts/bench/peer_stores.py mlflow FOLDER 10000`. Logging all runs
through the APIs would take minutes; the rows in the database are the same.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import uuid
from pathlib import Path

METRICS = ("accuracy", "f1_macro", "loss", "ece")
PARAMETERS = {"model": "baseline", "seed": "1", "lr": "0.0003", "data": "mh4_balanced", "epochs": "6"}
Rows = list[tuple[object, ...]]


def mlflow(folder: Path, count: int) -> None:
    """Create a SQLite store `mlflow.db` with one experiment of `count` runs."""
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    run = client.create_run(client.create_experiment("bench"), run_name="run")
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(name, 0.5, 1, 0) for name in METRICS],
        params=[Param(key, value) for key, value in PARAMETERS.items()],
        tags=[RunTag("category", "baseline"), RunTag("tags", "paper, research")],
    )
    client.set_terminated(run.info.run_id)
    tables = ("runs", "metrics", "latest_metrics", "params", "tags")
    copy_rows(folder / "mlflow.db", tables, "run_uuid", run.info.run_id, count, {"value": METRICS})


def trackio(folder: Path, count: int) -> None:
    """Create a project `bench` of `count` runs in `folder`, to which TRACKIO_DIR is set."""
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio as library

    library.init(project="bench", name="run", config=dict(PARAMETERS))
    library.log({name: 0.5 for name in METRICS})
    library.finish()
    with sqlite3.connect(folder / "bench.db") as database:
        (run_id,) = database.execute("SELECT run_id FROM configs").fetchone()
        database.execute("UPDATE metrics SET log_id = NULL")
    database.close()
    copy_rows(folder / "bench.db", ("metrics", "configs"), "run_id", str(run_id), count, {})


def copy_rows(
    file: Path, tables: tuple[str, ...], key: str, first: str, count: int, varied: dict[str, tuple[str, ...]]
) -> None:
    """Copy the rows of the run `first` under new ids; numbers in `varied` columns get random values."""
    dice = random.Random(1)
    names = [uuid.UUID(int=dice.getrandbits(128)).hex for _ in range(count - 1)]
    with sqlite3.connect(file) as database:
        for table in tables:
            cursor = database.execute(f"SELECT * FROM {table} WHERE {key} = ?", [first])
            columns = [column[0] for column in cursor.description]
            template = cursor.fetchall()
            rows = [_copied(row, columns, key, name, varied, dice) for name in names for row in template]
            database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
    database.close()


def _copied(
    row: tuple[object, ...],
    columns: list[str],
    key: str,
    name: str,
    varied: dict[str, tuple[str, ...]],
    dice: random.Random,
) -> tuple[object, ...]:
    values = dict(zip(columns, row, strict=True)) | {key: name}
    if "id" in values:
        values["id"] = None
    for column in varied:
        if isinstance(values.get(column), float):
            values[column] = dice.random()
    return tuple(values.values())


if __name__ == "__main__":
    {"mlflow": mlflow, "trackio": trackio}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
