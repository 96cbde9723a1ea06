"""Scenario 5: one tick of PollUpgrade over few and over very many rows in flight, of which few or many are due."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count

from bench.contenders import APP
from bench.deployed import DEFAULTS
from bench.figures import Curve, Figure, Options, Outcome, Plot, Row
from bench.filled_tables import FilledTables, filled_tables
from bench.measured_cloud import LATENCY_S, MeasuredCloud, measured_cloud
from bench.progress import say
from bench.ticks_alone import Tick, tick_of_app, tick_of_textbook
from shared.settings import Settings

NUMBER = 5
TITLE = "A tick over 1,000 to 100,000 rows in flight"
IN_FLIGHT = (1_000, 10_000, 20_000, 100_000)
DUE_PERCENT = 1
MORE_DUE_OF, MORE_DUE_PERCENT = 10_000, (5, 20)
TEXTBOOK_ROWS = 100
GOAL_READING_S, GOAL_READING_OF = 2, 20_000
GOAL_MB = 250
_LINEAR = 1.1  # times as fast as the rows: with it a figure still counts as linear
_SETTINGS = {
    **DEFAULTS,
    # What has been polled is due again at the next run, whose clock is a day ahead.
    "FIRST_POLL_S": "600",
    "MAX_POLL_S": "600",
    "UPGRADE_DEADLINE_H": "100000",
    "AZURE_CALL_DEADLINE_S": "60",  # Azurite looks through all rows for each page, in one thread
}
_NOTES = (
    "Each tick in a process of its own, without the host, over Azurite in memory and the fake Partner Center, whose "
    "answers take 200 ms. The limit: what was waited for the store, or what the calls take at MAX_PARALLEL_CALLS.",
    "Reading: both looks of the tick for due rows. Counting: a tick with nothing due that reads every row for the "
    "totals of its heartbeat, as once in CENSUS_S. CPU: of the process, all threads.",
    "Memory: the most that the process ever had resident, counting included, the platform's worker not.",
    "The textbook function asks for each row that is open, due or not, one after the other. Its tick is measured over "
    f"{TEXTBOOK_ROWS} rows and said in proportion.",
)

_PLOTTED: Mapping[str, Callable[[Tick], float]] = {
    "calling": lambda tick: tick.calling_s,
    "reading": lambda tick: tick.reading.elapsed_s,
    "counting": lambda tick: tick.counting.elapsed_s,
}

type Runs = Sequence[Tick]


def run(options: Options) -> Outcome:
    with measured_cloud(options.folder / "cloud", APP, _SETTINGS) as cloud:
        cloud.switch(api_latency_s=LATENCY_S)
        measuring = _Measuring(cloud, options)
        sizes = measuring.sizes()
        more_due = [measuring.more_due(percent) for percent in MORE_DUE_PERCENT]
    return outcome(sizes, more_due, measuring.textbook)


class _Measuring:
    """`textbook`: its runs take turns with the app's over the smallest table."""

    def __init__(self, cloud: MeasuredCloud, options: Options) -> None:
        self.textbook: list[Tick] = []
        self._cloud = cloud
        self._options = options

    def sizes(self) -> list[Runs]:
        rows, days = self._options.scaled(TEXTBOOK_ROWS), count(1)
        with filled_tables(self._cloud, due_percent=DUE_PERCENT) as tables:
            tables.fill_textbook(rows)
            return [self._runs(tables, size, days, textbook_rows=rows) for size in IN_FLIGHT]

    def more_due(self, percent: int) -> Runs:
        with filled_tables(self._cloud, due_percent=percent) as tables:
            return self._runs(tables, MORE_DUE_OF, count(1))

    def _runs(self, tables: FilledTables, size: int, days: Iterator[int], *, textbook_rows: int = 0) -> Runs:
        tables.fill(self._options.scaled(size))
        found = []
        for _ in range(self._options.runs):
            if size == IN_FLIGHT[0] and textbook_rows:
                self.textbook.append(tick_of_textbook(self._cloud, rows=textbook_rows))
            found.append(tick_of_app(self._cloud, days=next(days), in_flight=tables.rows, due=tables.due))
            say(f"{tables.rows:,} in flight, {tables.due:,} due: a tick of {found[-1].whole.elapsed_s:.2f} s")
        return found


def outcome(sizes: Sequence[Runs], more_due: Sequence[Runs], textbook: Runs) -> Outcome:
    """`sizes`: as IN_FLIGHT. `more_due`: as MORE_DUE_PERCENT."""
    per_row_s = _figure(textbook, lambda tick: tick.whole.elapsed_s / tick.in_flight, "s").median
    rows = [row for runs in (*sizes, *more_due) for row in _rows(runs, per_row_s)]
    rows += [_reading_goal(sizes[IN_FLIGHT.index(GOAL_READING_OF)]), _memory_goal(sizes[-1])]
    few = sizes[IN_FLIGHT.index(MORE_DUE_OF)]
    rows += [_linear_in_flight(few, sizes[-1]), _linear_due(few, more_due[-1])]
    return Outcome(NUMBER, TITLE, tuple(rows), _NOTES, _plots(sizes, [few, *more_due]))


def _rows(runs: Runs, textbook_per_row_s: float) -> Iterator[Row]:
    in_flight, due = runs[0].in_flight, runs[0].due
    subject = f"{in_flight:,} in flight, {due:,} due"
    calls_s = math.ceil(due / Settings.max_parallel_calls) * LATENCY_S
    textbook = f"~ {textbook_per_row_s * in_flight:,.0f} s"
    yield Row(f"{subject}: tick", None, textbook, _figure(runs, lambda tick: tick.whole.elapsed_s, "s"))
    store = _figure(runs, lambda tick: tick.reading.store_s, "s")
    yield Row(f"{subject}: reading", store, None, _figure(runs, lambda tick: tick.reading.elapsed_s, "s"))
    calling = _figure(runs, lambda tick: tick.calling_s, "s")
    yield Row(f"{subject}: calling", Figure((calls_s,), "s"), None, calling)
    yield Row(f"{subject}: CPU", None, None, _figure(runs, lambda tick: tick.whole.cpu_s, "s"))
    store = _figure(runs, lambda tick: tick.counting.store_s, "s")
    yield Row(f"{subject}: counting", store, None, _figure(runs, lambda tick: tick.counting.elapsed_s, "s"))
    yield Row(f"{subject}: memory", None, None, _figure(runs, lambda tick: tick.peak_mb, "MB"))


def _reading_goal(runs: Runs) -> Row:
    beyond = _figure(runs, lambda tick: tick.reading.beyond_store_s, "s")
    name = f"reading at {runs[0].in_flight:,} in flight, beyond the store"
    return Row(name, None, None, beyond, f"<= {GOAL_READING_S} s", beyond.median <= GOAL_READING_S)


def _memory_goal(runs: Runs) -> Row:
    most = _figure(runs, lambda tick: tick.peak_mb, "MB")
    return Row(f"memory at {runs[0].in_flight:,} in flight", None, None, most, f"< {GOAL_MB} MB", most.median < GOAL_MB)


def _linear_in_flight(few: Runs, many: Runs) -> Row:
    """Of what is ours: how long Azurite looks through its rows is its own business."""
    grown = many[0].in_flight / few[0].in_flight
    name = f"{many[0].in_flight:,} in flight against {few[0].in_flight:,}: tick beyond the store"
    return _linear(name, grown, _ratios(many, few, lambda tick: tick.whole.beyond_store_s))


def _linear_due(few: Runs, many: Runs) -> Row:
    name = f"{many[0].due:,} due against {few[0].due:,}: calling"
    return _linear(name, many[0].due / few[0].due, _ratios(many, few, lambda tick: tick.calling_s))


def _linear(name: str, grown: float, ratios: Figure) -> Row:
    return Row(name, f"{grown:g}x", None, ratios, "linear", ratios.median <= _LINEAR * grown)


def _ratios(many: Runs, few: Runs, pick: Callable[[Tick], float]) -> Figure:
    return Figure.of((pick(more) / pick(less) for more, less in zip(many, few, strict=True)), "x")


def _plots(sizes: Sequence[Runs], dues: Sequence[Runs]) -> tuple[Plot, ...]:
    def curve(name: str, of: Sequence[Runs], x: Callable[[Tick], float], y: Callable[[Tick], float]) -> Curve:
        return Curve(name, tuple((x(runs[0]), _figure(runs, y, "s").median) for runs in of))

    by_in_flight = tuple(curve(name, sizes, lambda tick: tick.in_flight, y) for name, y in _PLOTTED.items())
    by_due = tuple(curve(name, dues, lambda tick: tick.due, _PLOTTED[name]) for name in ("calling", "reading"))
    return (
        Plot(f"A tick by rows in flight, {DUE_PERCENT} % of them due", "rows in flight", "s", by_in_flight, log=True),
        Plot("A tick by rows due", "rows due", "s", by_due),
    )


def _figure(runs: Runs, pick: Callable[[Tick], float], unit: str) -> Figure:
    return Figure.of(map(pick, runs), unit)
