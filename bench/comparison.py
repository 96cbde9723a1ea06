"""One row of a table: the same quantity of every run of both contenders, and whether the app's reaches a goal. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.contenders import APP, TEXTBOOK, Contender
from bench.figures import Cell, Figure, Row


@dataclass(frozen=True)
class Goal:
    """`is_met`: asked of the app's figure."""

    text: str
    is_met: Callable[[Figure], bool]


NONE = Goal("none", lambda figure: max(figure.values) == 0)


def at_least(share: float) -> Goal:
    """Of a figure in per cent."""
    return Goal(f">= {share:g} %", lambda figure: figure.median >= share)


def at_most(share: float) -> Goal:
    return Goal(f"<= {share:g} %", lambda figure: figure.median <= share)


def every(count: int) -> Goal:
    """In each run."""
    return Goal("all", lambda figure: min(figure.values) == max(figure.values) == count)


@dataclass(frozen=True)
class Comparison[Run]:
    """`subject`: stands before what is measured, where a table has several."""

    measured: Mapping[Contender, Sequence[Run]]
    subject: str = ""

    def row(
        self,
        quantity: str,
        limit: Cell,
        pick: Callable[[Run], float | None],
        *,
        unit: str = "",
        goal: Goal | None = None,
    ) -> Row:
        """`pick` gives one run's value; None where it has none. A goal is missed where a run of the app has none."""
        textbook, app = ([pick(run) for run in self.measured[who]] for who in (TEXTBOOK, APP))
        name = f"{self.subject}: {quantity}" if self.subject else quantity
        met = _is_met(goal, app) if goal else None
        return Row(name, limit, _cell(textbook, unit), _cell(app, unit), goal.text if goal else "", met)


def _is_met(goal: Goal, values: Sequence[float | None]) -> bool:
    known = [value for value in values if value is not None]
    return len(known) == len(values) and goal.is_met(Figure.of(known))


def _cell(values: Sequence[float | None], unit: str) -> Cell:
    known = [value for value in values if value is not None]
    return Figure.of(known, unit) if known else "none"
