"""Output of results: a table for the terminal, a plot, JSON."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from scripts.bench.train import Result


def table(name: str, result: Result) -> Table:
    """Return a table with one row per contender: real tokens/s (median, range), speed-up of mhc, share of the peak."""
    about = result.about
    rows = Table(title=f"{name}: {about['texts']} texts of {about['median_tokens']:.0f} tokens in the median")
    for column in ("", "tokens/s", "range", "mhc is", "range", f"of {result.precision} peak"):
        rows.add_column(column, justify="left" if not column else "right")
    ratios = result.ratios()
    for contender, rates in sorted(result.rates.items(), key=lambda item: -statistics.median(item[1])):
        times = ratios.get(contender)
        rows.add_row(
            contender,
            f"{statistics.median(rates):,.0f}",
            f"{min(rates):,.0f} to {max(rates):,.0f}",
            f"{statistics.median(times):.2f} x" if times else "",
            f"{min(times):.2f} to {max(times):.2f}" if times else "",
            f"{result.share_of_peak(contender):.0%}",
        )
    peaks = {kind: statistics.median(values) / 1e9 for kind, values in result.peaks.items()}
    rows.caption = "matrix product: " + ", ".join(f"{kind} {peak:,.0f} GFLOP/s" for kind, peak in peaks.items())
    rows.caption += f"; performed by mhc: {result.share_of_peak(computed=True):.0%} of {result.precision}"
    return rows


def plot(results: dict[str, Result], path: Path) -> None:
    """Write a figure with one panel per setting: a bar per contender, with its range."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(results), figsize=(6 * len(results), 4), squeeze=False)
    for panel, (name, result) in zip(panels[0], results.items(), strict=True):
        ranked = sorted(result.rates.items(), key=lambda item: statistics.median(item[1]))
        medians = [statistics.median(rates) for _, rates in ranked]
        low = [middle - min(rates) for middle, (_, rates) in zip(medians, ranked, strict=True)]
        high = [max(rates) - middle for middle, (_, rates) in zip(medians, ranked, strict=True)]
        colours = ["tab:orange" if contender == "mhc" else "tab:blue" for contender, _ in ranked]
        panel.barh([contender for contender, _ in ranked], medians, xerr=[low, high], color=colours)
        panel.set_title(name)
        panel.set_xlabel("real tokens/s, median and range")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def add_json(path: Path, part: str, content: dict[str, object]) -> None:
    """Add the result of a part to the file, and leave those of other parts."""
    whole = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    whole[part] = whole.get(part, {}) | content
    path.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
