"""An operator gives up a row that does not end by itself."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared import errors
from shared.errors import StoreUnavailable
from shared.gate import Trouble
from shared.giving_up import SKEW_S, Ending, give_up, lease_left_s
from shared.models import GateReason, GateState, InFlightUpgrade, Position, Reason, State, Status
from shared.polling import touch
from tests.fakes import NOON, FakeClock, TrueUpgrade, World
from tests.unit.rows import in_flight, result

LONG_AGO = NOON - timedelta(hours=3)
UPGRADE_ID = "00000000-0000-4000-8000-000000000042"
# A create call went out, its answer was lost, and the next one is a while away.
STUCK: dict[str, Any] = {
    "state": State.DEFERRED,
    "next_attempt_at": NOON + timedelta(minutes=40),
    "attempts": 7,
    "setbacks": 7,
    "last_reason": Reason.UNKNOWN_OUTCOME,
    "last_code": "503",
    "last_description": "the service is busy",
}


def world_with(**changed: Any) -> World:
    world = World()
    world.store.insert_in_flight(in_flight(**(STUCK | changed)))
    return world


def upgrade_of(row: InFlightUpgrade) -> TrueUpgrade:
    return TrueUpgrade(UPGRADE_ID, row.key, row.request_id)


# what becomes of a row


def test_where_eligibility_names_no_upgrade_the_request_has_failed_with_that_reason() -> None:
    world = world_with()
    given_up = give_up(world.ports, world.row)
    assert (given_up.ending, given_up.status) == (Ending.ENDED, Status.FAILED)
    ended = world.result()
    assert (ended.status, ended.error_code, ended.attempts) == (Status.FAILED, "given_up", 7)
    assert ended.error_description == (
        "an operator gave it up; eligibility names no upgrade; the last answer: 503 the service is busy"
    )
    assert not world.store.in_flight


def test_an_upgrade_that_eligibility_names_is_adopted_and_followed() -> None:
    world = world_with()
    world.partner_center.upgrades.append(upgrade_of(world.row))
    assert give_up(world.ports, world.row).ending is Ending.ADOPTED
    row = world.row
    assert (row.state, row.upgrade_id, row.adopted) == (State.IN_PROGRESS, UPGRADE_ID, True)
    assert (row.outcome_unknown, row.submitted_at) == (False, NOON)
    assert not world.store.results


def test_a_leftover_row_keeps_the_verdict_that_it_has() -> None:
    world = world_with()
    world.store.insert_result(result(status=Status.REJECTED))
    given_up = give_up(world.ports, world.row)
    assert (given_up.ending, given_up.status) == (Ending.ENDED, Status.REJECTED)
    assert not world.store.in_flight
    assert world.partner_center.eligibilities == 0


def test_a_duplicate_is_no_verdict_on_a_row_that_was_claimed_again() -> None:
    world = world_with()
    world.store.insert_result(result(status=Status.DUPLICATE, duplicate_of="r0"))
    assert give_up(world.ports, world.row).status is Status.FAILED
    assert world.result().status is Status.FAILED


def test_an_upgrade_past_its_deadline_has_timed_out_without_a_question() -> None:
    world = world_with(
        state=State.IN_PROGRESS, upgrade_id=UPGRADE_ID, outcome_unknown=False, submitted_at=NOON - timedelta(hours=72)
    )
    given_up = give_up(world.ports, world.row)
    assert (given_up.ending, given_up.status) == (Ending.ENDED, Status.TIMED_OUT)
    ended = world.result()
    assert (ended.error_code, ended.upgrade_id) == ("given_up", UPGRADE_ID)
    assert ended.error_description == "an operator gave it up: in progress for more than 72 hours"
    assert not world.store.in_flight
    assert (world.partner_center.eligibilities, world.clock.slept) == (0, [])


def test_a_result_that_pollupgrade_has_just_written_stands() -> None:
    world = world_with(
        state=State.IN_PROGRESS, upgrade_id=UPGRADE_ID, outcome_unknown=False, submitted_at=NOON - timedelta(hours=80)
    )
    world.store.insert_result(result(status=Status.COMPLETED))
    assert give_up(world.ports, world.row).status is Status.COMPLETED
    assert world.result().status is Status.COMPLETED


@pytest.mark.parametrize(
    "changed",
    [
        {"attempts": 0, "claimed_at": NOON, "next_attempt_at": NOON + timedelta(minutes=3)},  # its call is under way
        {"outcome_unknown": False},
        {"outcome_unknown": False, "state": State.WITHDRAWN},
        {"state": State.WITHDRAWN},
        {"state": State.WITHDRAWN, "outcome_unknown": False, "submitted_at": NOON - timedelta(days=9)},
        {
            "state": State.IN_PROGRESS,
            "upgrade_id": UPGRADE_ID,
            "outcome_unknown": False,
            "submitted_at": NOON - timedelta(hours=71, minutes=59),
        },
    ],
)
def test_any_other_row_is_left_as_it_is(changed: dict[str, Any]) -> None:
    world = world_with(**changed)
    before = world.row
    assert give_up(world.ports, before).ending is Ending.LEFT
    assert world.row is before


LEASE = timedelta(seconds=180)
SKEW = timedelta(seconds=SKEW_S)


@pytest.mark.parametrize(
    ("changed", "ending"),
    [
        ({"claimed_at": NOON - LEASE - SKEW}, Ending.LEFT),
        ({"claimed_at": NOON - LEASE - SKEW - timedelta(seconds=1)}, Ending.ENDED),  # somebody has taken it again
        ({"attempts": 1}, Ending.ENDED),  # of that one the answer was lost
        ({"next_attempt_at": NOON - SKEW}, Ending.ENDED),  # nobody has a lease
        ({"next_attempt_at": NOON - SKEW + timedelta(seconds=1)}, Ending.LEFT),
    ],
)
def test_only_where_the_call_after_the_claim_is_under_way_it_is_left(changed: dict[str, Any], ending: Ending) -> None:
    just_claimed = {"attempts": 0, "claimed_at": NOON, "next_attempt_at": NOON + timedelta(seconds=90)}
    world = world_with(**(just_claimed | changed))
    assert give_up(world.ports, world.row).ending is ending


def test_where_eligibility_refuses_for_good_the_request_has_failed_with_that_reason() -> None:
    world = world_with()
    refusal = errors.RefusedForGood("no relationship", code="20002", http_status=403)
    world.partner_center.eligibility_fates.append(refusal)
    marks: list[State] = []

    class Watching:
        def __getattr__(self, name: str) -> Any:
            if name == "insert_result":
                marks.append(world.row.state)
            return getattr(world.store, name)

    given_up = give_up(world.new_ports(store=Watching()), world.row)
    assert (given_up.ending, given_up.status, marks) == (Ending.ENDED, Status.FAILED, [State.WITHDRAWN])
    ended = world.result()
    assert (ended.status, ended.error_code) == (Status.FAILED, "given_up")
    assert ended.error_description == (
        "an operator gave it up; eligibility refuses: 20002; the last answer: 503 the service is busy"
    )
    assert not world.store.in_flight


def test_an_upgrade_that_could_not_be_written_down_is_not_adopted() -> None:
    world = world_with()
    world.partner_center.upgrades.append(upgrade_of(world.row))
    look = world.partner_center.get_eligibility

    def look_slowly(row: InFlightUpgrade, **options: Any) -> Any:
        world.store.update_in_flight(replace(world.row, setbacks=8))
        return look(row, **options)

    world.partner_center.get_eligibility = look_slowly  # type: ignore[method-assign]
    assert give_up(world.ports, world.row).ending is Ending.CHANGED
    assert (world.row.setbacks, world.row.upgrade_id) == (8, None)


@pytest.mark.parametrize("overdue", [False, True])
def test_a_row_that_somebody_else_has_changed_is_left_to_them(overdue: bool) -> None:
    in_progress = {"state": State.IN_PROGRESS, "upgrade_id": UPGRADE_ID, "submitted_at": NOON - timedelta(days=9)}
    world = world_with(**(in_progress if overdue else {}))
    read_before = world.row
    theirs = world.store.update_in_flight(replace(world.row, setbacks=8))
    assert give_up(world.ports, read_before).ending is Ending.CHANGED
    assert (world.row, world.store.results) == (theirs, {})


# where nobody can tell


TROUBLES: list[errors.CallFailed] = [
    errors.OutcomeUnknown("lost"),
    errors.Throttled(retry_after_s=7),
    errors.TokenRefused(code="invalid_grant"),
    errors.AccessDenied(code="2032", http_status=403),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: type(trouble).__name__)
@pytest.mark.parametrize("next_attempt_at", [LONG_AGO, NOON + timedelta(seconds=90), NOON + timedelta(minutes=40)])
def test_without_an_answer_the_row_is_as_it_was(trouble: errors.CallFailed, next_attempt_at: Any) -> None:
    world = world_with(next_attempt_at=next_attempt_at)
    before = world.row
    world.partner_center.eligibility_fates.append(trouble)
    given_up = give_up(world.ports, before)
    assert (given_up.ending, given_up.trouble) == (Ending.UNANSWERED, trouble)
    assert replace(world.row, etag=before.etag) == before
    assert not world.store.results


def test_a_429_closes_the_gate_and_an_operators_own_trouble_does_not() -> None:
    for trouble in TROUBLES:
        world = world_with()
        world.partner_center.eligibility_fates.append(trouble)
        give_up(world.ports, world.row)
        throttled = isinstance(trouble, errors.Throttled)
        assert (world.store.gate.position is Position.CLOSED) is throttled
        if throttled:
            assert world.store.gate.reason is GateReason.THROTTLED
            assert world.store.gate.until_at == NOON + timedelta(seconds=7)


@pytest.mark.parametrize(("asked_s", "waits_s"), [(1_000_000, 3600), (None, 30)])
def test_the_gate_waits_within_bounds(asked_s: float | None, waits_s: float) -> None:
    world = world_with()
    world.partner_center.eligibility_fates.append(errors.Throttled(retry_after_s=asked_s))
    give_up(world.ports, world.row)
    assert world.store.gate.until_at == NOON + timedelta(seconds=waits_s)


def test_while_the_gate_is_closed_nothing_is_asked_and_no_row_is_taken() -> None:
    world = world_with()
    before = world.row
    world.ports.gate.close(Trouble(GateReason.THROTTLED, "429", 60))
    given_up = give_up(world.ports, before)
    assert given_up.ending is Ending.UNANSWERED
    assert isinstance(given_up.trouble, errors.HeldBack)
    assert (world.row, world.partner_center.eligibilities) == (before, 0)


def test_while_the_gate_recovers_nothing_is_asked_since_one_process_paces_then() -> None:
    world = world_with()
    before = world.row
    world.ports.gate.close(Trouble(GateReason.THROTTLED, "429", 60))
    world.clock.advance(120)
    world.ports.gate.recover()
    assert isinstance(give_up(world.ports, before).trouble, errors.HeldBack)
    assert (world.row, world.partner_center.eligibilities) == (before, 0)


def test_where_the_gate_begins_to_recover_while_it_waits_nothing_is_asked() -> None:
    world = world_with(next_attempt_at=NOON + timedelta(seconds=90))
    asked: list[bool] = []

    class Slow(FakeClock):
        def sleep(self, duration_s: float) -> None:
            world.store.write_gate(GateState(position=Position.RECOVERING, etag=world.store.gate.etag))

    def get_eligibility(row: InFlightUpgrade, *, may_send: Any) -> Any:
        world.ports.gate.look(fresh=True)
        asked.append(may_send())
        raise errors.HeldBack

    world.partner_center.get_eligibility = get_eligibility  # type: ignore[method-assign]
    give_up(replace(world.ports, clock=Slow()), world.row)
    assert asked == [False]


def test_in_a_pause_before_the_t_of_a_trouble_nothing_is_asked() -> None:
    world = world_with()
    world.ports.gate.close(Trouble(GateReason.THROTTLED, "429", 60))
    world.ports.gate.pause("maintenance")
    assert isinstance(give_up(world.ports, world.row).trouble, errors.HeldBack)


def test_a_second_operator_waits_for_the_lease_that_the_first_one_saw() -> None:
    """The first one was killed while he waited: his own hold is longer than any lease."""
    world = world_with(next_attempt_at=NOON + LEASE)

    class Killed(FakeClock):
        def sleep(self, duration_s: float) -> None:
            raise SystemExit  # neither an exception nor an interrupt: nothing is cleared away

    with pytest.raises(SystemExit):
        give_up(replace(world.ports, clock=Killed()), world.row)
    assert world.row.next_attempt_at == NOON + 2 * LEASE
    give_up(world.ports, world.row)
    assert world.clock.slept == [180]


def test_in_a_pause_it_may_be_asked_since_status_calls_go_on() -> None:
    world = world_with()
    world.ports.gate.pause("maintenance")
    assert give_up(world.ports, world.row).status is Status.FAILED


def test_ctrl_c_while_it_waits_leaves_the_row_as_it_was() -> None:
    world = world_with(next_attempt_at=NOON + timedelta(seconds=90))
    before = world.row

    class Interrupted(FakeClock):
        def sleep(self, duration_s: float) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up(replace(world.ports, clock=Interrupted()), before)
    assert replace(world.row, etag=before.etag) == before


def test_a_table_that_does_not_answer_is_no_verdict() -> None:
    world = world_with()

    def out(self: object, *_: object, **__: object) -> None:
        world.store.out = True
        raise StoreUnavailable("gone")

    world.partner_center.get_eligibility = out  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreUnavailable):
        give_up(world.ports, world.row)
    world.store.out = False
    assert not world.store.results
    assert world.row.next_attempt_at <= NOON + timedelta(seconds=world.settings.lease_s)  # then it is due again


def test_whoever_dies_between_mark_and_result_leaves_a_row_that_ends() -> None:
    world = world_with()

    class Dying:
        def __getattr__(self, name: str) -> Any:
            if name == "insert_result":
                raise KeyboardInterrupt
            return getattr(world.store, name)

    with pytest.raises(KeyboardInterrupt):
        give_up(world.new_ports(store=Dying()), world.row)
    assert (world.row.state, world.row.outcome_unknown) == (State.WITHDRAWN, False)
    # PollUpgrade finds it then: it must not be faster than whoever is just about to write the result.
    assert world.row.next_attempt_at == NOON + timedelta(seconds=world.settings.lease_s)
    touch(world.ports, world.row)
    assert world.result().status is Status.CANCELLED
    assert not world.partner_center.creates


# how long somebody else may be in the middle of a create call


@pytest.mark.parametrize(
    ("left_s", "wait_s"),
    [
        (-3600, 0),  # a lease that has ended, a row that the gate holds
        (-SKEW_S, 0),
        (-SKEW_S + 1, 1),  # by the clock of who holds it, it may last a little longer
        (0, SKEW_S),
        (90, 90 + SKEW_S),
        (180, 180),  # taken just now: nobody's lease lasts longer from here
        (180 + SKEW_S, 180),
        (2 * 180 + SKEW_S, 180),  # of another operator, who waits for a lease that was taken just now
        (2 * 180 + SKEW_S + 1, 0),  # later than that: a delay
        (2400, 0),
    ],
)
def test_only_a_lease_that_may_still_be_held_is_waited_for(left_s: float, wait_s: float) -> None:
    world = world_with(next_attempt_at=NOON + timedelta(seconds=left_s))
    assert lease_left_s(world.ports, world.row) == wait_s
    give_up(world.ports, world.row)
    assert world.clock.slept == [wait_s]


def test_the_row_is_ours_for_as_long_as_we_wait_and_a_lease_more() -> None:
    world = world_with(next_attempt_at=NOON + timedelta(seconds=90))
    held_until = []

    class Looking(FakeClock):
        def sleep(self, duration_s: float) -> None:
            held_until.append(world.row.next_attempt_at)

    give_up(replace(world.ports, clock=Looking()), world.row)
    assert held_until == [NOON + timedelta(seconds=90 + SKEW_S + 180)]
