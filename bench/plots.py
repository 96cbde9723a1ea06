"""Draws a plot as SVG; the same figures give the same file."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot

from bench.figures import Plot

mpl.use("svg")  # no window, wherever it runs
# Any: its type lists every name that there is.
_STYLE: Any = {"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}


def draw(plot: Plot, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_STYLE):
        figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
        for curve in filter(lambda curve: curve.points, plot.curves):
            marker = "o" if len(curve.points) <= 12 else ""
            axes.plot(*zip(*curve.points, strict=True), label=curve.name, marker=marker, markersize=4)
        axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y)
        if plot.log:
            axes.set(xscale="log", yscale="log")
        else:
            axes.set_ylim(bottom=0)
        axes.legend()
        figure.savefig(file, metadata={"Date": None})
        pyplot.close(figure)
