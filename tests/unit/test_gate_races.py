"""The gate: several processes write at the same moment, or the table does not answer."""

import logging
from datetime import timedelta

import pytest

from shared.errors import StoreUnavailable
from shared.gate import Trouble
from shared.models import GateReason, Position
from tests.fakes import NOON, FakeClock
from tests.unit.gates import OUTAGE, TRANSITIONS, Table, events, names, new_gate

# Ours, what another process writes at the worst moment, and what must come of it: position, T, events.
RACES = {
    "a pause survives a probe that succeeds": (
        "recovering", "open", "pause", (Position.PAUSED, None, ["gate.paused"]),
    ),
    "a pause survives the move to recovering": (
        "past T", "recover", "pause", (Position.PAUSED, NOON, ["gate.paused"]),
    ),
    "trouble meets a pause and is noted in it": (
        "open", "close", "pause", (Position.PAUSED, NOON + timedelta(seconds=30), ["gate.paused"]),
    ),
    "a pause keeps the time of a closing": (
        "open", "pause", "close", (Position.PAUSED, NOON + timedelta(seconds=30), ["gate.closed", "gate.paused"]),
    ),
    "two processes close an open gate": (
        "open", "close", "close", (Position.CLOSED, NOON + timedelta(seconds=30), ["gate.closed"]),
    ),
    "two processes make the first row": (
        "no row", "close", "close", (Position.CLOSED, NOON + timedelta(seconds=30), ["gate.closed"]),
    ),
    "two processes close a recovering gate": (
        "recovering", "close", "close", (Position.CLOSED, NOON + timedelta(seconds=60), ["gate.closed"]),
    ),
    "trouble survives an opening": (
        "recovering", "open", "close", (Position.CLOSED, NOON + timedelta(seconds=60), ["gate.closed"]),
    ),
    "trouble right after an opening counts as the first": (
        "recovering", "close", "open", (Position.CLOSED, NOON + timedelta(seconds=30), ["gate.opened", "gate.closed"]),
    ),
    "two processes recover": (
        "past T", "recover", "recover", (Position.RECOVERING, NOON, ["gate.recovering"]),
    ),
    "two processes open": ("recovering", "open", "open", (Position.OPEN, None, ["gate.opened"])),
    "two operators pause": ("open", "pause", "pause", (Position.PAUSED, None, ["gate.paused"])),
    "two operators resume": (
        "paused", "resume", "resume", (Position.RECOVERING, NOON, ["gate.recovering"]),
    ),
    "a resume ends the time that trouble has just set": (
        "paused", "resume", "close", (Position.RECOVERING, NOON, ["gate.recovering"]),
    ),
    "trouble closes what has just been resumed": (
        "paused", "close", "resume",
        (Position.CLOSED, NOON + timedelta(seconds=30), ["gate.recovering", "gate.closed"]),
    ),
    "a mending meets a pause": ("closed", "mend", "pause", (Position.PAUSED, NOON, ["gate.paused"])),
    "a mending meets another": ("closed", "mend", "mend", (Position.CLOSED, NOON, [])),
}  # fmt: skip


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(autouse=True)
def _see_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


@pytest.mark.parametrize("race", RACES)
def test_who_loses_reads_again_and_decides_anew(race: str, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    start, ours, theirs, expected = RACES[race]
    table = Table(start)
    table.meanwhile.append(lambda: TRANSITIONS[theirs](new_gate(table, clock)))
    TRANSITIONS[ours](new_gate(table, clock))
    assert (table.gate.position, table.gate.until_at, names(caplog)) == expected


def test_two_closings_at_once_count_as_one_and_the_first_one_names_the_reason(clock: FakeClock) -> None:
    table = Table("open")
    table.meanwhile.append(lambda: new_gate(table, clock).close(Trouble(GateReason.CREDENTIALS, "2032")))
    assert new_gate(table, clock).close(OUTAGE)
    assert (table.gate.reason, table.gate.detail, table.gate.closures) == (GateReason.CREDENTIALS, "2032", 1)


def test_a_retry_after_that_loses_to_another_closing_still_moves_its_time(clock: FakeClock) -> None:
    table = Table("open")
    table.meanwhile.append(lambda: new_gate(table, clock).close(OUTAGE))
    assert new_gate(table, clock).close(Trouble(GateReason.THROTTLED, "429", 57))
    assert (table.gate.reason, table.gate.until_at) == (GateReason.UNAVAILABLE, NOON + timedelta(seconds=57))


def test_a_gate_whose_time_is_moved_at_the_last_moment_does_not_recover(clock: FakeClock) -> None:
    table = Table("past T")
    table.meanwhile.append(lambda: new_gate(table, clock).close(Trouble(GateReason.THROTTLED, "429", 57)))
    new_gate(table, clock).recover()
    assert (table.gate.position, table.gate.until_at) == (Position.CLOSED, NOON + timedelta(seconds=57))


def test_who_loses_again_and_again_does_not_give_up(clock: FakeClock) -> None:
    table = Table("past T")
    for wait_s in range(5):
        trouble = Trouble(GateReason.THROTTLED, "429", 100 + wait_s)
        table.meanwhile.append(lambda trouble=trouble: new_gate(table, clock).close(trouble))  # type: ignore[misc]
    new_gate(table, clock).pause("maintenance")
    assert (table.gate.position, table.gate.until_at) == (Position.PAUSED, NOON + timedelta(seconds=104))


@pytest.mark.parametrize("broken", ["out", "unwritable"])
def test_a_closing_that_cannot_be_written_says_so_and_holds_nobody(
    broken: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    table = Table()
    setattr(table, broken, True)
    gate = new_gate(table, clock)
    assert not gate.close(OUTAGE)
    assert not events(caplog)
    setattr(table, broken, False)
    assert gate.look().position is Position.OPEN


def test_a_closing_that_finds_it_closed_counts_as_written(clock: FakeClock) -> None:
    assert new_gate(Table("closed"), clock).close(OUTAGE)


@pytest.mark.parametrize(
    ("start", "transition"),
    [("past T", "recover"), ("recovering", "open"), ("open", "pause"), ("paused", "resume"), ("closed", "mend")],
)
@pytest.mark.parametrize("broken", ["out", "unwritable"])
def test_any_other_transition_that_cannot_be_written_raises_and_leaves_the_gate(
    start: str, transition: str, broken: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    table = Table(start)
    before = table.gate
    setattr(table, broken, True)
    with pytest.raises(StoreUnavailable):
        TRANSITIONS[transition](new_gate(table, clock))
    assert table.gate is before
    assert not events(caplog)
