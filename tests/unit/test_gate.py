"""The gate: what every transition makes of every position."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.gate import Trouble
from shared.models import GateReason, GateState, Position
from tests.fakes import NOON, FakeClock
from tests.unit.gates import LATER, OUTAGE, STARTS, TRANSITIONS, Table, events, names, new_gate

# Where a transition writes: the position afterwards, T, and the event. Everywhere else it must change nothing.
CHANGES: dict[tuple[str, str], tuple[Position, datetime | None, str | None]] = {
    ("no row", "close"): (Position.CLOSED, NOON + timedelta(seconds=30), "gate.closed"),
    ("open", "close"): (Position.CLOSED, NOON + timedelta(seconds=30), "gate.closed"),
    ("recovering", "close"): (Position.CLOSED, NOON + timedelta(seconds=60), "gate.closed"),
    ("paused", "close"): (Position.PAUSED, NOON + timedelta(seconds=30), None),
    ("past T", "recover"): (Position.RECOVERING, NOON, "gate.recovering"),
    ("recovering", "open"): (Position.OPEN, None, "gate.opened"),
    ("no row", "pause"): (Position.PAUSED, None, "gate.paused"),
    ("open", "pause"): (Position.PAUSED, None, "gate.paused"),
    ("closed", "pause"): (Position.PAUSED, LATER, "gate.paused"),
    ("past T", "pause"): (Position.PAUSED, NOON, "gate.paused"),
    ("recovering", "pause"): (Position.PAUSED, None, "gate.paused"),
    ("paused", "resume"): (Position.RECOVERING, NOON, "gate.recovering"),
    ("paused until T", "resume"): (Position.RECOVERING, NOON, "gate.recovering"),
    ("closed", "mend"): (Position.CLOSED, NOON, None),
    ("paused until T", "mend"): (Position.PAUSED, NOON, None),
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(autouse=True)
def _see_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


@pytest.mark.parametrize("transition", TRANSITIONS)
@pytest.mark.parametrize("start", STARTS)
def test_every_transition_from_every_position(
    start: str, transition: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    table = Table(start)
    before = table.gate
    TRANSITIONS[transition](new_gate(table, clock))
    change = CHANGES.get((start, transition))
    if change is None:
        assert (table.gate, table.writes, names(caplog)) == (before, 0, [])
        return
    position, until_at, event = change
    assert (table.gate.position, table.gate.until_at) == (position, until_at)
    assert table.writes == 1
    assert names(caplog) == ([event] if event else [])


@pytest.mark.parametrize("transition", TRANSITIONS)
@pytest.mark.parametrize("start", STARTS)
def test_a_transition_made_twice_is_written_and_logged_once(
    start: str, transition: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    table = Table(start)
    gate = new_gate(table, clock)
    TRANSITIONS[transition](gate)
    once = (table.gate, table.writes, names(caplog))
    TRANSITIONS[transition](gate)
    assert (table.gate, table.writes, names(caplog)) == once


def test_a_closing_says_why_until_when_and_by_which_row(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    table = Table()
    assert new_gate(table, clock).close(OUTAGE)
    state = table.gate
    assert (state.reason, state.detail, state.closed_by) == (GateReason.UNAVAILABLE, "unknown outcomes", "a row")
    assert (state.changed_at, state.closures) == (NOON, 1)
    until = "2026-03-01T12:00:30+00:00"
    fields = {"reason": "unavailable", "detail": "unknown outcomes", "until": until}
    assert events(caplog) == [("gate.closed", fields)]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_recovering_keeps_why_it_was_closed_and_says_so(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    table = Table()
    gate = new_gate(table, clock)
    gate.close(OUTAGE)
    closed = table.gate
    clock.advance(30)
    gate.recover()
    assert table.gate == replace(closed, position=Position.RECOVERING, etag=table.gate.etag)
    assert events(caplog)[-1] == ("gate.recovering", {"reason": "unavailable"})


def test_opening_leaves_nothing_of_the_trouble_but_when_it_ended(clock: FakeClock) -> None:
    table = Table("recovering")
    new_gate(table, clock).open()
    assert table.gate == GateState(changed_at=NOON, etag=table.gate.etag)


def test_how_long_it_was_closed_counts_from_the_first_closing(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    gate = new_gate(Table(), clock)
    for wait_s in (30, 60):
        gate.close(OUTAGE)
        clock.advance(wait_s)
        gate.recover()
    clock.advance(5)
    gate.open()
    assert events(caplog)[-1] == ("gate.opened", {"reason": "unavailable", "closed_s": 95.0})


def test_a_pause_keeps_the_closures_in_a_row(clock: FakeClock) -> None:
    table = Table("recovering")
    gate = new_gate(table, clock)
    gate.pause("maintenance")
    assert (table.gate.reason, table.gate.detail, table.gate.closures) == (GateReason.OPERATOR, "maintenance", 1)
    gate.resume()
    assert table.gate.closures == 1


def test_closures_in_a_row_double_the_wait_up_to_the_longest(clock: FakeClock) -> None:
    table = Table()
    gate = new_gate(table, clock)
    waits = []
    for _ in range(10):
        gate.close(OUTAGE)
        assert table.gate.until_at
        waits.append((table.gate.until_at - clock.now()).total_seconds())
        clock.advance(waits[-1])
        gate.recover()
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_throttling_does_not_count_as_a_closure_in_a_row(clock: FakeClock) -> None:
    table = Table()
    gate = new_gate(table, clock)
    for _ in range(5):
        gate.close(Trouble(GateReason.THROTTLED, "429", 1))
        clock.advance(1)
        gate.recover()
    gate.close(OUTAGE)
    assert table.gate.closures == 1
    assert table.gate.until_at == clock.now() + timedelta(seconds=30)


def test_a_gate_that_was_open_in_between_begins_with_the_first_wait_again(clock: FakeClock) -> None:
    table = Table("recovering")
    gate = new_gate(table, clock)
    gate.open()
    gate.close(OUTAGE)
    assert table.gate.until_at == NOON + timedelta(seconds=30)


def test_the_wait_is_spread_upwards_only(clock: FakeClock) -> None:
    table = Table()
    new_gate(table, clock, random=0.999).close(Trouble(GateReason.THROTTLED, "429", 100))
    assert table.gate.until_at
    assert 109 < (table.gate.until_at - NOON).total_seconds() <= 110


def test_a_retry_after_moves_the_time_of_a_closed_gate_later(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    table = Table("closed")
    before = table.gate
    assert new_gate(table, clock).close(Trouble(GateReason.THROTTLED, "429", 600, "another row"))
    assert table.gate == replace(before, until_at=NOON + timedelta(seconds=600), etag=table.gate.etag)
    assert not events(caplog)


@pytest.mark.parametrize("wait_s", [0, 10, 300])
def test_a_retry_after_never_moves_it_earlier(wait_s: float, clock: FakeClock) -> None:
    table = Table("closed")
    before = table.gate
    assert new_gate(table, clock).close(Trouble(GateReason.THROTTLED, "429", wait_s))
    assert table.gate is before


@pytest.mark.parametrize("reason", [GateReason.UNAVAILABLE, GateReason.CREDENTIALS])
def test_other_trouble_finds_a_closed_gate_closed_enough(reason: GateReason, clock: FakeClock) -> None:
    table = Table("closed")
    before = table.gate
    assert new_gate(table, clock).close(Trouble(reason, "x", wait_s=3000))
    assert table.gate is before


@pytest.mark.parametrize("reason", [GateReason.THROTTLED, GateReason.UNAVAILABLE, GateReason.CREDENTIALS])
def test_trouble_in_a_pause_is_noted_and_until_then_nobody_calls(reason: GateReason, clock: FakeClock) -> None:
    table = Table("paused")
    gate = new_gate(table, clock)
    assert gate.lets_through(table.gate, create=False)
    assert gate.close(Trouble(reason, "what happened", 60))
    assert (table.gate.position, table.gate.reason) == (Position.PAUSED, GateReason.OPERATOR)
    assert table.gate.detail == "what happened"
    assert not gate.lets_through(table.gate, create=False)
    clock.advance(60)
    assert gate.lets_through(table.gate, create=False)
    assert not gate.lets_through(table.gate, create=True)


def test_trouble_in_a_pause_waits_longer_each_time() -> None:
    clock, table, waits = FakeClock(), Table("paused"), list[float]()
    gate = new_gate(table, clock)
    for _ in range(4):
        gate.close(Trouble(GateReason.CREDENTIALS, "2032"))
        assert table.gate.until_at
        waits.append((table.gate.until_at - clock.now()).total_seconds())
        clock.advance(waits[-1])
    assert waits == [30, 60, 120, 240]


def test_a_pause_of_a_closed_gate_is_logged_as_the_operators(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    gate = new_gate(Table("closed"), FakeClock())
    gate.pause("maintenance")
    (line,) = [r.getMessage() for r in caplog.records if r.getMessage().startswith("gate.paused")]
    assert '"reason": "operator"' in line
    assert '"detail": "maintenance"' in line
