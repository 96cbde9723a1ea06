"""A customer who alone is refused or throttled: nobody else waits for long, and the gate closes once."""

import logging

import pytest
import requests

from shared.models import Position, Reason, Status
from tests.contract.fake_partner_center import Partner
from tests.contract.steps import forever, refusal
from tests.contract.trouble import DENIED, closings, customers, in_progress
from tests.contract.use_cases import UseCases

ALONE = {
    "2032": DENIED,
    "900421": forever({"do": "unauthorized", "code": 900421}),
    "800001": forever({"do": "unauthorized", "code": 800001}),
}


@pytest.mark.parametrize("code", ALONE)
def test_a_customer_who_alone_is_refused_access_closes_the_gate_once_and_ends_as_rejected(
    code: str, system: UseCases, caplog: pytest.LogCaptureFixture
) -> None:
    alone = system.partner.customer({"create": [ALONE[code]]})
    system.submit(alone)
    system.tick()
    assert (system.gate.position, system.gate.detail) == (Position.CLOSED, code)
    others = customers(system, 3)
    system.submit(*others)
    assert in_progress(system, others) == [False] * 3
    system.tick_past_gate()
    assert in_progress(system, others) == [True] * 3
    row = system.row(alone)
    assert (row.last_reason, row.refused_code, row.refusals) == (Reason.REFUSED_FOR_NOW, code, 1)
    assert system.gate.position is Position.OPEN
    while system.result(alone) is None:
        system.tick_when_due(alone)
    result = system.ended(alone)
    assert (result.status, result.error_code) == (Status.REJECTED, code)
    assert result.attempts > system.world.settings.refusals_max
    assert closings(caplog) == 1


def test_a_customer_whose_status_calls_alone_are_refused_access_closes_the_gate_once_and_times_out(
    system: UseCases, caplog: pytest.LogCaptureFixture
) -> None:
    alone = system.partner.customer({"status": [DENIED]})
    others = customers(system, 3, {"course": {"polls": None}})
    system.submit(alone, *others)
    system.touch(alone)
    assert (system.gate.position, system.gate.detail) == (Position.CLOSED, "2032")
    system.tick_past_gate()
    assert [system.row(customer_id).polls for customer_id in others] == [1, 1, 1]
    assert system.row(alone).last_reason is Reason.REFUSED_FOR_NOW
    assert system.gate.position is Position.OPEN
    while system.result(alone) is None:
        system.tick_when_due(alone)
    result = system.ended(alone)
    assert (result.status, result.error_code) == (Status.TIMED_OUT, "2032")
    assert closings(caplog) == 1


def test_others_that_get_through_in_another_kind_of_call_do_not_make_it_a_customers_own_refusal(
    system: UseCases,
) -> None:
    """Our role may allow to ask, and no longer to create."""
    asking = system.partner.customer({"course": {"polls": None}})
    system.submit(asking)
    denied = system.partner.customer({"create": [DENIED]})
    system.submit(denied)
    system.wait_until(system.row(asking).next_attempt_at)
    system.tick_past_gate()
    assert system.row(asking).polls == 1
    assert (system.row(denied).last_reason, system.row(denied).refusals) == (Reason.CREDENTIALS, 0)
    assert (system.gate.position, system.gate.closures) == (Position.CLOSED, 2)


def test_a_customers_own_refusal_is_not_forgotten_for_another_code_in_between(
    system: UseCases, caplog: pytest.LogCaptureFixture
) -> None:
    alone = system.partner.customer({"create": [DENIED]})
    system.submit(alone, system.partner.customer())
    system.tick_past_gate()
    assert closings(caplog) == 1
    system.play(alone, create=[refusal(403, 900130), DENIED])
    for _ in range(3):
        system.tick_when_due(alone)
    assert closings(caplog) == 1


def test_a_customers_own_refusal_is_not_forgotten_for_an_answer_in_between(
    system: UseCases, caplog: pytest.LogCaptureFixture
) -> None:
    twice = refusal(403, 2032) | {"times": 2}
    alone = system.partner.customer({"status": [twice, {"do": "normal"}, DENIED], "course": {"polls": None}})
    others = customers(system, 2, {"course": {"polls": None}})
    system.submit(alone, *others)
    system.touch(alone)
    system.tick_past_gate()
    assert closings(caplog) == 1
    for _ in range(3):
        system.tick_when_due(alone)
    assert closings(caplog) == 1


def test_a_customer_who_alone_is_throttled_does_not_keep_the_others_waiting(
    partner: Partner, session: requests.Session, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "upgrades")
    system = UseCases(partner, session, tick_budget_s=10, max_parallel_calls=1)
    alone = system.partner.customer({"create": [forever({"do": "throttle", "retry_after": 60})]})
    system.submit(alone)
    for _ in range(10):
        other = system.partner.customer()
        system.submit(other)
        system.tick_when_due(alone)
        assert in_progress(system, [other]) == [True]
    assert closings(caplog) == 2
    assert system.gate.position is Position.OPEN
    row = system.row(alone)
    assert (row.last_reason, row.setbacks) == (Reason.THROTTLED, 11)
    assert row.next_attempt_at == system.from_now(system.world.settings.retry_max_s)
    assert system.result(alone) is None


def test_a_tick_keeps_its_budget_whatever_rate_was_learnt(system: UseCases) -> None:
    alone = system.partner.customer({"create": [forever({"do": "throttle", "retry_after": 3600})]})
    system.submit(alone, *customers(system, 8))
    system.wait_until(system.row(alone).next_attempt_at)
    for _ in range(4):
        if system.gate.until_at:
            system.wait_until(system.gate.until_at)
        system.submit(*customers(system, 6))
        began = system.clock.monotonic()
        system.tick()
        assert system.clock.monotonic() - began <= system.ports.settings.tick_budget_s + 1
