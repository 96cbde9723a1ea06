"""Scenario 2: how many upgrades are created a second where nothing throttles."""

from collections.abc import Iterator, Mapping, Sequence

from bench.comparison import Comparison, at_least
from bench.contenders import APP, TEXTBOOK, Contender
from bench.creating import Creation, Creations, creations
from bench.figures import Curve, Figure, Options, Outcome, Plot, Row
from bench.measured_cloud import LATENCY_S
from bench.one_call_app import ONE_CALL

NUMBER = 2
TITLE = "Creates a second, not throttled, with answers after 200 ms"
GOAL_PERCENT = 85
_ABOUT = (
    "The limit is the smaller of calls at once / latency and what the tables alone did in the same run, before the "
    "functions were started: one insert, one query and one conditional update for each upgrade, through the same SDK, "
    "from as many processes and threads. 16 calls at once are one process of CreateUpgrade, 64 are four."
)


def run(options: Options) -> Outcome:
    return outcome(creations(options))


def outcome(measured: Creations) -> Outcome:
    rows = tuple(row for count, runs in measured.items() for row in _rows(count, runs))
    notes = tuple(note for count, runs in measured.items() for note in _notes(count, runs))
    return Outcome(NUMBER, TITLE, rows, (_ABOUT, *notes), (_plot(measured),))


def _rows(count: int, runs: Mapping[Contender, Sequence[Creation]]) -> Iterator[Row]:
    both = Comparison(runs, f"{count} at once")
    yield both.row("creates/s", _limit(runs), lambda run: run.per_s)
    goal = at_least(GOAL_PERCENT)
    yield both.row("share of the limit", None, lambda run: run.percent_of_limit, unit="%", goal=goal)


def _notes(count: int, runs: Mapping[Contender, Sequence[Creation]]) -> Iterator[str]:
    store = Figure.of(run.store_per_s for run in runs[APP])
    yield (
        f"{count} at once: {count / LATENCY_S:.0f}/s by latency, {store.text}/s by the tables alone; a function that "
        f"makes the one call and nothing else did {_rate(runs[ONE_CALL]).text}/s."
    )
    for contender in (APP, TEXTBOOK):
        yield f"{count} at once, {contender.name}, cores used in its last run: {runs[contender][-1].cores}."


def _plot(measured: Creations) -> Plot:
    def curve(name: str, contender: Contender) -> Curve:
        return Curve(name, tuple((count, _rate(runs[contender]).median) for count, runs in measured.items()))

    curves = (
        Curve("calls at once / latency", tuple((count, count / LATENCY_S) for count in measured)),
        Curve("limit, with the tables", tuple((count, _limit(runs).median) for count, runs in measured.items())),
        curve("one call and nothing else", ONE_CALL),
        curve("this app", APP),
        curve("textbook function", TEXTBOOK),
    )
    return Plot("Creates a second", "calls at once", "creates/s", curves)


def _limit(runs: Mapping[Contender, Sequence[Creation]]) -> Figure:
    return Figure.of(run.limit_per_s for run in runs[APP])


def _rate(runs: Sequence[Creation]) -> Figure:
    return Figure.of(run.per_s for run in runs)
