"""What was measured, for people: a table on the terminal, and RESULTS.md."""

import re
from collections.abc import Iterable, Sequence

from rich.table import Table

from bench.figures import Cell, Figure, Outcome, Plot, Row
from bench.results import Result

_COLUMNS = ("measured", "the limit", "the textbook function", "this app", "goal", "met")
_INTRODUCTION = """\
# Benchmark results

Written by `make bench`; what each scenario measures, and how, its module in `bench/scenarios/` says. Everything runs on
one machine, the load generator, the fakes and the functions in processes of their own. Ratios are what counts: absolute
times belong to the machine. Each figure is the median of its runs, with the smallest and the largest in brackets.
"""


def terminal_table(outcome: Outcome) -> Table:
    table = Table(*_COLUMNS, title=f"{outcome.number}. {outcome.title}", title_justify="left")
    for row in outcome.rows:
        style = "red" if row.met is False else None
        table.add_row(*_cells(row), style=style)
    table.caption = "\n".join(outcome.notes)
    table.caption_justify = "left"
    return table


def markdown(results: Iterable[Result]) -> str:
    return "\n".join([_INTRODUCTION, *(_section(result) for result in results)])


def plot_file_name(number: int, plot: Plot) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", plot.title.lower()).strip("-")
    return f"{number}-{slug}.svg"


def _section(result: Result) -> str:
    outcome = result.outcome
    lines = [f"## {outcome.number}. {outcome.title}", "", *_markdown_table(outcome.rows), ""]
    if outcome.notes:
        lines += [*(f"- {note}" for note in outcome.notes), ""]
    for plot in outcome.plots:
        lines += [f"![{plot.title}](plots/{plot_file_name(outcome.number, plot)})", ""]
    return "\n".join([*lines, *_provenance(result), ""])


def _markdown_table(rows: Sequence[Row]) -> list[str]:
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *(_cells(row) for row in rows)]
    return [f"| {' | '.join(cell.replace('|', r'\|') for cell in line)} |" for line in lines]


def _provenance(result: Result) -> list[str]:
    source = result.provenance
    runs = f"{result.runs} run{'s' if result.runs > 1 else ''}"
    scale = "" if result.scale == 1 else f", **at a scale of {result.scale:g}: no result**"
    return [f"`{source.command}` ({runs}{scale}), {source.date}, revision {source.revision or 'unknown'}",
            f"on {source.machine}; {source.versions}."]  # fmt: skip


def _cells(row: Row) -> tuple[str, ...]:
    met = {None: "", True: "yes", False: "no"}[row.met]
    return (row.measured, *map(_text, (row.limit, row.textbook, row.app)), row.goal, met)


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Figure) else cell or ""
