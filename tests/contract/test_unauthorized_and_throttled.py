"""Answers given before the service looks at the request: a 401, and a 429 with all that its Retry-After may say."""

import pytest

from shared.models import GateReason, Position, Reason, State
from tests.contract.endings import gate_closed
from tests.contract.steps import PAGE, answer, forever
from tests.contract.use_cases import UseCases

UNAUTHORIZED = {
    "no list": {"do": "unauthorized", "code": 800001},
    "no code": answer(401, "{}"),
    "a proxy's page": answer(401, PAGE, "text/html"),
    "a code for good": {"do": "unauthorized", "code": 900118},
}


@pytest.mark.parametrize("kind", ["create", "status"])
@pytest.mark.parametrize("name", UNAUTHORIZED)
def test_one_401_drops_the_token_and_the_next_call_is_made_at_once(name: str, kind: str, system: UseCases) -> None:
    customer_id = system.partner.customer({kind: [UNAUTHORIZED[name]]})
    if kind == "create":
        system.defer(customer_id)
    else:
        system.accepted(customer_id)
    exchanges = system.tokens.exchanges
    system.touch(customer_id)
    row = system.row(customer_id)
    assert (row.last_reason, row.unauthorized, row.refusals) == (Reason.CREDENTIALS, True, 0)
    assert row.next_attempt_at == system.clock.now()
    assert not system.tokens.is_kept
    system.touch(customer_id)
    assert system.calls(customer_id).count(kind) == 2
    assert system.row(customer_id).last_reason is None
    assert system.tokens.exchanges >= exchanges + 1
    assert system.gate.position is Position.OPEN


@pytest.mark.parametrize("name", UNAUTHORIZED)
def test_two_401_in_a_row_close_the_gate(name: str, system: UseCases) -> None:
    customer_id = system.partner.customer({"create": [forever(UNAUTHORIZED[name])]})
    system.submit(customer_id)
    system.tick()
    gate_closed(system, customer_id, str(UNAUTHORIZED[name].get("code", 401)))
    assert system.calls(customer_id) == ["create", "create"]


RETRY_AFTER: dict[str, tuple[int | str | None, float]] = {
    "seconds": (57, 57),
    "an HTTP-date": ("{date+600}", 600),
    "nothing": (None, 30),
    "a word": ("soon", 30),
    "an absurd number": (10**12, 3600),
    "the past": (-5, 0),
}


@pytest.mark.parametrize("kind", ["create", "status"])
@pytest.mark.parametrize("form", RETRY_AFTER)
def test_a_429_is_waited_out_as_the_service_asks(form: str, kind: str, system: UseCases) -> None:
    header, wait_s = RETRY_AFTER[form]
    customer_id = system.partner.customer({kind: [{"do": "throttle", "retry_after": header}]})
    system.submit(customer_id)
    if kind == "status":
        system.touch(customer_id)
        wait_s -= system.world.settings.first_poll_s / 2 if form == "an HTTP-date" else 0  # of the machine's clock
    assert (system.gate.position, system.gate.reason) == (Position.CLOSED, GateReason.THROTTLED)
    assert system.gate.until_at
    assert (system.gate.until_at - system.clock.now()).total_seconds() == pytest.approx(
        wait_s, abs=8 if "{" in str(header) else 0
    )
    row = system.row(customer_id)
    assert (row.last_reason, row.setbacks, row.outcome_unknown) == (Reason.THROTTLED, 1, False)
    least_s = 0 if wait_s > 0 else 30  # as it was told; else its own backoff
    assert row.next_attempt_at >= max(system.gate.until_at, system.from_now(least_s))
    assert row.state is (State.IN_PROGRESS if kind == "status" else State.DEFERRED)
