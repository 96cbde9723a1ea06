"""Trouble and its end, over a socket: who is held, who finds out, and that nobody pays for another one's refusal."""

import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import requests

from shared import errors
from shared.models import GateReason, GateState, Position, Reason, Status
from tests.contract.fake_partner_center import SCOPES, Partner
from tests.contract.use_cases import UseCases

ACCESS_CODES = [2032, 900150, 900308, 900309, 900329]
DENIED = {"do": "refuse", "http": 403, "code": 2032, "repeat": True}
NO_TOKEN = errors.TokenUnavailable("the token endpoint is out")
REFUSED_TOKEN = errors.TokenRefused("consent again", code="invalid_grant")

type Turn = Callable[[UseCases, list[str]], None]


def closings(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.getMessage().startswith("gate.closed ") for record in caplog.records)


def customers(system: UseCases, count: int, scenario: object = None) -> list[str]:
    return [system.partner.customer(scenario) for _ in range(count)]


def in_progress(system: UseCases, customer_ids: list[str]) -> list[bool]:
    return [system.row(customer_id).upgrade_id is not None for customer_id in customer_ids]


# One customer alone is refused


def _denied_alone(code: int) -> dict[str, Any]:
    return {"do": "refuse", "http": 403, "code": code, "repeat": True}


ALONE = {
    **{str(code): _denied_alone(code) for code in ACCESS_CODES},
    "900421": {"do": "unauthorized", "code": 900421, "repeat": True},
    "800001": {"do": "unauthorized", "code": 800001, "repeat": True},
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
    for customer_id in others:
        system.submit(customer_id)
    assert in_progress(system, others) == [False] * 3
    system.tick_past_gate()
    assert in_progress(system, others) == [True] * 3
    row = system.row(alone)
    assert (row.last_reason, row.refused_code, row.refusals) == (Reason.REFUSED_FOR_NOW, code, 1)
    assert system.gate.position is Position.OPEN
    while system.result(alone) is None:
        system.wait_until(system.row(alone).next_attempt_at)
        system.tick()
    result = system.result(alone)
    assert result
    assert (result.status, result.error_code) == (Status.REJECTED, code)
    assert result.attempts > system.world.settings.refusals_max
    assert closings(caplog) == 1


def test_a_customer_whose_status_calls_alone_are_refused_access_closes_the_gate_once_and_times_out(
    system: UseCases, caplog: pytest.LogCaptureFixture
) -> None:
    alone = system.partner.customer({"status": [DENIED]})
    others = customers(system, 3, {"course": {"polls": None}})
    for customer_id in [alone, *others]:
        system.submit(customer_id)
    system.touch(alone)
    assert (system.gate.position, system.gate.detail) == (Position.CLOSED, "2032")
    system.tick_past_gate()
    assert [system.row(customer_id).polls for customer_id in others] == [1, 1, 1]
    assert system.row(alone).last_reason is Reason.REFUSED_FOR_NOW
    assert system.gate.position is Position.OPEN
    while system.result(alone) is None:
        system.wait_until(system.row(alone).next_attempt_at)
        system.tick()
    result = system.result(alone)
    assert result
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


def test_a_customer_who_alone_is_throttled_does_not_keep_the_others_waiting(
    partner: Partner, session: requests.Session, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "upgrades")
    system = UseCases(partner, session, tick_budget_s=10, max_parallel_calls=1)
    alone = system.partner.customer({"create": [{"do": "throttle", "retry_after": 60, "repeat": True}]})
    system.submit(alone)
    for _ in range(10):
        other = system.partner.customer()
        system.submit(other)
        system.wait_until(system.row(alone).next_attempt_at)
        system.tick()
        assert in_progress(system, [other]) == [True]
    assert closings(caplog) == 2
    assert system.gate.position is Position.OPEN
    row = system.row(alone)
    assert (row.last_reason, row.setbacks) == (Reason.THROTTLED, 11)
    assert row.next_attempt_at == system.from_now(system.world.settings.retry_max_s)
    assert system.result(alone) is None


# Everybody is refused


def _role_gone(system: UseCases, customer_ids: list[str]) -> None:
    for customer_id in customer_ids:
        system.play(customer_id, create=[DENIED])


def _role_back(system: UseCases, customer_ids: list[str]) -> None:
    for customer_id in customer_ids:
        system.play(customer_id)


def _token(system: UseCases, *, mfa: bool) -> None:
    partner = system.partner
    answer = partner.application().acquire_token_by_refresh_token(partner.sign_in(mfa=mfa), scopes=SCOPES)
    system.tokens.access_token = answer["access_token"]


def _token_without_mfa(system: UseCases, customer_ids: list[str]) -> None:
    _token(system, mfa=False)


def _token_with_mfa(system: UseCases, customer_ids: list[str]) -> None:
    _token(system, mfa=True)


def _token_of_nobody(system: UseCases, customer_ids: list[str]) -> None:
    system.tokens.access_token = "of nobody"


OUTAGES: dict[str, tuple[Turn, Turn, str]] = {
    "the role is missing": (_role_gone, _role_back, "2032"),
    "the sign-in had no MFA": (_token_without_mfa, _token_with_mfa, "900421"),
    "no token is accepted": (_token_of_nobody, _token_with_mfa, "800001"),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_while_everybody_is_refused_the_gate_closes_for_longer_each_time_and_nobody_pays(
    outage: str, system: UseCases, caplog: pytest.LogCaptureFixture
) -> None:
    begin, end, code = OUTAGES[outage]
    all_of_them = customers(system, 4)
    begin(system, all_of_them)
    for customer_id in all_of_them:
        system.submit(customer_id)
    system.tick()
    waits = []
    for _ in range(5):
        assert (system.gate.position, system.gate.detail) == (Position.CLOSED, code)
        assert system.gate.until_at
        waits.append((system.gate.until_at - system.clock.now()).total_seconds())
        system.tick_past_gate()
    assert waits == [30, 60, 120, 240, 480]
    rows = [system.row(customer_id) for customer_id in all_of_them]
    assert [row.refusals for row in rows] == [0] * 4
    assert {row.next_attempt_at <= system.clock.now() for row in rows} == {True}
    end(system, all_of_them)
    system.tick_past_gate()
    assert in_progress(system, all_of_them) == [True] * 4
    assert system.gate.position is Position.OPEN
    assert closings(caplog) == 6
    system.submit(late := system.partner.customer())
    assert in_progress(system, [late]) == [True]


@pytest.mark.parametrize("outage", ["the role is missing", "the sign-in had no MFA"])
def test_while_everybody_is_refused_one_probe_at_a_time_finds_out(outage: str, system: UseCases) -> None:
    begin, _, _ = OUTAGES[outage]
    all_of_them = customers(system, 12)
    begin(system, all_of_them)
    for customer_id in all_of_them:
        system.submit(customer_id)
    before = sum(len(system.calls(customer_id)) for customer_id in all_of_them)
    system.tick_past_gate()
    assert sum(len(system.calls(customer_id)) for customer_id in all_of_them) == before + 1


UNKNOWN: list[dict[str, Any]] = [
    {"do": "error", "http": 503},
    {"do": "error", "http": 502, "body": "empty"},
    {"do": "error", "http": 500, "body": "html"},
    {"do": "answer", "http": 403, "text": "<p>Blocked</p>"},
    {"do": "redirect"},
]


def test_unknown_outcomes_of_five_different_rows_close_the_gate(system: UseCases) -> None:
    for step in UNKNOWN:
        assert system.gate.position is Position.OPEN
        system.submit(system.partner.customer({"create": [step]}))
    assert (system.gate.position, system.gate.reason) == (Position.CLOSED, GateReason.UNAVAILABLE)
    assert system.gate.until_at == system.from_now(system.world.settings.retry_first_s)


@pytest.mark.parametrize("scenario", ["completes", "suspended", "unknown-refusal", "unauthorized-once"])
def test_an_answer_in_between_means_that_it_is_no_outage(scenario: str, system: UseCases) -> None:
    for step in UNKNOWN[:4]:
        system.submit(system.partner.customer({"create": [step]}))
    system.submit(system.partner.customer(scenario))
    system.submit(system.partner.customer({"create": [UNKNOWN[4]]}))
    assert system.gate.position is Position.OPEN


def test_an_outage_is_over_when_the_probe_gets_through(system: UseCases, caplog: pytest.LogCaptureFixture) -> None:
    all_of_them = [system.partner.customer({"create": [step]}) for step in UNKNOWN]
    for customer_id in all_of_them:
        system.submit(customer_id)
    system.tick_past_gate()
    assert in_progress(system, all_of_them) == [True] * 5
    assert system.gate.position is Position.OPEN
    assert closings(caplog) == 1


# A probe that fails


FAILED_PROBES: dict[str, tuple[dict[str, Any], GateReason]] = {
    "our access is denied": (DENIED, GateReason.CREDENTIALS),
    "two 401 in a row": ({"do": "unauthorized", "repeat": True}, GateReason.CREDENTIALS),
    "throttled": ({"do": "throttle", "retry_after": 100, "repeat": True}, GateReason.THROTTLED),
    "5xx": ({"do": "error", "http": 503, "repeat": True}, GateReason.UNAVAILABLE),
    "cut": ({"do": "cut", "when": "before", "repeat": True}, GateReason.UNAVAILABLE),
    "a proxy's page": ({"do": "answer", "http": 403, "text": "<p/>", "repeat": True}, GateReason.UNAVAILABLE),
}


def _close(system: UseCases, reason: GateReason, closed_by: str | None) -> None:
    """Since an earlier trouble, whose time is over now."""
    store, now = system.world.store, system.clock.now()
    store.write_gate(
        GateState(
            position=Position.CLOSED,
            reason=reason,
            until_at=now,
            changed_at=now,
            closures=1,
            closed_by=closed_by,
            etag=store.gate.etag,
        )
    )


@pytest.mark.parametrize("before", [GateReason.THROTTLED, GateReason.UNAVAILABLE, GateReason.CREDENTIALS])
@pytest.mark.parametrize("probe", FAILED_PROBES)
def test_a_probe_that_fails_closes_the_gate_again(probe: str, before: GateReason, system: UseCases) -> None:
    step, reason = FAILED_PROBES[probe]
    customer_id = system.partner.customer({"create": [step]})
    system.defer(customer_id)
    _close(system, before, "a row")
    system.tick()
    assert (system.gate.position, system.gate.reason) == (Position.CLOSED, reason)
    assert system.gate.until_at
    assert system.gate.until_at > system.clock.now()
    assert system.result(customer_id) is None


@pytest.mark.parametrize("before", [GateReason.UNAVAILABLE, GateReason.CREDENTIALS])
def test_a_probe_that_is_refused_for_its_own_reasons_is_proof_enough(before: GateReason, system: UseCases) -> None:
    customer_id = system.partner.customer("suspended")
    system.defer(customer_id)
    _close(system, before, "a row")
    system.tick()
    result = system.result(customer_id)
    assert result
    assert result.status is Status.REJECTED
    assert system.gate.position is Position.OPEN


# The token exchange is the probe


@pytest.mark.parametrize(
    ("error", "reason"), [(NO_TOKEN, GateReason.UNAVAILABLE), (REFUSED_TOKEN, GateReason.CREDENTIALS)]
)
def test_where_the_token_exchange_failed_it_is_the_probe_and_no_row_is_touched_before_it_succeeds(
    error: errors.NotSent, reason: GateReason, system: UseCases
) -> None:
    all_of_them = customers(system, 8)
    system.tokens.error = error
    for customer_id in all_of_them:
        system.submit(customer_id)
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
    _close(system, reason, f"{uuid4()}|azure")
    system.tick()
    assert system.gate.position is Position.OPEN
    assert system.tokens.exchanges == 1


@pytest.mark.parametrize(
    ("error", "reason"), [(NO_TOKEN, GateReason.UNAVAILABLE), (REFUSED_TOKEN, GateReason.CREDENTIALS)]
)
@pytest.mark.parametrize("closed_by", [None, "a row"])
def test_where_nothing_is_in_flight_a_token_that_cannot_be_had_closes_the_gate_again(
    closed_by: str | None, error: errors.NotSent, reason: GateReason, system: UseCases
) -> None:
    _close(system, GateReason.CREDENTIALS, closed_by)
    system.tokens.error = error
    system.tick()
    assert (system.gate.position, system.gate.reason, system.gate.closures) == (Position.CLOSED, reason, 2)
    assert system.gate.until_at == system.from_now(60)


def test_after_throttling_nothing_has_to_be_proved_and_no_token_is_asked_for(system: UseCases) -> None:
    _close(system, GateReason.THROTTLED, "a row")
    system.tick()
    assert system.gate.position is Position.OPEN
    assert system.tokens.exchanges == 0


def test_where_a_row_is_in_flight_but_not_due_the_gate_waits_for_it_to_find_out(system: UseCases) -> None:
    customer_id = system.partner.customer({"course": {"polls": None}})
    system.submit(customer_id)
    exchanges = system.tokens.exchanges
    _close(system, GateReason.UNAVAILABLE, "a row")
    system.tick()
    assert (system.gate.position, system.tokens.exchanges) == (Position.RECOVERING, exchanges)
    system.wait_until(system.row(customer_id).next_attempt_at)
    system.tick()
    assert system.row(customer_id).polls == 1
    assert system.gate.position is Position.OPEN


def test_after_credential_trouble_the_probe_has_a_new_token(system: UseCases) -> None:
    customer_id = system.partner.customer({"create": [DENIED | {"repeat": False}]})
    system.submit(customer_id)
    assert system.tokens.exchanges == 1
    system.tick_past_gate()
    assert system.tokens.dropped
    assert system.tokens.exchanges == 2
    assert in_progress(system, [customer_id]) == [True]


# What was let through before trouble says nothing


def test_when_no_token_is_accepted_any_more_the_gate_closes_though_others_got_through_before(system: UseCases) -> None:
    early = system.partner.customer()
    system.submit(early)
    assert in_progress(system, [early]) == [True]
    _token_of_nobody(system, [])
    later = customers(system, 3)
    for customer in later:
        system.submit(customer)
    system.tick()
    assert [system.row(customer).refusals for customer in later] == [0, 0, 0]
    assert system.gate.position is Position.CLOSED


def test_many_rows_without_an_accepted_token_ask_for_few_tokens_and_make_few_calls(system: UseCases) -> None:
    first = system.partner.customer()
    _token_of_nobody(system, [])
    system.submit(first)
    system.tick()
    assert system.gate.position is Position.CLOSED
    others = customers(system, 20)
    for customer in others:
        system.submit(customer)
    exchanges = system.tokens.exchanges
    calls = sum(len(system.calls(customer)) for customer in [first, *others])
    system.tick_past_gate()
    made = sum(len(system.calls(customer)) for customer in [first, *others]) - calls
    assert (system.tokens.exchanges - exchanges, made) == (1, 1)


def test_a_customers_own_refusal_is_not_forgotten_for_another_code_in_between(
    system: UseCases, caplog: pytest.LogCaptureFixture
) -> None:
    alone = system.partner.customer({"create": [DENIED]})
    system.submit(alone)
    system.submit(system.partner.customer())
    system.tick_past_gate()
    assert closings(caplog) == 1
    later = {"do": "refuse", "http": 403, "code": 900130}
    system.play(alone, create=[later, {"do": "refuse", "http": 403, "code": 2032, "repeat": True}])
    for _ in range(3):
        system.wait_until(system.row(alone).next_attempt_at)
        system.tick()
    assert closings(caplog) == 1


def test_a_customers_own_refusal_is_not_forgotten_for_an_answer_in_between(
    system: UseCases, caplog: pytest.LogCaptureFixture
) -> None:
    twice = {**DENIED, "repeat": False, "times": 2}
    alone = system.partner.customer({"status": [twice, {"do": "normal"}, DENIED], "course": {"polls": None}})
    others = customers(system, 2, {"course": {"polls": None}})
    for customer in [alone, *others]:
        system.submit(customer)
    system.touch(alone)
    system.tick_past_gate()
    assert closings(caplog) == 1
    for _ in range(3):
        system.wait_until(system.row(alone).next_attempt_at)
        system.tick()
    assert closings(caplog) == 1


def test_a_tick_keeps_its_budget_whatever_rate_was_learnt(system: UseCases) -> None:
    throttled = {"do": "throttle", "retry_after": 3600, "repeat": True}
    alone = system.partner.customer({"create": [throttled]})
    for customer in [alone, *customers(system, 8)]:
        system.submit(customer)
    system.wait_until(system.row(alone).next_attempt_at)
    for _ in range(4):
        if system.gate.until_at:
            system.wait_until(system.gate.until_at)
        for customer in customers(system, 6):
            system.submit(customer)
        began = system.clock.monotonic()
        system.tick()
        assert system.clock.monotonic() - began <= system.ports.settings.tick_budget_s + 1
