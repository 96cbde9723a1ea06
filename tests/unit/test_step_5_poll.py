"""Step 5: what PollUpgrade does with one due row."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from shared import errors
from shared.answers import UpgradeStatus
from shared.models import GateReason, GateState, InFlightUpgrade, Position, Reason, State, Status, UpgradeResult
from shared.polling import touch
from shared.upgrades import claim, submit_claimed, withdraw
from tests.fakes import Fate, InMemoryStore, World, request

NOT_FOUND = errors.UpgradeNotFound("no upgrade request found", code="900106", http_status=404)
REFUSALS = [
    errors.RefusedForGood("no", code="900118", http_status=400),
    errors.RefusedForNow("later", code="900130", http_status=403, understood=True),
    errors.RefusedForNow("odd", code="31337", http_status=418),
]


def _in_progress() -> World:
    world = World()
    lease = claim(world.ports, request())
    assert lease
    submit_claimed(world.ports, lease)
    return world


def _poll(world: World, fate: Fate | UpgradeStatus | None = None) -> frozenset[str]:
    world.clock.advance(max(0.0, (world.row.next_attempt_at - world.clock.now()).total_seconds()))
    if fate:
        world.partner_center.status_fates.append(fate)
    return touch(world.ports, world.row)


@pytest.mark.parametrize("end", [Status.COMPLETED, Status.PARTIALLY_COMPLETED, Status.FAILED])
def test_a_terminal_status_becomes_the_result_and_the_row_goes(end: Status) -> None:
    world = _in_progress()
    upgrade_id = world.row.upgrade_id
    items = ({"status": "completed"},)
    assert _poll(world, UpgradeStatus("Done", end, items, 0, "7", "why")) == {"polled", "finished"}
    result = world.result()
    assert (result.status, result.upgrade_id, result.polls, result.attempts) == (end, upgrade_id, 1, 1)
    assert (result.server_status, result.line_items) == ("Done", items)
    assert (result.error_code, result.error_description) == ("7", "why")
    assert not world.store.in_flight


def test_a_status_that_is_not_final_moves_the_row_with_doubling_delays() -> None:
    world = _in_progress()
    delays = []
    for _ in range(7):
        _poll(world)
        delays.append((world.row.next_attempt_at - world.clock.now()).total_seconds())
    assert delays == [60, 120, 240, 480, 900, 900, 900]  # half of what is set: the fake's randomness is 0
    assert world.row.polls == 7
    assert world.row.state is State.IN_PROGRESS


def test_a_404_on_a_young_upgrade_is_not_yet() -> None:
    world = _in_progress()
    _poll(world, NOT_FOUND)
    assert world.row.state is State.IN_PROGRESS
    assert world.partner_center.eligibilities == 0


def _lost(world: World) -> None:
    """The service loses the upgrade, and the grace is over."""
    world.partner_center.upgrades[-1].vanished = True
    world.clock.advance(world.settings.not_found_grace_s)
    touch(world.ports, world.row)


def test_a_404_later_is_confirmed_by_eligibility_and_created_again() -> None:
    world = _in_progress()
    first = world.partner_center.creates[0].ms_request_id
    _lost(world)
    assert world.partner_center.eligibilities == 1
    assert world.row.upgrade_id is None
    assert world.row.next_attempt_at == world.clock.now()
    _poll(world)
    assert [call.ms_request_id == first for call in world.partner_center.creates] == [True, False]
    assert world.row.upgrade_id == world.partner_center.upgrades[1].upgrade_id


def test_a_second_404_after_a_re_creation_is_failed() -> None:
    world = _in_progress()
    _lost(world)
    _poll(world)
    _lost(world)
    assert world.result().status is Status.FAILED
    assert world.result().error_code == "900106"
    assert len(world.partner_center.creates) == 2


def test_a_404_while_eligibility_names_another_upgrade_adopts_it() -> None:
    world = _in_progress()
    other = replace_id(world)
    _poll(world, NOT_FOUND)
    world.clock.advance(world.settings.not_found_grace_s)
    _poll(world, NOT_FOUND)
    assert world.row.upgrade_id == other
    assert world.row.adopted


def replace_id(world: World) -> str:
    world.partner_center.upgrades[-1].upgrade_id = "12345678-0000-4000-8000-000000000000"
    return world.partner_center.upgrades[-1].upgrade_id


def test_a_404_while_eligibility_names_the_same_upgrade_is_not_yet() -> None:
    world = _in_progress()
    world.clock.advance(world.settings.not_found_grace_s)
    _poll(world, NOT_FOUND)
    assert world.row.state is State.IN_PROGRESS
    assert world.row.refusals == 1


def test_a_404_while_eligibility_does_not_answer_creates_nothing() -> None:
    world = _in_progress()
    world.partner_center.eligibility_fates.append(errors.OutcomeUnknown("cut"))
    _lost(world)
    assert world.row.upgrade_id is not None
    assert len(world.partner_center.creates) == 1


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refused_status_call_is_not_yet_with_the_delays_of_a_refusal(refusal: errors.Refused) -> None:
    world = _in_progress()
    _poll(world, refusal)
    assert world.row.state is State.IN_PROGRESS
    assert world.row.last_reason is Reason.REFUSED_FOR_NOW
    assert (world.row.next_attempt_at - world.clock.now()).total_seconds() == world.settings.refusal_first_s / 2


def test_past_the_deadline_an_answer_that_is_not_final_is_timed_out() -> None:
    world = _in_progress()
    world.clock.advance(world.settings.upgrade_deadline_h * 3600)
    _poll(world)
    assert world.result().status is Status.TIMED_OUT
    assert world.result().server_status == "InProgress"


@pytest.mark.parametrize("refusal", REFUSALS)
def test_past_the_deadline_a_refusal_to_tell_is_timed_out(refusal: errors.Refused) -> None:
    world = _in_progress()
    world.clock.advance(world.settings.upgrade_deadline_h * 3600)
    _poll(world, refusal)
    assert world.result().status is Status.TIMED_OUT


@pytest.mark.parametrize(
    "trouble",
    [
        errors.OutcomeUnknown("cut"),
        errors.Throttled(retry_after_s=1),
        errors.Unauthorized(http_status=401),
        errors.AccessDenied(code="2032", http_status=403),
        errors.TokenUnavailable("out"),
        errors.TokenRefused("no", code="invalid_grant"),
    ],
)
def test_trouble_never_times_a_request_out(trouble: errors.CallFailed) -> None:
    world = _in_progress()
    world.clock.advance(world.settings.upgrade_deadline_h * 3600)
    _poll(world, trouble)
    assert not world.store.results
    assert world.row.state is State.IN_PROGRESS


def test_the_deadline_counts_from_the_accepted_create_call_and_not_from_the_claim() -> None:
    world = World()
    world.store.write_gate(GateState(position=Position.PAUSED))
    claim(world.ports, request())
    world.store.write_gate(GateState(etag=world.store.gate.etag))
    world.clock.advance(2 * world.settings.upgrade_deadline_h * 3600)
    touch(world.ports, world.row)
    _poll(world)
    assert world.row.state is State.IN_PROGRESS
    assert not world.store.results


def test_a_gate_that_closes_before_a_status_call_leaves_the_row_as_it_is() -> None:
    world = _in_progress()
    world.store.write_gate(GateState(position=Position.CLOSED))
    before = world.row
    assert _poll(world) == frozenset()
    assert world.partner_center.statuses == []
    assert world.row == before


def test_a_completion_past_the_deadline_is_still_a_completion() -> None:
    world = _in_progress()
    world.partner_center.upgrades[0].status = "Completed"
    world.clock.advance(world.settings.upgrade_deadline_h * 3600)
    _poll(world)
    assert world.result().status is Status.COMPLETED


def test_two_401_in_a_row_on_status_calls_are_credential_trouble() -> None:
    world = _in_progress()
    _poll(world, errors.Unauthorized(http_status=401))
    assert world.store.gate.position is Position.OPEN
    _poll(world, errors.Unauthorized(http_status=401))
    assert world.store.gate.reason is GateReason.CREDENTIALS


def test_a_withdrawn_row_ends_as_cancelled_and_no_create_call_starts_from_it() -> None:
    world = World()
    lease = claim(world.ports, request())
    assert lease
    world.store.update_in_flight(
        replace(lease.row, state=State.WITHDRAWN, outcome_unknown=False, next_attempt_at=world.clock.now())
    )
    assert touch(world.ports, world.row) == {"finished"}
    assert world.result().status is Status.CANCELLED
    assert not world.store.in_flight
    assert not world.partner_center.creates


def test_a_withdrawal_between_claim_and_lease_wins_over_the_poller() -> None:
    world = World()
    world.partner_center.create_fates.append(errors.RefusedForNow("later", code="900130", understood=True))
    lease = claim(world.ports, request())
    assert lease
    submit_claimed(world.ports, lease)
    seen_by_poller = world.row
    world.store.update_in_flight(replace(world.row, state=State.WITHDRAWN))
    touch(world.ports, seen_by_poller)
    assert len(world.partner_center.creates) == 1


class _RaisesOnStatus:
    """A client with a bug."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> object:
        if name == "get_status":
            raise RuntimeError("a bug")
        return getattr(self._world.partner_center, name)


def test_one_rows_exception_moves_that_row_by_the_backoff_and_never_ends_a_tick(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = _in_progress()
    world.clock.advance(60)
    broken = world.new_ports(partner_center=_RaisesOnStatus(world))  # type: ignore[arg-type]
    assert touch(broken, world.row) == frozenset()
    assert world.row.next_attempt_at == world.clock.now() + timedelta(seconds=world.settings.retry_first_s / 2)
    assert world.row.setbacks == 1
    assert '"error_type": "RuntimeError"' in caplog.text


class _DiesBeforeDelete(InMemoryStore):
    def delete_in_flight(self, row: InFlightUpgrade) -> None:
        if self.results and not getattr(self, "died", False):
            self.died = True
            raise KeyboardInterrupt
        super().delete_in_flight(row)


def test_a_crash_between_result_and_delete_is_cleared_by_the_next_tick_and_writes_nothing_new() -> None:
    world = World(store=_DiesBeforeDelete())
    lease = claim(world.ports, request())
    assert lease
    submit_claimed(world.ports, lease)
    world.partner_center.upgrades[0].status = "Completed"
    with pytest.raises(KeyboardInterrupt):
        _poll(world)
    before = world.result()
    _poll(world)
    assert world.result() == before
    assert not world.store.in_flight


def test_a_result_whose_answer_was_lost_is_still_logged_as_finished(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(store=_AnswerLost())
    lease = claim(world.ports, request())
    assert lease
    submit_claimed(world.ports, lease)
    world.partner_center.upgrades[0].status = "Completed"
    assert _poll(world) == frozenset()
    assert world.store.results
    assert "upgrade.finished" not in caplog.text
    _poll(world)
    assert caplog.text.count("upgrade.finished") == 1


class _AnswerLost(InMemoryStore):
    """The first result is written, and nobody hears of it."""

    def insert_result(self, result: UpgradeResult) -> UpgradeResult:
        written = super().insert_result(result)
        if len(self.results) == 1 and not getattr(self, "lost", False):
            self.lost = True
            raise errors.StoreUnavailable
        return written


def test_a_row_that_somebody_else_has_taken_is_not_said_to_have_moved(caplog: pytest.LogCaptureFixture) -> None:
    world = _in_progress()
    seen = world.row
    world.store.update_in_flight(replace(world.row, setbacks=3))
    broken = world.new_ports(partner_center=_RaisesOnStatus(world))  # type: ignore[arg-type]
    touch(broken, seen)
    assert "row.failed" in caplog.text
    assert "next_attempt_at" not in caplog.text


def test_a_withdrawn_result_carries_the_last_ms_request_id_that_was_sent() -> None:
    world = World()
    world.partner_center.create_fates.append(errors.Throttled(retry_after_s=1))
    lease = claim(world.ports, request())
    assert lease
    submit_claimed(world.ports, lease)
    assert withdraw(world.ports, world.row)
    assert world.result().ms_request_id == world.partner_center.creates[0].ms_request_id


def test_a_row_whose_create_call_may_be_on_its_way_cannot_be_withdrawn() -> None:
    world = World()
    claim(world.ports, request())
    assert not withdraw(world.ports, world.row)
    assert not world.store.results


def test_a_withdrawal_that_loses_the_row_changes_nothing() -> None:
    world = World()
    world.store.write_gate(GateState(position=Position.PAUSED))
    claim(world.ports, request())
    seen = world.row
    taken = world.store.update_in_flight(replace(seen, outcome_unknown=True))
    assert not withdraw(world.ports, seen)
    assert world.row == taken
