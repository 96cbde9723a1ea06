"""Step 4: one create call under a lease, and a place for each of its outcomes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import errors
from shared.models import GateReason, GateState, Position, Reason, State, Status, UpgradeResult
from shared.polling import touch
from shared.ports import Lease
from shared.upgrades import claim, submit_claimed, take
from tests.fakes import LOST_AFTER, LOST_BEFORE, Fate, InMemoryStore, World, request, settings


def _submit(world: World, fate: Fate = "processed", request_id: str = "r1") -> None:
    world.partner_center.create_fates.append(fate)
    lease = claim(world.ports, request(request_id))
    assert lease
    submit_claimed(world.ports, lease)


def _retry(world: World, fate: Fate = "processed") -> None:
    """PollUpgrade finds the row when it is due, and has opened the gate by then."""
    world.store.write_gate(GateState(etag=world.store.gate.etag))
    world.clock.advance(max(0.0, (world.row.next_attempt_at - world.clock.now()).total_seconds()))
    world.partner_center.create_fates.append(fate)
    touch(world.ports, world.row)


class _ClosesMeanwhile(InMemoryStore):
    """The gate closes while the earlier results are read, the last step before a create call."""

    def list_results(self, customer_id: str, product_family: str) -> list[UpgradeResult]:
        self.write_gate(GateState(position=self.becomes, etag=self.gate.etag))
        return super().list_results(customer_id, product_family)

    becomes = Position.CLOSED


REFUSED = errors.RefusedForGood("no", code="900108", http_status=403)
LATER = errors.RefusedForNow("later", code="900130", http_status=403, understood=True)
ODD = errors.RefusedForNow("odd", code="31337", http_status=418)


def test_accepted_the_id_is_stored_and_the_row_is_in_progress() -> None:
    world = World()
    _submit(world)
    assert world.row.state is State.IN_PROGRESS
    assert world.row.upgrade_id == world.partner_center.upgrades[0].upgrade_id
    assert world.row.attempts == 1
    assert not world.row.outcome_unknown
    assert world.row.submitted_at == world.clock.now()
    assert world.clock.now() < world.row.next_attempt_at
    assert not world.row.adopted


def test_an_upgrade_that_is_in_place_is_adopted() -> None:
    world = World()
    _submit(world, request_id="r0")
    world.store.in_flight.clear()
    _submit(world)
    assert world.row.adopted
    assert world.row.upgrade_id == world.partner_center.upgrades[0].upgrade_id
    assert len(world.partner_center.upgrades) == 1


def test_refused_for_good_ends_as_rejected_with_the_services_words() -> None:
    world = World()
    _submit(world, REFUSED)
    result = world.result()
    assert (result.status, result.error_code, result.error_description) == (Status.REJECTED, "900108", "no")
    assert result.attempts == 1
    assert not world.store.in_flight


def test_refused_for_good_after_an_unknown_outcome_asks_eligibility_first() -> None:
    world = World()
    _submit(world, LOST_BEFORE)
    _retry(world, REFUSED)
    assert world.partner_center.eligibilities == 1
    assert world.result().status is Status.REJECTED


def test_refused_for_good_after_an_unknown_outcome_adopts_what_eligibility_names() -> None:
    world = World()
    _submit(world, LOST_AFTER)
    world.partner_center.answered.clear()  # as if the service had forgotten the MS-RequestId
    world.partner_center.answered[world.row.ms_request_id] = REFUSED
    _retry(world)
    assert world.row.state is State.IN_PROGRESS
    assert world.row.adopted
    assert not world.store.results


def test_refused_for_good_while_eligibility_does_not_answer_is_not_rejected() -> None:
    world = World()
    _submit(world, LOST_BEFORE)
    same = world.row.ms_request_id
    world.partner_center.eligibility_fates.append(errors.OutcomeUnknown("cut"))
    _retry(world, REFUSED)
    assert not world.store.results
    assert world.row.ms_request_id == same
    assert world.row.outcome_unknown


@pytest.mark.parametrize("fate", [LOST_BEFORE, LOST_AFTER])
def test_after_an_unknown_outcome_the_retry_carries_the_same_ms_request_id(fate: str) -> None:
    world = World()
    _submit(world, fate)
    assert world.row.outcome_unknown
    assert world.row.last_reason is Reason.UNKNOWN_OUTCOME
    same = world.row.ms_request_id
    _retry(world)
    assert [call.ms_request_id for call in world.partner_center.creates] == [same, same]
    assert len(world.partner_center.upgrades) == 1
    assert world.row.state is State.IN_PROGRESS


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (errors.Throttled(retry_after_s=7), Reason.THROTTLED),
        (errors.Unauthorized(http_status=401), Reason.CREDENTIALS),
        (errors.AccessDenied(code="2032", http_status=403), Reason.CREDENTIALS),
        (LATER, Reason.REFUSED_FOR_NOW),
        (ODD, Reason.REFUSED_FOR_NOW),
    ],
)
def test_after_an_answer_the_next_call_carries_a_new_ms_request_id(answer: errors.Refused, reason: Reason) -> None:
    world = World()
    lease = claim(world.ports, request())
    assert lease
    world.partner_center.create_fates.append(answer)
    submit_claimed(world.ports, lease)
    assert world.row.ms_request_id != lease.row.ms_request_id
    assert world.row.last_reason is reason
    assert world.row.state is State.DEFERRED
    assert not world.row.outcome_unknown
    assert world.row.attempts == 1


@pytest.mark.parametrize(
    "answer",
    [errors.Throttled(), errors.Unauthorized(http_status=401), errors.AccessDenied(code="2032", http_status=403)],
)
def test_an_answer_given_before_the_service_looks_does_not_settle_an_earlier_unknown_outcome(
    answer: errors.Refused,
) -> None:
    world = World()
    _submit(world, LOST_AFTER)
    same = world.row.ms_request_id
    _retry(world, answer)
    # An upgrade may exist: a row that said otherwise could be withdrawn and end as a lie; a new id could make a second.
    assert world.row.outcome_unknown
    assert world.row.ms_request_id == same


def test_an_upgrade_that_was_created_unseen_and_failed_is_not_created_again_after_a_429() -> None:
    world = World()
    _submit(world, LOST_AFTER)
    world.partner_center.upgrades[0].status = "Failed"
    _retry(world, errors.Throttled(retry_after_s=1))
    _retry(world)
    assert len(world.partner_center.upgrades) == 1
    assert world.row.upgrade_id == world.partner_center.upgrades[0].upgrade_id


def test_a_429_closes_the_gate_for_its_retry_after() -> None:
    world = World()
    _submit(world, errors.Throttled(retry_after_s=57))
    assert world.store.gate.position is Position.CLOSED
    assert world.store.gate.reason is GateReason.THROTTLED
    assert world.store.gate.until_at == world.clock.now() + timedelta(seconds=57)
    assert world.row.next_attempt_at >= world.clock.now() + timedelta(seconds=57)


def test_an_absurd_retry_after_is_bounded_by_the_setting() -> None:
    world = World()
    _submit(world, errors.Throttled(retry_after_s=10_000_000))
    assert world.store.gate.until_at == world.clock.now() + timedelta(seconds=world.settings.retry_after_max_s)


def test_a_row_that_is_throttled_waits_as_it_was_told_and_the_next_time_for_its_own_backoff() -> None:
    world = World()
    _submit(world, errors.Throttled(retry_after_s=7))
    assert 7 <= (world.row.next_attempt_at - world.clock.now()).total_seconds() <= 7.7
    _retry(world, errors.Throttled(retry_after_s=7))
    assert 60 <= (world.row.next_attempt_at - world.clock.now()).total_seconds() <= 66


def test_a_row_that_is_throttled_again_backs_off_longer_each_time() -> None:
    world = World()
    waits = []
    for _ in range(4):
        before = world.clock.now()
        if world.store.in_flight:
            _retry(world, errors.Throttled())
            before = world.clock.now()
        else:
            _submit(world, errors.Throttled())
        waits.append((world.row.next_attempt_at - before).total_seconds())
    assert waits == [30, 60, 120, 240]


def test_one_401_makes_the_row_due_at_once() -> None:
    world = World()
    _submit(world, errors.Unauthorized(http_status=401))
    assert world.row.next_attempt_at == world.clock.now()
    assert world.row.unauthorized
    assert world.store.gate.position is Position.OPEN


def test_a_second_401_in_a_row_is_credential_trouble() -> None:
    world = World()
    _submit(world, errors.Unauthorized(http_status=401))
    _retry(world, errors.Unauthorized(http_status=401))
    assert world.store.gate.position is Position.CLOSED
    assert world.store.gate.reason is GateReason.CREDENTIALS
    assert world.row.next_attempt_at == world.clock.now()  # the gate alone holds it


def test_wrong_credentials_close_the_gate_and_the_row_stays() -> None:
    world = World()
    _submit(world, errors.AccessDenied(code="2032", http_status=403))
    assert world.store.gate.reason is GateReason.CREDENTIALS
    assert world.store.gate.closed_by == world.row.key
    assert not world.store.results


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.TokenUnavailable("out"), GateReason.UNAVAILABLE),
        (errors.TokenRefused("no", code="invalid_grant"), GateReason.CREDENTIALS),
    ],
)
def test_not_sent_for_want_of_a_token_keeps_the_id_and_closes_the_gate(
    error: errors.NotSent, reason: GateReason
) -> None:
    world = World()
    lease = claim(world.ports, request())
    assert lease
    world.partner_center.create_fates.append(error)
    submit_claimed(world.ports, lease)
    assert world.row.ms_request_id == lease.row.ms_request_id
    assert not world.row.outcome_unknown  # put back to what it was: surely not sent
    assert world.row.attempts == 0
    assert world.row.next_attempt_at == world.clock.now()
    assert world.store.gate.reason is reason
    assert not world.partner_center.creates


def test_not_sent_puts_an_earlier_unknown_outcome_back() -> None:
    world = World()
    _submit(world, LOST_BEFORE)
    _retry(world, errors.TokenUnavailable("out"))
    assert world.row.outcome_unknown


def test_with_too_little_of_the_lease_left_nothing_is_sent_and_the_row_waits_for_its_lease() -> None:
    world = World()
    lease = claim(world.ports, request())
    assert lease
    world.clock.advance(world.settings.lease_s - world.settings.call_deadline_s + 1)
    submit_claimed(world.ports, lease)
    assert not world.partner_center.creates
    assert world.row.next_attempt_at == lease.row.next_attempt_at
    assert not world.row.outcome_unknown
    assert world.store.gate.position is Position.OPEN


def test_a_wall_clock_that_jumps_does_not_shorten_the_look_at_the_lease() -> None:
    world = World()
    lease = claim(world.ports, request())
    assert lease
    world.clock.jump(3600)
    submit_claimed(world.ports, lease)
    assert len(world.partner_center.creates) == 1


def test_unknown_outcomes_of_five_rows_in_a_row_close_the_gate() -> None:
    world = World()
    for number in range(5):
        assert world.store.gate.position is Position.OPEN
        world.partner_center.create_fates.append(LOST_BEFORE)
        lease = claim(world.ports, request(customer_id=f"00000000-0000-4000-8000-{number:012d}"))
        assert lease
        submit_claimed(world.ports, lease)
    assert world.store.gate.reason is GateReason.UNAVAILABLE


def test_unknown_outcomes_of_one_row_alone_do_not_close_the_gate() -> None:
    world = World()
    _submit(world, LOST_BEFORE)
    for _ in range(9):
        _retry(world, LOST_BEFORE)
    assert world.store.gate.position is Position.OPEN


def test_the_confirming_calls_trouble_moves_gate_and_row_but_never_the_outcome() -> None:
    world = World()
    lease = claim(world.ports, request())
    assert lease
    trouble = errors.Throttled(retry_after_s=9)
    world.partner_center.create_fates.append(errors.OutcomeUnknown("in place, not confirmed", trouble=trouble))
    submit_claimed(world.ports, lease)
    assert world.row.outcome_unknown
    assert world.row.ms_request_id == lease.row.ms_request_id
    assert world.row.last_reason is Reason.UNKNOWN_OUTCOME
    assert world.store.gate.reason is GateReason.THROTTLED


def test_try_again_later_ends_as_rejected_past_its_deadline() -> None:
    world = World()
    _submit(world, LATER)
    tries = 1
    while world.store.in_flight:
        _retry(world, LATER)
        tries += 1
    result = world.result()
    assert result.status is Status.REJECTED
    assert result.error_code == "900130"
    waited = result.finished_at - result.requested_at
    assert waited >= timedelta(days=world.settings.refusal_deadline_d)
    assert tries > world.settings.refusals_max


def test_an_unknown_refusal_ends_as_rejected_after_so_many_in_a_row() -> None:
    world = World()
    _submit(world, ODD)
    for _ in range(world.settings.refusals_max - 1):
        assert not world.store.results
        _retry(world, ODD)
    assert world.result().status is Status.REJECTED
    assert world.result().attempts == world.settings.refusals_max


def test_refusals_of_the_other_kind_begin_at_one() -> None:
    world = World()
    _submit(world, ODD)
    _retry(world, ODD)
    assert world.row.refusals == 2
    _retry(world, LATER)
    assert world.row.refusals == 1
    assert world.row.refused_at == world.clock.now()


def test_a_poller_takes_the_row_before_it_creates_and_who_loses_leaves_it() -> None:
    world = World()
    _submit(world, LOST_BEFORE)
    world.clock.advance(3600)
    seen_by_both = world.row
    first, second = take(world.ports, seen_by_both), take(world.new_ports(), seen_by_both)
    assert first is not None
    assert second is None
    assert first.row.outcome_unknown
    assert first.row.state is State.DEFERRED  # a lease leaves the state as it is
    assert first.unknown_before


def test_an_answer_for_a_row_that_somebody_else_has_taken_is_left_to_them() -> None:
    world = World()
    lease = claim(world.ports, request())
    assert lease
    taken = world.store.update_in_flight(replace(world.row, setbacks=7))
    submit_claimed(world.ports, lease)
    assert world.row == taken


@pytest.mark.parametrize("position", [Position.CLOSED, Position.RECOVERING, Position.PAUSED])
def test_a_gate_that_leaves_open_between_claim_and_call_holds_the_call_back(position: Position) -> None:
    """Recovering, too: after trouble only PollUpgrade calls."""
    store = _ClosesMeanwhile()
    store.becomes = position
    world = World(store=store, settings=settings(gate_cache_s=0.001))
    lease = claim(world.ports, request())
    assert lease
    world.clock.advance(1)
    submit_claimed(world.ports, lease)
    assert world.partner_center.creates == []
    assert (world.row.state, world.row.last_reason) == (State.DEFERRED, Reason.GATE)
    assert not world.row.outcome_unknown
    assert world.row.next_attempt_at == world.clock.now()
    assert world.store.gate.position is position


def test_a_gate_that_closes_between_the_pollers_lease_and_its_call_holds_the_call_back() -> None:
    store = _ClosesMeanwhile()
    world = World(store=store, settings=settings(gate_cache_s=0.001))
    world.partner_center.create_fates.append(LOST_BEFORE)
    store.becomes = Position.OPEN
    submit_claimed(world.ports, _claimed(world))
    store.becomes = Position.CLOSED
    world.clock.advance(world.settings.retry_max_s)
    before = world.row
    assert touch(world.ports, before) == frozenset()
    assert len(world.partner_center.creates) == 1
    assert world.row.outcome_unknown, "of the first call"
    assert world.row.ms_request_id == before.ms_request_id


def _claimed(world: World) -> Lease:
    lease = claim(world.ports, request())
    assert lease
    return lease
