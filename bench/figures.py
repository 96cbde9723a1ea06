"""What a scenario measured: figures over several runs, the rows of its table, and its curves."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Options:
    """How a scenario is to be run; `scale` shrinks its load, `folder` takes its logs and tables."""

    folder: Path
    runs: int = 3
    scale: float = 1.0

    def scaled(self, count: int) -> int:
        """`count` things at this scale, never none at all."""
        return max(1, round(count * self.scale))


@dataclass(frozen=True)
class Figure:
    """One quantity, measured once a run."""

    values: tuple[float, ...]
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a figure needs at least one run")

    @classmethod
    def of(cls, values: Iterable[float], unit: str = "") -> "Figure":
        return cls(tuple(values), unit)

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def spread(self) -> float:
        return max(self.values) - min(self.values)

    @property
    def text(self) -> str:
        """The median with its unit and, over more than one run, the range in brackets."""
        middle = _with_unit(number(self.median), self.unit)
        if len(self.values) == 1:
            return middle
        return f"{middle} ({number(min(self.values))} to {number(max(self.values))})"


Cell = Figure | str | None


@dataclass(frozen=True)
class Row:
    """One line of a table: a quantity, its limit, and what the two apps did."""

    measured: str
    limit: Cell
    textbook: Cell
    app: Cell
    goal: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Curve:
    """A line of a plot."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Plot:
    """Curves over the same axes; `x` and `y` are the axes' labels. `log`: both axes are logarithmic."""

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    log: bool = False


@dataclass(frozen=True)
class Outcome:
    """All that one scenario has to say."""

    number: int
    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())
    plots: tuple[Plot, ...] = field(default=())


def number(value: float) -> str:
    """Three significant digits where there is a fraction; whole numbers in full, by thousands."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3g}"


def _with_unit(text: str, unit: str) -> str:
    if not unit:
        return text
    return f"{text}{unit}" if unit in {"%", "x"} else f"{text} {unit}"
