"""How fast mhc is, against what a user would pick instead: `python scripts/benchmark.py train --quick`.

Parts: train, predict, startup, memory, quality, cli, life. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

DATA = ROOT.parent / "shared" / "data"
JSON = click.option("--json", "json_path", type=click.Path(path_type=Path), help="Add the result to this file.")
console = Console(width=None if sys.stdout.isatty() else 120)


@click.group(help=__doc__)
def benchmark() -> None:
    """Every part is a command."""


@benchmark.command()
@click.option("--setting", "chosen", multiple=True, help="baseline, medium, large, baseline@goemotions_group4, ...")
@click.option("--rounds", default=5, show_default=True, help="Turns of each contender.")
@click.option("--seconds", default=8.0, show_default=True, help="Of a turn.")
@click.option("--texts", default=2048, show_default=True, help="Generated texts.")
@click.option("--quick", is_flag=True, help="Baseline only, short turns: under five minutes on two cores.")
@click.option("--data", default=DATA, type=click.Path(path_type=Path), help="Folder of real data sets.")
@click.option("--plot", "plot_path", type=click.Path(path_type=Path), help="Write a figure, such as speed.png.")
@JSON
def train(
    chosen: tuple[str, ...],
    rounds: int,
    seconds: float,
    texts: int,
    quick: bool,
    data: Path,
    plot_path: Path | None,
    json_path: Path | None,
) -> None:
    """Real tokens per second of training: mhc, the Hugging Face Trainer, Lightning, a bare loop, the machine's peak.

    Example: python scripts/benchmark.py train --setting medium --json speed.json --plot speed.png
    """
    from mhc.hardware import best_precision
    from scripts.bench import show, silence
    from scripts.bench import texts as generated
    from scripts.bench import train as part

    silence.libraries()
    if quick:
        chosen, seconds, texts = chosen or ("baseline",), 2.0, 768
    results = {}
    with tempfile.TemporaryDirectory() as work:
        path = generated.write(Path(work) / "train.csv", texts, median=66, most=256)
        known = part.known_settings(Path(work), data, best_precision("auto"), texts, path)
        for name in chosen or [name for name in known if name != "large"]:
            if name not in known:
                raise click.BadParameter(f"{name} is none of {', '.join(known)}")
            results[name] = part.run(known[name], rounds=rounds, seconds=seconds, tell=console.print)
            console.print(show.table(name, results[name]))
            if json_path:
                show.add_json(json_path, "train", {name: results[name].plain()})
    if plot_path:
        show.plot(results, plot_path)


if __name__ == "__main__":
    benchmark()
