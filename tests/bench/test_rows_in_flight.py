"""Scenario 5: which rows come due, and what is computed of the ticks over them."""

import time

import pytest
from azure.core.pipeline.transport import RequestsTransport

from bench.figures import Figure, Outcome, Row
from bench.filled_tables import is_due
from bench.scenarios.rows_in_flight import DUE_PERCENT, IN_FLIGHT, MORE_DUE_OF, MORE_DUE_PERCENT, outcome
from bench.ticks_alone import Tick
from bench.waits import Effort, TimedTransport
from shared.transport import new_session


def _tick(in_flight: int, due: int, *, beyond_store_s: float = 1.0, peak_mb: float = 100) -> Tick:
    """Calls take 10 ms a row that is due, the store 20 ms a thousand rows in flight."""
    store_s = in_flight / 50_000
    reading = Effort(store_s + beyond_store_s, store_s, 0.5)
    return Tick(in_flight, due, reading + Effort(due / 100, 0, 0.1), peak_mb, reading, counting=Effort(9, 4, 5))


def _outcome(*, beyond_store_s: float = 1.0, peak_mb: float = 100, calls_s: float = 0.0) -> Outcome:
    """`calls_s`: that the calls took longer where most were due."""
    sizes = [[_tick(size, size // 100, beyond_store_s=beyond_store_s, peak_mb=peak_mb)] * 3 for size in IN_FLIGHT]
    more = [[_tick(MORE_DUE_OF, MORE_DUE_OF * percent // 100)] * 3 for percent in MORE_DUE_PERCENT]
    slower = [Tick(t.in_flight, t.due, t.whole + Effort(calls_s), t.peak_mb, t.reading, t.counting) for t in more[-1]]
    return outcome(sizes, [*more[:-1], slower], [Tick(100, 100, Effort(25), 80)])


def _row(found: Outcome, name: str) -> Row:
    (row,) = [row for row in found.rows if row.measured == name]
    return row


@pytest.mark.parametrize("percent", [DUE_PERCENT, *MORE_DUE_PERCENT])
def test_of_every_hundred_rows_the_same_share_comes_due(percent: int) -> None:
    for first in (0, 100, 99_900):
        assert sum(is_due(number, percent) for number in range(first, first + 100)) == percent


def test_a_tick_is_split_into_reading_and_calling_each_beside_its_limit() -> None:
    found = _outcome()
    subject = "10,000 in flight, 100 due"
    reading, calling = (_row(found, f"{subject}: {part}") for part in ("reading", "calling"))
    assert (reading.limit, reading.app) == (Figure((0.2,) * 3, "s"), Figure((1.2,) * 3, "s"))
    assert isinstance(calling.limit, Figure)
    assert isinstance(calling.app, Figure)
    # Seven times 16 calls of 200 ms each.
    assert [calling.limit.median, calling.app.median] == pytest.approx([1.4, 1.0])


def test_the_textbook_function_asks_for_all_rows_in_proportion() -> None:
    found = _outcome()
    assert _row(found, "1,000 in flight, 10 due: tick").textbook == "~ 250 s"
    assert _row(found, "10,000 in flight, 2,000 due: tick").textbook == "~ 2,500 s"


@pytest.mark.parametrize(("beyond_store_s", "met"), [(1.9, True), (2.1, False)])
def test_the_goal_of_reading_is_asked_of_what_goes_beyond_the_store(beyond_store_s: float, *, met: bool) -> None:
    row = _row(_outcome(beyond_store_s=beyond_store_s), "reading at 20,000 in flight, beyond the store")
    assert row.met is met


@pytest.mark.parametrize(("peak_mb", "met"), [(249, True), (250, False)])
def test_the_goal_of_memory_is_asked_of_the_most_rows(peak_mb: float, *, met: bool) -> None:
    assert _row(_outcome(peak_mb=peak_mb), "memory at 100,000 in flight").met is met


@pytest.mark.parametrize(("calls_s", "met"), [(0, True), (3, False)])
def test_calling_is_linear_if_it_grows_no_faster_than_the_rows_due(calls_s: float, *, met: bool) -> None:
    row = _row(_outcome(calls_s=calls_s), "2,000 due against 100: calling")
    assert (row.limit, row.met) == ("20x", met)


def test_what_the_store_takes_is_left_out_of_what_must_be_linear() -> None:
    row = _row(_outcome(beyond_store_s=0.5), "100,000 in flight against 10,000: tick beyond the store")
    assert row.app == Figure((7.0,) * 3, "x")


def test_the_plots_show_medians_over_rows_in_flight_and_over_rows_due() -> None:
    in_flight, due = _outcome().plots
    assert in_flight.title.startswith("A tick by rows in flight")
    assert [x for x, _ in in_flight.curves[0].points] == list(IN_FLIGHT)
    assert [x for x, _ in due.curves[0].points] == [100, 500, 2000]


def test_waiting_for_answers_is_counted_and_told_from_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0

    def answer(self: RequestsTransport, request: object) -> str:
        nonlocal now_s
        now_s += 2
        return "answer"

    monkeypatch.setattr(RequestsTransport, "send", answer)
    monkeypatch.setattr(time, "monotonic", lambda: now_s)

    def work() -> str:
        nonlocal now_s
        now_s += 1
        return str(transport.send("request"))

    with new_session(connections=1) as session:
        transport = TimedTransport(session)
        transport.send("before")
        found, effort = transport.measure(work)
    assert (found, effort.elapsed_s, effort.store_s, effort.beyond_store_s) == ("answer", 3, 2, 1)
