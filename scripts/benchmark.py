"""Measure how fast mhc is compared with its alternatives: `python scripts/benchmark.py train --quick`.

Parts: train, predict, serve, startup, memory, quality, linear, cli, life. Run it on an idle machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

DATA = ROOT.parent / "shared" / "data"
JSON = click.option("--json", "json_path", type=click.Path(path_type=Path), help="Add the result to this file.")
QUICK_SECONDS = 240.0
"""No round of `train --quick` begins that would not end within this time."""
console = Console(width=None if sys.stdout.isatty() else 120)


@click.group(help=__doc__)
def benchmark() -> None:
    """Run one part of the benchmark."""


@benchmark.command()
@click.option(
    "--setting", "names", multiple=True, help="baseline, medium, large, pretrained, baseline@goemotions_group4, ..."
)
@click.option("--rounds", default=5, show_default=True, help="Turns of each contender.")
@click.option("--seconds", default=8.0, show_default=True, help="Length of a turn.")
@click.option("--only", multiple=True, metavar="CONTENDER", help="Beside mhc, such as bare_loop; default: all.")
@click.option("--texts", default=2048, show_default=True, help="Number of generated texts.")
@click.option("--quick", is_flag=True, help="Baseline only, short turns, as many rounds as fit in four minutes.")
@click.option("--data", default=DATA, type=click.Path(path_type=Path), help="Folder of real data sets.")
@click.option("--plot", "plot_path", type=click.Path(path_type=Path), help="Write a figure, such as speed.png.")
@JSON
def train(
    *,
    names: tuple[str, ...],
    only: tuple[str, ...],
    rounds: int,
    seconds: float,
    texts: int,
    quick: bool,
    data: Path,
    plot_path: Path | None,
    json_path: Path | None,
) -> None:
    """Measure real tokens per second of training: mhc, the Hugging Face Trainer, Lightning, a bare loop, the peak.

    Example: python scripts/benchmark.py train --setting medium --json speed.json --plot speed.png
    """
    from mhc.hardware import best_precision
    from scripts.bench import show, silence
    from scripts.bench import texts as generated
    from scripts.bench import train as part

    silence.libraries()
    if quick:
        names, seconds, texts = names or ("baseline",), 2.0, 512
    results = {}
    with tempfile.TemporaryDirectory() as work:
        path = generated.write(Path(work) / "train.csv", texts, median=66, most=256)
        settings = part.available_settings(Path(work), data, best_precision("auto"), texts, path)
        for name in names or [name for name in settings if name != "large" and not name.startswith("pretrained@")]:
            if name not in settings:
                raise click.BadParameter(f"{name} is none of {', '.join(settings)}")
            budget = QUICK_SECONDS / len(names) if quick else float("inf")
            length = part.Length(rounds, seconds, budget)
            results[name] = part.run(settings[name], length, report=console.print, only=only)
            console.print(show.table(name, results[name]))
            if json_path:
                show.add_json(json_path, "train", {name: results[name].plain()})
    if plot_path:
        show.plot(results, plot_path)


@benchmark.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--texts", default=2000, show_default=True, help="Number of texts to label.")
@click.option("--quick", is_flag=True, help="500 texts.")
@JSON
def predict(*, rounds: int, texts: int, quick: bool, json_path: Path | None) -> None:
    """Measure texts labelled per second: mhc.predict, transformers.pipeline, ONNX Runtime."""
    from mhc.hardware import best_precision
    from scripts.bench import predict as part
    from scripts.bench import show, silence
    from scripts.bench.setting import Setting

    silence.libraries()
    with tempfile.TemporaryDirectory() as work:
        setting = Setting("predict", "baseline", None, Path(work), best_precision("cpu"), ["trainer.max_epochs=3"])
        result = part.run(setting, rounds=rounds, texts=500 if quick else texts, report=console.print)
    console.print(part.table(result))
    if json_path:
        show.add_json(json_path, "predict", result.plain())


@benchmark.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Length of a turn.")
@click.option("--quick", is_flag=True, help="Two rounds of two seconds.")
@JSON
def serve(*, rounds: int, seconds: float, quick: bool, json_path: Path | None) -> None:
    """Measure POST /predict of mhc serve by eight clients beside mhc.predict: a linear model and MiniLM.

    Example: python scripts/benchmark.py serve --json serve.json
    """
    from scripts.bench import serve as part
    from scripts.bench import show

    rounds, seconds = (2, 2.0) if quick else (rounds, seconds)
    with tempfile.TemporaryDirectory() as work:
        bundles = part.train(Path(work))
        outputs, models = Path(work, "outputs"), Path(work, "models")
        results = part.run(outputs, models, bundles, rounds=rounds, seconds=seconds, report=console.print)
    console.print(part.table(results))
    if json_path:
        show.add_json(json_path, "serve", {kind: rates.plain() for kind, rates in results.items()})
    sys.exit(0 if all(rates.passed(kind) for kind, rates in results.items()) else 1)


@benchmark.command()
@click.option("--repeats", default=5, show_default=True)
@click.option("--quick", is_flag=True, help="One repeat.")
@JSON
def startup(*, repeats: int, quick: bool, json_path: Path | None) -> None:
    """Measure the seconds from the command to the first training step, and the CPU seconds of one text's label."""
    from scripts.bench import show
    from scripts.bench import startup as part

    result = part.run(1 if quick else repeats)
    console.print(part.table(result))
    if json_path:
        show.add_json(json_path, "startup", result)


@benchmark.command()
@click.option("--texts", default=1_000_000, show_default=True)
@click.option("--steps", default=300, show_default=True, help="Training steps.")
@click.option("--quick", is_flag=True, help="50,000 texts, 30 steps.")
@JSON
def memory(*, texts: int, steps: int, quick: bool, json_path: Path | None) -> None:
    """Measure the peak memory of training on a million short texts, and how fast they are tokenised."""
    from scripts.bench import memory as part
    from scripts.bench import show

    result = part.run(50_000 if quick else texts, 30 if quick else steps)
    console.print(part.table(result))
    if json_path:
        show.add_json(json_path, "memory", dict(result))


@benchmark.command()
@click.option("--model", default="baseline", show_default=True)
@click.option("--seeds", default=5, show_default=True)
@click.option(
    "--train", "path", type=click.Path(path_type=Path), help="A CSV with texts and labels; default: embedded."
)
@click.option("--epochs", type=int, help="Passes over the data; default: that of the model.")
@click.option("--quick", is_flag=True, help="model=micro, two seeds.")
@JSON
def quality(
    *, model: str, seeds: int, path: Path | None, epochs: int | None, quick: bool, json_path: Path | None
) -> None:
    """Compare macro-F1 of the fast path with that of fp32 without bucketing and without our forward.

    Example: python scripts/benchmark.py quality --train posts.csv --epochs 6
    """
    from mhc.hardware import best_precision
    from scripts.bench import quality as part
    from scripts.bench import show, silence
    from scripts.bench.setting import Setting

    silence.libraries()
    with tempfile.TemporaryDirectory() as work:
        extra = [f"model.epochs={epochs}"] if epochs else []
        setting = Setting("quality", "micro" if quick else model, path, Path(work), best_precision("auto"), extra)
        scores = part.run(setting, seeds=2 if quick else seeds, report=console.print)
    console.print(part.table(scores))
    if json_path:
        show.add_json(json_path, "quality", part.plain(scores))


@benchmark.command()
@click.option("--only", multiple=True, metavar="DATA", help="Such as mh4_balanced; default: all four.")
@click.option("--data", default=DATA, type=click.Path(path_type=Path), help="Folder of real data sets.")
@JSON
def linear(*, only: tuple[str, ...], data: Path, json_path: Path | None) -> None:
    """Compare model=linear with five lines of scikit-learn on the same rows: macro-F1 and CPU time.

    Example: python scripts/benchmark.py linear --only sad
    """
    from scripts.bench import linear as part
    from scripts.bench import show, silence

    silence.libraries()
    results = {}
    with tempfile.TemporaryDirectory() as work:
        part.import_libraries(Path(work))
        for name, setting in part.settings(data, Path(work), only).items():
            results[name] = part.run(setting, report=console.print)
            if json_path:
                show.add_json(json_path, "linear", {name: results[name].plain()})
    console.print(part.table(results))
    sys.exit(0 if results and all(each.passed for each in results.values()) else 1)


PASS_THROUGH = {"ignore_unknown_options": True, "help_option_names": []}


@benchmark.command(context_settings=PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def cli(arguments: tuple[str, ...]) -> None:
    """Measure the command line over many runs; takes the options of scripts/bench/cli.py."""
    sys.exit(subprocess.call([sys.executable, str(ROOT / "scripts" / "bench" / "cli.py"), *arguments]))


@benchmark.command(context_settings=PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def life(arguments: tuple[str, ...]) -> None:
    """Measure what the record of a run costs its training; takes the options of scripts/bench/life.py."""
    sys.exit(subprocess.call([sys.executable, str(ROOT / "scripts" / "bench" / "life.py"), *arguments]))


if __name__ == "__main__":
    benchmark()
