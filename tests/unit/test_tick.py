"""A tick: what is due, oldest first, as far as gate and budget let it."""

import json
import logging
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared import errors
from shared.errors import StoreUnavailable
from shared.models import GateReason, GateState, InFlightUpgrade, Position, State, Status
from shared.pace import Pace
from shared.ports import MaySend
from shared.tick import Poller
from shared.upgrades import claim
from tests.fakes import NOON, FakePartnerCenter, FakeTokens, InMemoryStore, World, request, settings


def _deferred(world: World, count: int, *, first: int = 0) -> None:
    """Requests of so many customers, claimed while the gate was closed."""
    gate, world.store.gate = world.store.gate, GateState(position=Position.PAUSED, etag="x")
    for number in range(first, first + count):
        claim(world.new_ports(), request(customer_id=f"00000000-0000-4000-8000-{number:012d}"))
    world.store.gate = gate


def _tick(world: World, poller: Poller | None = None) -> None:
    (poller or Poller(world.ports, FakeTokens())).tick()


def _heartbeat(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    """The last one."""
    lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith("poll.tick ")]
    found: dict[str, object] = json.loads(lines[-1].removeprefix("poll.tick "))
    return found


@pytest.fixture(autouse=True)
def _see_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def test_all_due_rows_are_submitted_and_the_others_left_alone() -> None:
    world = World()
    _deferred(world, 40)
    late = next(iter(world.store.in_flight.values()))
    world.store.update_in_flight(replace(late, next_attempt_at=NOON + timedelta(seconds=1)))
    _tick(world)
    assert len(world.partner_center.creates) == 39
    assert world.store.in_flight[late.key].attempts == 0


def test_rows_are_taken_oldest_first() -> None:
    world = World(settings=settings(max_parallel_calls=1))
    _deferred(world, 5)
    for place, row in enumerate(list(world.store.in_flight.values())):
        world.store.update_in_flight(replace(row, next_attempt_at=NOON - timedelta(seconds=place)))
    _tick(world)
    assert [call.key[-7] for call in world.partner_center.creates] == ["4", "3", "2", "1", "0"]


def test_the_heartbeat_says_what_was_done(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    _deferred(world, 3)
    _tick(world)
    beat = _heartbeat(caplog)
    assert (beat["due"], beat["submitted"], beat["polled"], beat["finished"], beat["left"]) == (3, 3, 0, 0, 0)
    assert (beat["gate"], beat["parallelism"], beat["token_age_d"]) == ("open", 16, 1.5)
    assert (beat["in_flight"], beat["overdue"], beat["oldest_waiting_s"]) == (3, 0, 0)


def test_the_census_is_taken_once_per_interval(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    poller = Poller(world.ports, FakeTokens())
    _tick(world, poller)
    _tick(world, poller)
    assert "in_flight" not in _heartbeat(caplog)
    world.clock.advance(world.settings.census_s)
    _tick(world, poller)
    assert "in_flight" in _heartbeat(caplog)


def test_the_census_counts_overdue_upgrades_and_the_longest_wait(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    _deferred(world, 2)
    one, other = list(world.store.in_flight.values())
    later = world.clock.now() + timedelta(days=9)
    world.store.update_in_flight(
        replace(one, state=State.IN_PROGRESS, upgrade_id="u", submitted_at=NOON, next_attempt_at=later)
    )
    world.store.update_in_flight(replace(other, next_attempt_at=later))
    world.clock.advance(world.settings.upgrade_deadline_h * 3600)
    _tick(world)
    beat = _heartbeat(caplog)
    assert (beat["in_flight"], beat["overdue"]) == (2, 1)
    assert beat["oldest_waiting_s"] == world.settings.upgrade_deadline_h * 3600


def test_an_empty_table_is_looked_at_once_and_the_tick_ends(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    _tick(world)
    assert _heartbeat(caplog)["due"] == 0
    assert not world.clock.slept


def test_a_tick_goes_on_with_what_became_due_meanwhile() -> None:
    world = World(settings=settings(first_poll_s=1, max_poll_s=1, max_parallel_calls=1))
    _deferred(world, 2)
    world.partner_center = _Slow(world, 4)
    world.ports = world.new_ports()
    _tick(world)
    assert len(world.partner_center.creates) == 2
    assert len(world.partner_center.statuses) == 1  # of the first, due since the second one's call


def test_a_row_that_cannot_be_held_by_the_gate_waits_by_itself() -> None:
    world = World(store=_GateUnwritable())
    _deferred(world, 1)
    world.partner_center.create_fates.extend([errors.TokenUnavailable("out")] * 1000)
    _tick(world)
    assert len(world.partner_center.create_fates) == 999
    assert world.row.next_attempt_at == world.clock.now() + timedelta(seconds=world.settings.retry_first_s)


class _GateUnwritable(InMemoryStore):
    def write_gate(self, state: GateState) -> GateState:
        raise StoreUnavailable


def test_a_tick_ends_at_its_budget_and_the_next_one_goes_on_with_the_oldest() -> None:
    world = World(settings=settings(max_parallel_calls=1, tick_budget_s=10))
    _deferred(world, 6)
    for place, row in enumerate(list(world.store.in_flight.values())):
        world.store.update_in_flight(replace(row, next_attempt_at=NOON - timedelta(seconds=place)))
    world.partner_center = _Slow(world, 4)
    world.ports = world.new_ports()
    _tick(world)
    assert [call.key[-7] for call in world.partner_center.creates] == ["5", "4", "3"]
    _tick(world)
    assert [call.key[-7] for call in world.partner_center.creates] == ["5", "4", "3", "2", "1", "0"]


class _Slow(FakePartnerCenter):
    def __init__(self, world: World, call_s: float) -> None:
        super().__init__(world.clock)
        self._world, self._call_s = world, call_s

    def create_upgrade(self, row: InFlightUpgrade, *, lease_ends: float, may_send: MaySend) -> object:  # type: ignore[override]
        created = super().create_upgrade(row, lease_ends=lease_ends, may_send=may_send)
        self._world.clock.advance(self._call_s)
        return created


def test_an_unreadable_gate_ends_the_run_without_a_heartbeat(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.store.out = True
    with pytest.raises(StoreUnavailable):
        _tick(world)
    assert "poll.tick" not in caplog.text


def _closed(world: World, wait_s: float, reason: GateReason = GateReason.THROTTLED) -> None:
    until_at = world.clock.now() + timedelta(seconds=wait_s)
    world.store.write_gate(
        GateState(
            position=Position.CLOSED, reason=reason, until_at=until_at, changed_at=NOON, etag=world.store.gate.etag
        )
    )


def test_a_gate_closed_beyond_the_budget_lets_no_call_through() -> None:
    world = World()
    _deferred(world, 3)
    _closed(world, world.settings.tick_budget_s + 1)
    _tick(world)
    assert not world.partner_center.creates
    assert not world.clock.slept


def test_a_gate_closed_within_the_budget_is_waited_for_and_opened_again() -> None:
    world = World()
    _deferred(world, 3)
    _closed(world, 57)
    _tick(world)
    assert sum(world.clock.slept) == pytest.approx(57)
    assert len(world.partner_center.creates) == 3
    assert world.store.gate.position is Position.OPEN


def test_while_a_gate_is_waited_for_the_rows_are_not_read_again() -> None:
    world = World(store=_CountsLooks())
    _deferred(world, 3)
    _closed(world, 57)
    _tick(world)
    assert len(world.clock.slept) > 10
    assert _looks_before(world, 57) == 1
    assert len(world.partner_center.creates) == 3


class _CountsLooks(InMemoryStore):
    """`looks`: the instants that rows were asked for as due at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[datetime] = []

    def list_due(self, now: datetime) -> list[InFlightUpgrade]:
        self.looks.append(now)
        return super().list_due(now)


def _looks_before(world: World, wait_s: float) -> int:
    assert isinstance(world.store, _CountsLooks)
    return sum(at < NOON + timedelta(seconds=wait_s) for at in world.store.looks)


@pytest.mark.parametrize("position", [Position.RECOVERING, Position.PAUSED, None])
def test_a_gate_that_somebody_moves_while_it_is_waited_for_is_seen_at_once(position: Position | None) -> None:
    world = World(store=_MovedByAPerson(position))
    _deferred(world, 1)
    _closed(world, 200)
    _tick(world)
    assert sum(world.clock.slept) == pytest.approx(world.settings.gate_cache_s)
    assert len(world.partner_center.creates) == (0 if position is Position.PAUSED else 1)


class _MovedByAPerson(InMemoryStore):
    """The gate is read once as it is; at the third look a person has moved it. `to` None: has moved T to now."""

    def __init__(self, to: Position | None) -> None:
        super().__init__()
        self._to = to
        self._looks = 0

    def get_gate(self) -> GateState:
        gate = super().get_gate()
        self._looks += gate.position is Position.CLOSED
        if gate.position is not Position.CLOSED or self._looks < 3:
            return gate
        changed = {"until_at": NOON} if self._to is None else {"position": self._to, "until_at": None}
        return self.write_gate(replace(gate, **changed))


def test_a_gate_past_its_time_recovers_with_one_call_at_first() -> None:
    world = World(settings=settings(max_parallel_calls=8))
    _deferred(world, 30)
    _closed(world, 0)
    world.partner_center = _CountsAtOnce(world)
    world.ports = world.new_ports()
    _tick(world)
    assert len(world.partner_center.creates) == 30
    assert world.store.gate.position is Position.OPEN


class _CountsAtOnce(FakePartnerCenter):
    """The first call of a recovery must be alone: it finds out."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self._world = world

    def create_upgrade(self, row: InFlightUpgrade, *, lease_ends: float, may_send: MaySend) -> object:  # type: ignore[override]
        if not self.creates:
            taken = [r for r in self._world.store.in_flight.values() if r.next_attempt_at > NOON]
            assert len(taken) == 1
        return super().create_upgrade(row, lease_ends=lease_ends, may_send=may_send)


def test_a_probe_that_is_throttled_closes_the_gate_again() -> None:
    world = World()
    _deferred(world, 5)
    _closed(world, 0)
    world.partner_center.create_fates.append(errors.Throttled(retry_after_s=1000))
    _tick(world)
    assert len(world.partner_center.creates) == 1
    assert world.store.gate.position is Position.CLOSED


def test_a_tick_whose_last_row_is_throttled_waits_for_it_and_goes_on() -> None:
    """Else the last upgrade of a wave would be finished a minute later, and the direct path be closed until then."""
    world = World()
    _deferred(world, 1)
    world.partner_center.create_fates.append(errors.Throttled(retry_after_s=2))
    _tick(world)
    assert len(world.partner_center.creates) == 2
    assert world.store.gate.position is Position.OPEN


@pytest.mark.parametrize(("got_through", "learns"), [(1, True), (2, False)])
def test_the_pace_learns_nothing_from_a_429_beside_which_most_calls_got_through(
    got_through: int, learns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    _deferred(world, 1)
    (row,) = world.store.in_flight.values()
    _closed(world, 0)
    world.ports.gate.evidence.gate_closed()
    for _ in range(got_through):
        world.ports.gate.evidence.note_answer(row)
    told = list[bool]()
    monkeypatch.setattr(Pace, "recover", lambda _self, _recovery, *, throttled: told.append(throttled))
    _tick(world)
    assert told[0] is learns


def test_recovering_from_credential_trouble_drops_the_token_first() -> None:
    world = World()
    _deferred(world, 1)
    _closed(world, 0, GateReason.CREDENTIALS)
    tokens = FakeTokens()
    Poller(world.ports, tokens).tick()
    assert tokens.dropped == 1


def test_the_gate_opens_under_a_steady_stream_of_new_requests() -> None:
    world = World(settings=settings(max_parallel_calls=1))
    _deferred(world, 3)
    _closed(world, 0)
    stream = _Stream(world)
    world.partner_center = stream
    world.ports = world.new_ports()
    _tick(world)
    assert world.store.gate.position is Position.OPEN


class _Stream(FakePartnerCenter):
    """A new request arrives, and is deferred, with every create call of the first twenty."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self._world = world

    def create_upgrade(self, row: InFlightUpgrade, *, lease_ends: float, may_send: MaySend) -> object:  # type: ignore[override]
        if len(self.creates) < 20:
            _deferred(self._world, 1, first=100 + len(self.creates))
        return super().create_upgrade(row, lease_ends=lease_ends, may_send=may_send)


def test_in_a_pause_status_calls_go_on_and_create_calls_do_not() -> None:
    world = World()
    _deferred(world, 2)
    one, _ = list(world.store.in_flight.values())
    world.store.update_in_flight(
        replace(one, state=State.IN_PROGRESS, upgrade_id="u", submitted_at=NOON, next_attempt_at=NOON)
    )
    world.store.write_gate(GateState(position=Position.PAUSED, reason=GateReason.OPERATOR))
    _tick(world)
    assert not world.partner_center.creates
    assert world.partner_center.statuses == ["u"]


@pytest.mark.parametrize("position", list(Position))
def test_a_withdrawn_row_is_ended_at_any_position_of_the_gate(position: Position) -> None:
    world = World()
    _deferred(world, 1)
    world.store.update_in_flight(replace(world.row, state=State.WITHDRAWN))
    until_at = world.clock.now() + timedelta(days=1)
    world.store.write_gate(GateState(position=position, until_at=until_at, changed_at=NOON))
    _tick(world)
    assert world.result().status is Status.CANCELLED


def test_in_a_pause_with_trouble_nobody_calls_or_asks_for_a_token_until_its_time() -> None:
    world = World()
    _deferred(world, 1)
    due = replace(world.row, state=State.IN_PROGRESS, upgrade_id="u", submitted_at=NOON, next_attempt_at=NOON)
    world.store.update_in_flight(due)
    until_at = world.clock.now() + timedelta(seconds=600)
    world.store.write_gate(GateState(position=Position.PAUSED, reason=GateReason.OPERATOR, until_at=until_at))
    tokens = FakeTokens()
    _tick(world, Poller(world.ports, tokens))
    assert not world.partner_center.statuses
    assert tokens.renewals == tokens.exchanges == 0
    world.clock.advance(601)
    _tick(world, Poller(world.ports, tokens))
    assert world.partner_center.statuses == ["u"]


def test_trouble_of_a_status_call_in_a_pause_does_not_loop() -> None:
    world = World()
    _deferred(world, 1)
    due = replace(world.row, state=State.IN_PROGRESS, upgrade_id="u", submitted_at=NOON, next_attempt_at=NOON)
    world.store.update_in_flight(due)
    world.store.write_gate(GateState(position=Position.PAUSED, reason=GateReason.OPERATOR))
    world.partner_center.status_fates.extend([errors.TokenRefused("no", code="invalid_grant")] * 100)
    _tick(world)
    assert len(world.partner_center.status_fates) == 99
    assert world.store.gate.position is Position.PAUSED
    assert world.store.gate.detail == "invalid_grant"


def test_a_new_process_that_meets_a_recovery_begins_with_one_call() -> None:
    world = World(settings=settings(max_parallel_calls=8))
    _deferred(world, 30)
    world.store.write_gate(GateState(position=Position.RECOVERING, reason=GateReason.THROTTLED, changed_at=NOON))
    world.partner_center = _CountsAtOnce(world)
    world.ports = world.new_ports()
    _tick(world)
    assert len(world.partner_center.creates) == 30


def test_a_scheduled_renewal_is_tried_in_every_tick_but_not_while_credentials_are_wrong() -> None:
    world = World()
    tokens = FakeTokens()
    _tick(world, Poller(world.ports, tokens))
    assert tokens.renewals == 1
    _closed(world, 10_000, GateReason.CREDENTIALS)
    _tick(world, Poller(world.ports, tokens))
    assert tokens.renewals == 1


def test_a_renewal_that_is_refused_closes_the_gate_although_nothing_is_in_flight() -> None:
    world = World()
    _tick(world, Poller(world.ports, FakeTokens(error=errors.TokenRefused("no", code="invalid_grant"))))
    assert world.store.gate.position is Position.CLOSED
    assert world.store.gate.reason is GateReason.CREDENTIALS
    assert world.store.gate.closed_by is None
