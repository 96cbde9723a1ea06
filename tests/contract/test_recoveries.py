"""Trouble that everybody has, and its end: the gate closes, one probe at a time finds out, and nobody pays."""

from collections.abc import Callable

import pytest

from shared.models import GateReason, Position, Status
from tests.contract.steps import PAGE, Step, answer, forever
from tests.contract.trouble import DENIED, close, closings, customers, in_progress
from tests.contract.use_cases import UseCases

type Turn = Callable[[UseCases, list[str]], None]


# Everybody is refused


def _role_gone(system: UseCases, customer_ids: list[str]) -> None:
    for customer_id in customer_ids:
        system.play(customer_id, create=[DENIED])


def _role_back(system: UseCases, customer_ids: list[str]) -> None:
    for customer_id in customer_ids:
        system.play(customer_id)


def _token_without_mfa(system: UseCases, customer_ids: list[str]) -> None:
    system.tokens.access_token = system.partner.access_token(mfa=False)


def _token_with_mfa(system: UseCases, customer_ids: list[str]) -> None:
    system.tokens.access_token = system.partner.access_token()


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
    system.submit(*all_of_them)
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


def _calls(system: UseCases) -> int:
    """Of all customers."""
    return len(system.partner.control("GET", "ledger")["calls"])


@pytest.mark.parametrize("outage", OUTAGES)
def test_while_everybody_is_refused_one_probe_with_one_new_token_finds_out(outage: str, system: UseCases) -> None:
    begin, _, _ = OUTAGES[outage]
    first, *others = all_of_them = customers(system, 21)
    begin(system, all_of_them)
    system.submit(first)
    system.tick()
    assert system.gate.position is Position.CLOSED
    system.submit(*others)
    exchanges, calls = system.tokens.exchanges, _calls(system)
    system.tick_past_gate()
    assert (system.tokens.exchanges - exchanges, _calls(system) - calls) == (1, 1)


def test_when_no_token_is_accepted_any_more_the_gate_closes_though_others_got_through_before(system: UseCases) -> None:
    early = system.partner.customer()
    system.submit(early)
    assert in_progress(system, [early]) == [True]
    later = customers(system, 3)
    _token_of_nobody(system, later)
    system.submit(*later)
    system.tick()
    assert [system.row(customer).refusals for customer in later] == [0, 0, 0]
    assert system.gate.position is Position.CLOSED


# The service is out


UNKNOWN: list[Step] = [
    {"do": "error", "http": 503},
    {"do": "error", "http": 502, "body": "empty"},
    {"do": "error", "http": 500, "body": "html"},
    answer(403, PAGE, "text/html"),
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
    system.submit(*all_of_them)
    system.tick_past_gate()
    assert in_progress(system, all_of_them) == [True] * 5
    assert system.gate.position is Position.OPEN
    assert closings(caplog) == 1


# A probe that fails


FAILED_PROBES: dict[str, tuple[Step, GateReason]] = {
    "our access is denied": (DENIED, GateReason.CREDENTIALS),
    "two 401 in a row": (forever({"do": "unauthorized"}), GateReason.CREDENTIALS),
    "throttled": (forever({"do": "throttle", "retry_after": 100}), GateReason.THROTTLED),
    "5xx": (forever({"do": "error", "http": 503}), GateReason.UNAVAILABLE),
    "cut": (forever({"do": "cut", "when": "before"}), GateReason.UNAVAILABLE),
    "a proxy's page": (forever(answer(403, PAGE, "text/html")), GateReason.UNAVAILABLE),
}


@pytest.mark.parametrize("before", [GateReason.THROTTLED, GateReason.UNAVAILABLE, GateReason.CREDENTIALS])
@pytest.mark.parametrize("probe", FAILED_PROBES)
def test_a_probe_that_fails_closes_the_gate_again(probe: str, before: GateReason, system: UseCases) -> None:
    step, reason = FAILED_PROBES[probe]
    customer_id = system.partner.customer({"create": [step]})
    system.defer(customer_id)
    close(system, before, "a row")
    system.tick()
    assert (system.gate.position, system.gate.reason) == (Position.CLOSED, reason)
    assert system.gate.until_at
    assert system.gate.until_at > system.clock.now()
    assert system.result(customer_id) is None


@pytest.mark.parametrize("before", [GateReason.UNAVAILABLE, GateReason.CREDENTIALS])
def test_a_probe_that_is_refused_for_its_own_reasons_is_proof_enough(before: GateReason, system: UseCases) -> None:
    customer_id = system.partner.customer("suspended")
    system.defer(customer_id)
    close(system, before, "a row")
    system.tick()
    result = system.ended(customer_id)
    assert result.status is Status.REJECTED
    assert system.gate.position is Position.OPEN
