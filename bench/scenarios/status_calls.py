"""Scenario 6: how many status calls PollUpgrade makes a second, of rows that are all due."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.comparison import Comparison, at_least
from bench.contenders import APP, BOTH, TEXTBOOK, Contender, alternate
from bench.cpu import Stopwatch
from bench.deployed import DEFAULTS
from bench.figures import Options, Outcome, Row
from bench.measured_cloud import LATENCY_S, MeasuredCloud, NotEndedError, measured_cloud
from bench.progress import say
from local.ledger_calls import Call

NUMBER = 6
TITLE = "Status calls of 1,000 due rows, with answers after 200 ms"
GOAL_PERCENT = 90
DUE_ROWS: Mapping[Contender, int] = {APP: 1000, TEXTBOOK: 100}
DEFAULT_PARALLELISM, MORE_PARALLELISM = 16, 32
_SOON, _LATE = {"FIRST_POLL_S": "0.5"}, {"FIRST_POLL_S": "900"}
_NOTES = (
    "Half of the answers are final (a result is written and the row deleted), half are not (the row is written).",
    f"The textbook function makes one call after the other, so its rate is taken from {DUE_ROWS[TEXTBOOK]} rows.",
)


@dataclass(frozen=True)
class Polling:
    """One run."""

    per_s: float
    cores: str


def run(options: Options) -> Outcome:
    usual = alternate(options.runs, partial(_run, options, DEFAULT_PARALLELISM), BOTH)
    more = alternate(options.runs, partial(_run, options, MORE_PARALLELISM), (APP,))
    return outcome({DEFAULT_PARALLELISM: usual[APP], MORE_PARALLELISM: more[APP]}, usual[TEXTBOOK])


def outcome(app: Mapping[int, Sequence[Polling]], textbook: Sequence[Polling]) -> Outcome:
    """`app`: by parallelism."""
    rows = tuple(
        row for parallelism, runs in app.items() for row in _rows(parallelism, {APP: runs, TEXTBOOK: textbook})
    )
    cores = tuple(f"{count} at once, cores used in the last run: {runs[-1].cores}." for count, runs in app.items())
    return Outcome(NUMBER, TITLE, rows, (*_NOTES, *cores))


def _rows(parallelism: int, runs: Mapping[Contender, Sequence[Polling]]) -> Iterator[Row]:
    limit_per_s = parallelism / LATENCY_S
    both = Comparison(runs, f"{parallelism} at once")
    yield both.row("status calls/s", f"{limit_per_s:.0f}", lambda run: run.per_s)
    goal = at_least(GOAL_PERCENT)
    yield both.row("share of the limit", None, lambda run: 100 * run.per_s / limit_per_s, unit="%", goal=goal)


def _run(options: Options, parallelism: int, contender: Contender, run: int) -> Polling:
    folder = options.folder / f"{contender.name}-{parallelism}-{run}"
    polling = _measure(folder, contender, parallelism, options.scaled(DUE_ROWS[contender]))
    say(f"status calls, {parallelism} at once, {contender.name}, run {run}: {polling.per_s:.1f}/s")
    return polling


def _measure(folder: Path, contender: Contender, parallelism: int, rows: int) -> Polling:
    with measured_cloud(folder, contender) as cloud:
        _fill(cloud, rows)
        cloud.cloud.settings = {**DEFAULTS, **_LATE, "MAX_PARALLEL_CALLS": str(parallelism)}
        cloud.switch(api_latency_s=LATENCY_S)
        mark = cloud.mark()
        cloud.start_functions({"PollUpgrade": 1})
        watch = Stopwatch(cloud.cpu)
        _wait_for_polls(cloud, mark, rows)
        cores = watch.cores()
        return Polling(polls_per_s(cloud.calls(since=mark), rows), cores)


def _fill(cloud: MeasuredCloud, rows: int) -> None:
    """Has the contender create its own rows, which are due soon after."""
    cloud.cloud.settings = {**DEFAULTS, **_SOON}
    cloud.start_functions({"CreateUpgrade": 2})
    cloud.send(rows // 2, course={"polls": None})
    cloud.send(rows - rows // 2, course={"polls": 1})

    def is_filled() -> bool:
        return cloud.upgrades().total() == rows and cloud.is_queue_empty()

    if not cloud.wait_until(is_filled, timeout_s=60 + rows):
        raise NotEndedError(f"{cloud.contender.name}: {cloud.upgrades().total()} of {rows} upgrades were created")
    cloud.stop_functions()


def _wait_for_polls(cloud: MeasuredCloud, mark: int, rows: int) -> None:
    """First by what is cheap to ask for."""

    def has_completed() -> bool:
        return cloud.upgrades()["completed"] >= rows - rows // 2

    def has_polled_all() -> bool:
        return has_completed() and _polled(cloud.calls(since=mark), rows)

    timeout_s = 60 + 2 * rows * LATENCY_S
    if not (cloud.wait_until(has_completed, timeout_s=timeout_s) and cloud.wait_until(has_polled_all, timeout_s=60)):
        raise NotEndedError(f"{cloud.contender.name}: not all of {rows} due rows were polled")


def _polled(calls: Sequence[Call], rows: int) -> bool:
    return len({call.upgrade_id for call in calls if call.kind == "status"}) >= rows


def polls_per_s(calls: Sequence[Call], rows: int) -> float:
    """Over the first status calls, as many as rows were due: from the start of the first to the end of the last."""
    first = [call for call in calls if call.kind == "status"][:rows]
    return len(first) / (max(call.ended_s or 0 for call in first) - min(call.started_s for call in first))
