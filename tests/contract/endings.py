"""What becomes of row, result and gate when a call does not simply succeed; by name, to be looked up in a table."""

from collections.abc import Callable

from shared.models import GateReason, Position, Reason, State, Status
from tests.contract.use_cases import UseCases


def another_adopted(system: UseCases, customer_id: str, code: str) -> None:
    row = system.row(customer_id)
    assert (row.state, row.adopted, row.upgrade_id) == (
        State.IN_PROGRESS,
        True,
        system.true_upgrade_ids(customer_id)[0],
    )
    assert (row.last_reason, row.refusals) == (None, 0)
    assert system.gate.position is Position.OPEN


def adopted(system: UseCases, customer_id: str, code: str) -> None:
    another_adopted(system, customer_id, code)
    assert not system.row(customer_id).outcome_unknown
    system.touch(customer_id)
    result = system.ended(customer_id)
    assert (result.status, result.adopted) == (Status.COMPLETED, True)


def rejected(system: UseCases, customer_id: str, code: str) -> None:
    result = system.ended(customer_id)
    assert (result.status, result.error_code, result.error_description) == (Status.REJECTED, code, "The upgrade is .")
    assert (result.attempts, result.upgrade_id) == (1, None)
    assert system.calls(customer_id) == ["create"]
    assert not system.world.store.in_flight
    assert system.gate.position is Position.OPEN


def refused_for_now(system: UseCases, customer_id: str, code: str) -> None:
    row = system.row(customer_id)
    assert row.state is (State.IN_PROGRESS if row.upgrade_id else State.DEFERRED)
    assert (row.last_reason, row.last_code, row.refusals) == (Reason.REFUSED_FOR_NOW, code, 1)
    assert row.next_attempt_at == system.from_now(system.world.settings.refusal_first_s / 2)
    assert (row.outcome_unknown, row.setbacks) == (False, 0)
    assert system.result(customer_id) is None
    assert system.gate.position is Position.OPEN


def not_yet(system: UseCases, customer_id: str, code: str) -> None:
    row = system.row(customer_id)
    assert (row.state, row.last_reason, row.refusals, row.polls) == (State.IN_PROGRESS, None, 0, 1)
    assert row.next_attempt_at == system.from_now(system.world.settings.first_poll_s / 2)
    assert system.gate.position is Position.OPEN


def gate_closed(system: UseCases, customer_id: str, code: str) -> None:
    row = system.row(customer_id)
    assert row.state is (State.IN_PROGRESS if row.upgrade_id else State.DEFERRED)
    assert (row.last_reason, row.last_code, row.refusals) == (Reason.CREDENTIALS, code, 0)
    assert row.next_attempt_at == system.clock.now()  # the gate alone holds it
    gate = system.gate
    assert (gate.position, gate.reason, gate.detail) == (Position.CLOSED, GateReason.CREDENTIALS, code)
    assert (gate.closed_by, gate.closures) == (row.key, 1)
    assert gate.until_at == system.from_now(system.world.settings.retry_first_s)
    assert system.result(customer_id) is None


def outcome_unknown(system: UseCases, customer_id: str, code: str) -> None:
    row = system.row(customer_id)
    assert (row.last_reason, row.setbacks, row.refusals) == (Reason.UNKNOWN_OUTCOME, 1, 0)
    assert row.outcome_unknown is (row.upgrade_id is None)
    assert row.next_attempt_at == system.from_now(system.world.settings.retry_first_s / 2)
    assert system.result(customer_id) is None
    assert system.gate.position is Position.OPEN


CHECKS: dict[str, Callable[[UseCases, str, str], None]] = {
    "adopted": adopted,
    "another adopted": another_adopted,
    "rejected": rejected,
    "refused for now": refused_for_now,
    "not yet": not_yet,
    "gate closed": gate_closed,
    "outcome unknown": outcome_unknown,
}


def create(system: UseCases, customer_id: str, by: str) -> None:
    """The customer's first create call, `by` a message or a tick."""
    if by == "message":
        system.submit(customer_id)
    else:
        system.defer(customer_id)
        system.tick()
