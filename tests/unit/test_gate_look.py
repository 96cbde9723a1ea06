"""The gate: who reads it when, who is let through, and what the answers have proved."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from shared.errors import StoreUnavailable
from shared.models import GateReason, GateState, Position
from tests.fakes import FakeClock
from tests.unit import rows
from tests.unit.gates import OUTAGE, SETTINGS, STARTS, TRANSITIONS, Table, new_gate


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_no_row_means_open(clock: FakeClock) -> None:
    assert new_gate(Table(), clock).look() == GateState(position=Position.OPEN)


def test_a_look_is_remembered_as_long_as_the_setting_says_and_no_longer(clock: FakeClock) -> None:
    table = Table()
    gate = new_gate(table, clock)
    gate.look()
    new_gate(table, clock).pause("maintenance")
    reads = table.reads
    clock.advance(SETTINGS.gate_cache_s - 0.001)
    assert gate.look().position is Position.OPEN
    assert table.reads == reads
    clock.advance(0.001)
    assert gate.look().position is Position.PAUSED


def test_a_wall_clock_that_jumps_makes_no_look_older_or_younger(clock: FakeClock) -> None:
    table = Table()
    gate = new_gate(table, clock)
    gate.look()
    for jump_s in (86_400, -172_800):
        clock.jump(jump_s)
        gate.look()
    assert table.reads == 1


def test_a_fresh_look_reads_and_others_profit_from_it(clock: FakeClock) -> None:
    table = Table()
    gate = new_gate(table, clock)
    gate.look()
    new_gate(table, clock).pause("maintenance")
    assert gate.look(fresh=True).position is Position.PAUSED
    assert gate.look().position is Position.PAUSED


def test_what_a_process_has_written_itself_it_sees_at_once(clock: FakeClock) -> None:
    gate = new_gate(Table(), clock)
    gate.look()
    gate.close(OUTAGE)
    assert gate.look().position is Position.CLOSED


def test_a_gate_that_cannot_be_read_raises_when_the_remembered_look_is_too_old(clock: FakeClock) -> None:
    table = Table()
    gate = new_gate(table, clock)
    gate.look()
    table.out = True
    assert gate.look().position is Position.OPEN
    clock.advance(SETTINGS.gate_cache_s)
    with pytest.raises(StoreUnavailable):
        gate.look()


def test_a_fresh_look_at_a_gate_that_cannot_be_read_raises_at_once(clock: FakeClock) -> None:
    table = Table()
    gate = new_gate(table, clock)
    gate.look()
    table.out = True
    with pytest.raises(StoreUnavailable):
        gate.look(fresh=True)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Released by each caller that waits for somebody else's look."""
    arrived = threading.Semaphore(0)

    class Shared(Future[Any]):
        def result(self, timeout: float | None = None) -> Any:
            arrived.release()
            return super().result(timeout)

    monkeypatch.setattr("shared.single_flight.Future", Shared)
    return arrived


def _look_at_once(table: Table, clock: FakeClock, waiting: threading.Semaphore, *, out: bool) -> list[Future[Any]]:
    """16 threads; the table hangs until all of them are waiting for it, and then answers or is out."""
    table.goes_on = threading.Event()
    gate = new_gate(table, clock)
    with ThreadPoolExecutor(16) as pool:
        looks = [pool.submit(gate.look, fresh=True) for _ in range(16)]
        all_wait = all(waiting.acquire(timeout=5) for _ in range(15))
        table.out = out
        table.goes_on.set()
    assert all_wait
    return looks


def test_sixteen_threads_that_look_at_once_make_one_read(clock: FakeClock, waiting: threading.Semaphore) -> None:
    table = Table("closed")
    looks = _look_at_once(table, clock, waiting, out=False)
    assert [look.result() for look in looks] == [table.gate] * 16
    assert table.reads == 1


def test_a_table_that_hangs_holds_each_caller_once_only(clock: FakeClock, waiting: threading.Semaphore) -> None:
    table = Table()
    looks = _look_at_once(table, clock, waiting, out=True)
    assert [type(look.exception()) for look in looks] == [StoreUnavailable] * 16
    assert table.reads == 1


def test_after_a_look_that_failed_the_next_one_reads_again(clock: FakeClock) -> None:
    table = Table()
    gate = new_gate(table, clock)
    table.out = True
    with pytest.raises(StoreUnavailable):
        gate.look()
    table.out = False
    assert gate.look().position is Position.OPEN


@pytest.mark.parametrize(
    ("start", "create", "other"),
    [
        ("no row", True, True),
        ("open", True, True),
        ("closed", False, False),
        ("past T", False, False),
        ("recovering", True, True),
        ("paused", False, True),
        ("paused until T", False, False),
    ],
)
def test_who_is_let_through(start: str, create: bool, other: bool, clock: FakeClock) -> None:
    table = Table(start)
    gate = new_gate(table, clock)
    assert gate.lets_through(table.gate, create=True) is create
    assert gate.lets_through(table.gate, create=False) is other


def test_a_recovering_gate_is_unproved_until_an_answer_lets_one_through(clock: FakeClock) -> None:
    gate = new_gate(Table("recovering"), clock)
    assert gate.is_unproved()
    gate.evidence.note_answer(rows.in_flight(), reason=GateReason.THROTTLED)
    assert gate.is_unproved()
    gate.evidence.note_answer(rows.in_flight())
    assert not gate.is_unproved()


@pytest.mark.parametrize("start", [start for start in STARTS if start != "recovering"])
def test_a_gate_that_does_not_recover_has_nothing_to_prove(start: str, clock: FakeClock) -> None:
    assert not new_gate(Table(start), clock).is_unproved()


def test_a_gate_that_cannot_be_read_has_nothing_to_prove(clock: FakeClock) -> None:
    table = Table("recovering")
    table.out = True
    assert not new_gate(table, clock).is_unproved()


@pytest.mark.parametrize(("start", "transition"), [("open", "close"), ("recovering", "close"), ("past T", "recover")])
def test_closing_and_recovering_begin_the_evidence_anew(start: str, transition: str, clock: FakeClock) -> None:
    gate = new_gate(Table(start), clock)
    gate.evidence.note_answer(rows.in_flight())
    TRANSITIONS[transition](gate)
    assert not gate.evidence.proved
    assert not gate.evidence.others_get_through(rows.in_flight())


def test_trouble_that_finds_the_gate_closed_takes_no_evidence_away(clock: FakeClock) -> None:
    gate = new_gate(Table("closed"), clock)
    gate.evidence.note_answer(rows.in_flight())
    gate.close(OUTAGE)
    assert gate.evidence.proved
