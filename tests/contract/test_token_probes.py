"""After trouble with the token itself its exchange is the probe; and where nothing is in flight, a token is proof."""

from uuid import uuid4

import pytest

from shared import errors
from shared.models import GateReason, Position
from tests.contract.trouble import close, customers, in_progress
from tests.contract.use_cases import UseCases

NO_TOKEN = pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.TokenUnavailable("the token endpoint is out"), GateReason.UNAVAILABLE),
        (errors.TokenRefused("consent again", code="invalid_grant"), GateReason.CREDENTIALS),
    ],
)


@NO_TOKEN
def test_where_the_token_exchange_failed_it_is_the_probe_and_no_row_is_touched_before_it_succeeds(
    error: errors.NotSent, reason: GateReason, system: UseCases
) -> None:
    all_of_them = customers(system, 8)
    system.tokens.error = error
    system.submit(*all_of_them)
    assert system.gate.closed_by is None
    for closures in range(1, 5):
        assert (system.gate.position, system.gate.reason) == (Position.CLOSED, reason)
        assert (system.gate.closures, system.tokens.exchanges) == (closures, closures)
        assert system.gate.until_at == system.from_now(30 * 2 ** (closures - 1))
        system.tick_past_gate()
    rows = [system.row(customer_id) for customer_id in all_of_them]
    assert [row.attempts for row in rows] == [0] * 8
    assert not any(system.calls(customer_id) for customer_id in all_of_them)
    system.tokens.error = None
    system.tick_past_gate()
    assert in_progress(system, all_of_them) == [True] * 8
    assert system.tokens.exchanges == 6
    assert system.gate.position is Position.OPEN


@pytest.mark.parametrize("reason", [GateReason.UNAVAILABLE, GateReason.CREDENTIALS])
def test_where_nothing_is_in_flight_a_token_opens_the_gate(reason: GateReason, system: UseCases) -> None:
    close(system, reason, f"{uuid4()}|azure")
    system.tick()
    assert system.gate.position is Position.OPEN
    assert system.tokens.exchanges == 1


@NO_TOKEN
@pytest.mark.parametrize("closed_by", [None, "a row"])
def test_where_nothing_is_in_flight_a_token_that_cannot_be_had_closes_the_gate_again(
    closed_by: str | None, error: errors.NotSent, reason: GateReason, system: UseCases
) -> None:
    close(system, GateReason.CREDENTIALS, closed_by)
    system.tokens.error = error
    system.tick()
    assert (system.gate.position, system.gate.reason, system.gate.closures) == (Position.CLOSED, reason, 2)
    assert system.gate.until_at == system.from_now(60)


def test_after_throttling_nothing_has_to_be_proved_and_no_token_is_asked_for(system: UseCases) -> None:
    close(system, GateReason.THROTTLED, "a row")
    system.tick()
    assert system.gate.position is Position.OPEN
    assert system.tokens.exchanges == 0


def test_where_a_row_is_in_flight_but_not_due_the_gate_waits_for_it_to_find_out(system: UseCases) -> None:
    customer_id = system.partner.customer({"course": {"polls": None}})
    system.submit(customer_id)
    exchanges = system.tokens.exchanges
    close(system, GateReason.UNAVAILABLE, "a row")
    system.tick()
    assert (system.gate.position, system.tokens.exchanges) == (Position.RECOVERING, exchanges)
    system.tick_when_due(customer_id)
    assert system.row(customer_id).polls == 1
    assert system.gate.position is Position.OPEN
