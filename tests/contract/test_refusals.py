"""Every refusal that is known, and what is none: what it makes of row, result and gate, over a socket.

What each code leads to stands here once more, by the documentation, so that a mistake in the table shows.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from shared.models import GateReason, Position, Reason, State, Status
from shared.refusals import TABLE, Refusal
from tests.contract.use_cases import UseCases

# Of each code: what becomes of a create call, and of a status call, that is refused with it.
ENDINGS = {
    "900109": ("adopted", "another adopted"),
    "900110": ("adopted", "another adopted"),
    "900111": ("adopted", "another adopted"),
    "900106": ("refused for now", "not yet"),
    "900105": ("rejected", "refused for now"),
    "900108": ("rejected", "refused for now"),
    "900130": ("refused for now", "refused for now"),
    "900107": ("rejected", "refused for now"),
    "900118": ("rejected", "refused for now"),
    "900119": ("rejected", "refused for now"),
    "900120": ("rejected", "refused for now"),
    "20002": ("rejected", "refused for now"),
    "13605": ("rejected", "refused for now"),
    "900123": ("rejected", "refused for now"),
    "900124": ("rejected", "refused for now"),
    "900116": ("rejected", "refused for now"),
    "900127": ("rejected", "refused for now"),
    "2032": ("gate closed", "gate closed"),
    "900150": ("gate closed", "gate closed"),
    "900308": ("gate closed", "gate closed"),
    "900309": ("gate closed", "gate closed"),
    "900329": ("gate closed", "gate closed"),
    "900421": ("gate closed", "gate closed"),
}
TEXT = "The upgrade is {id}."
EVERY_REFUSAL = pytest.mark.parametrize("refusal", TABLE, ids=lambda refusal: f"{refusal.code} {refusal.reason}")
BY = pytest.mark.parametrize("by", ["message", "tick"])

type Step = dict[str, Any]


def refuse(refusal: Refusal) -> Step:
    return {"do": "refuse", "http": refusal.http_status, "code": int(refusal.code), "description": TEXT}


def forever(step: Step) -> Step:
    return step | {"repeat": True}


def create(system: UseCases, customer_id: str, by: str) -> None:
    if by == "message":
        system.submit(customer_id)
    else:
        system.defer(customer_id)
        system.tick()


def adopted(system: UseCases, customer_id: str, code: str) -> None:
    row = system.row(customer_id)
    assert (row.state, row.adopted, row.upgrade_id) == (
        State.IN_PROGRESS,
        True,
        system.true_upgrade_ids(customer_id)[0],
    )
    assert (row.last_reason, row.refusals, row.outcome_unknown) == (None, 0, False)
    assert system.gate.position is Position.OPEN
    system.touch(customer_id)
    result = system.result(customer_id)
    assert result
    assert (result.status, result.adopted) == (Status.COMPLETED, True)


def rejected(system: UseCases, customer_id: str, code: str) -> None:
    result = system.result(customer_id)
    assert result
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


def another_adopted(system: UseCases, customer_id: str, code: str) -> None:
    row = system.row(customer_id)
    assert (row.state, row.adopted, row.upgrade_id) == (
        State.IN_PROGRESS,
        True,
        system.true_upgrade_ids(customer_id)[0],
    )
    assert (row.last_reason, row.refusals) == (None, 0)
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


def test_every_row_of_the_table_has_its_endings_here() -> None:
    assert set(ENDINGS) == {refusal.code for refusal in TABLE}


@BY
@EVERY_REFUSAL
def test_a_create_call_that_is_refused(refusal: Refusal, by: str, system: UseCases) -> None:
    ending = ENDINGS[refusal.code][0]
    existing = {"existing": "completed"} if ending == "adopted" else {}
    customer_id = system.partner.customer({"create": [refuse(refusal)], **existing})
    create(system, customer_id, by)
    CHECKS[ending](system, customer_id, refusal.code)


@EVERY_REFUSAL
def test_a_status_call_that_is_refused(refusal: Refusal, system: UseCases) -> None:
    ending = ENDINGS[refusal.code][1]
    customer_id = system.partner.customer({"status": [refuse(refusal)]})
    row = system.accepted(customer_id)
    if ending == "another adopted":
        stranger = system.accepted(system.partner.customer())
        system.world.store.update_in_flight(replace(row, upgrade_id=stranger.upgrade_id))
        system.touch(customer_id)
    else:
        system.tick()
    assert system.row(customer_id).polls == 1
    CHECKS[ending](system, customer_id, refusal.code)
    assert system.calls(customer_id)[:2] == ["create", "status"]
    assert len(system.true_upgrade_ids(customer_id)) == 1


def test_a_status_call_whose_id_is_another_customers_adopts_the_upgrade_that_is_mapped(system: UseCases) -> None:
    """900111 as the service itself gives it."""
    stranger = system.accepted(system.partner.customer())
    customer_id = system.partner.customer()
    row = system.accepted(customer_id)
    system.world.store.update_in_flight(replace(row, upgrade_id=stranger.upgrade_id))
    system.touch(customer_id)
    another_adopted(system, customer_id, "900111")
    assert system.calls(customer_id) == ["create", "status", "eligibility"]


@pytest.mark.parametrize("code", ["900109", "900110", "900111"])
def test_a_status_call_that_names_another_upgrade_which_is_the_same_waits(code: str, system: UseCases) -> None:
    refusal = next(refusal for refusal in TABLE if refusal.code == code)
    customer_id = system.partner.customer({"status": [refuse(refusal)]})
    upgrade_id = system.accepted(customer_id).upgrade_id
    system.tick()
    refused_for_now(system, customer_id, code)
    assert system.row(customer_id).upgrade_id == upgrade_id


@pytest.mark.parametrize("code", ["900109", "900110", "900111"])
def test_a_create_call_that_names_an_upgrade_which_nobody_knows_waits(code: str, system: UseCases) -> None:
    refusal = next(refusal for refusal in TABLE if refusal.code == code)
    step = refuse(refusal) | {"description": f"It is {uuid4()}."}
    customer_id = system.partner.customer({"create": [step]})
    system.submit(customer_id)
    refused_for_now(system, customer_id, code)
    assert system.calls(customer_id) == ["create", "eligibility", "status"]


def refusal_of_no_list(http: int, code: int | str) -> Step:
    return {"do": "refuse", "http": http, "code": code}


def answer(http: int, text: str, content_type: str = "application/json") -> Step:
    return {"do": "answer", "http": http, "text": text, "headers": {"Content-Type": content_type}}


PAGE = "<html><body>Blocked</body></html>"
# Name: the answer, what it makes of a create call, and of a status call.
RULES: dict[str, tuple[Step, str, str]] = {
    "a code of no list": (refusal_of_no_list(400, 999999), "refused for now", "refused for now"),
    "a word for a code": (refusal_of_no_list(403, "Forbidden"), "refused for now", "refused for now"),
    "an HTTP status of no list": (refusal_of_no_list(418, 999999), "refused for now", "refused for now"),
    "409 with a code of no list": (refusal_of_no_list(409, 999999), "refused for now", "refused for now"),
    "JSON without a code": (answer(400, '{"description": "no"}'), "refused for now", "refused for now"),
    "a list where the code belongs": (answer(400, '{"code": ["900105"]}'), "refused for now", "refused for now"),
    "a known code with another 4xx": (refusal_of_no_list(422, 900118), "rejected", "refused for now"),
    "our access denied with another 4xx": (refusal_of_no_list(400, 2032), "gate closed", "gate closed"),
    "404 with a code of no list": (refusal_of_no_list(404, 999999), "refused for now", "not yet"),
    "404 without a code": (answer(404, "{}"), "refused for now", "not yet"),
    "404 with a code for good": (refusal_of_no_list(404, 900118), "rejected", "refused for now"),
    "not found with another 4xx": (refusal_of_no_list(400, 900106), "refused for now", "not yet"),
    "400 from a proxy": (answer(400, PAGE, "text/html"), "outcome unknown", "outcome unknown"),
    "403 from a proxy": (answer(403, PAGE, "text/html"), "outcome unknown", "outcome unknown"),
    "404 from a proxy": (answer(404, PAGE, "text/html"), "outcome unknown", "outcome unknown"),
    "403 and nothing else": (answer(403, ""), "outcome unknown", "outcome unknown"),
    "403 and a JSON text": (answer(403, '"900105"'), "outcome unknown", "outcome unknown"),
    "403 and a list": (answer(403, '[{"code": 900105}]'), "outcome unknown", "outcome unknown"),
    "403 cut short": (answer(403, '{"code": 900105'), "outcome unknown", "outcome unknown"),
    "5xx": ({"do": "error", "http": 500}, "outcome unknown", "outcome unknown"),
    "5xx and nothing else": ({"do": "error", "http": 502, "body": "empty"}, "outcome unknown", "outcome unknown"),
    "5xx with a code for good": (refusal_of_no_list(503, 900118), "outcome unknown", "outcome unknown"),
    "5xx with a code of ours": (refusal_of_no_list(500, 2032), "outcome unknown", "outcome unknown"),
    "a redirect": ({"do": "redirect"}, "outcome unknown", "outcome unknown"),
    "a redirect with a code for good": (answer(307, '{"code": 900118}'), "outcome unknown", "outcome unknown"),
    # Twice: the first one may only be a kept connection that was closed meanwhile.
    "a connection that is cut": ({"do": "cut", "when": "before", "times": 2}, "outcome unknown", "outcome unknown"),
}
EVERY_RULE = pytest.mark.parametrize("rule", RULES)


def _last_code(step: Step) -> str:
    """What a row says about the answer: its code, else its HTTP status."""
    return str(step.get("code") or step.get("http"))


@BY
@EVERY_RULE
def test_a_create_call_that_is_answered_otherwise(rule: str, by: str, system: UseCases) -> None:
    step, ending, _ = RULES[rule]
    customer_id = system.partner.customer({"create": [{"description": TEXT} | step if "code" in step else step]})
    create(system, customer_id, by)
    CHECKS[ending](system, customer_id, _last_code(step))


@EVERY_RULE
def test_a_status_call_that_is_answered_otherwise(rule: str, system: UseCases) -> None:
    step, _, ending = RULES[rule]
    customer_id = system.partner.customer({"status": [step]})
    upgrade_id = system.accepted(customer_id).upgrade_id
    system.tick()
    CHECKS[ending](system, customer_id, _last_code(step))
    row = system.row(customer_id)
    assert (row.upgrade_id, row.polls) == (upgrade_id, 1)


@pytest.mark.parametrize("rule", [rule for rule, (_, ending, _) in RULES.items() if ending == "outcome unknown"])
def test_after_an_unknown_outcome_the_next_create_call_carries_the_same_id(rule: str, system: UseCases) -> None:
    customer_id = system.partner.customer({"create": [RULES[rule][0]]})
    system.submit(customer_id)
    system.touch(customer_id)
    calls, upgrades = system.partner.ledger(customer_id)
    assert len({call["msRequestId"] for call in calls}) == 1
    assert system.row(customer_id).upgrade_id == upgrades[0]["id"]


@pytest.mark.parametrize("rule", [rule for rule, (_, ending, _) in RULES.items() if ending == "refused for now"])
def test_after_a_refusal_the_next_create_call_carries_a_new_id_and_may_succeed(rule: str, system: UseCases) -> None:
    customer_id = system.partner.customer({"create": [RULES[rule][0]]})
    system.submit(customer_id)
    system.touch(customer_id)
    calls, upgrades = system.partner.ledger(customer_id)
    assert len({call["msRequestId"] for call in calls}) == 2
    row = system.row(customer_id)
    assert (row.upgrade_id, row.refusals, row.last_reason) == (upgrades[0]["id"], 0, None)


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
    assert row.next_attempt_at >= max(system.gate.until_at, system.from_now(30))
    assert row.state is (State.IN_PROGRESS if kind == "status" else State.DEFERRED)


def _tries_until_the_end(system: UseCases, customer_id: str) -> int:
    tries = 1
    while system.result(customer_id) is None:
        system.touch(customer_id)
        tries += 1
        assert tries < 100
    return tries


@pytest.mark.parametrize("rule", ["a code of no list", "404 without a code", "JSON without a code"])
def test_a_create_call_that_is_refused_without_a_known_reason_ends_after_so_many(rule: str, system: UseCases) -> None:
    step = RULES[rule][0]
    customer_id = system.partner.customer({"create": [forever(step)]})
    system.submit(customer_id)
    assert _tries_until_the_end(system, customer_id) == system.world.settings.refusals_max
    result = system.result(customer_id)
    assert result
    assert (result.status, result.error_code) == (Status.REJECTED, _last_code(step))


def test_a_create_call_that_is_to_be_tried_later_ends_after_so_many_days(system: UseCases) -> None:
    customer_id = system.partner.customer("bought-too-recently")
    system.submit(customer_id)
    asked_at = system.clock.now()
    assert _tries_until_the_end(system, customer_id) > system.world.settings.refusals_max
    result = system.result(customer_id)
    assert result
    assert (result.status, result.error_code) == (Status.REJECTED, "900130")
    assert (result.finished_at - asked_at).days >= system.world.settings.refusal_deadline_d


@pytest.mark.parametrize("code", ["900105", "900130", "999999"])
def test_a_status_call_that_is_refused_for_ever_times_out_past_its_deadline_only(code: str, system: UseCases) -> None:
    customer_id = system.partner.customer({"status": [forever(refusal_of_no_list(403, code))]})
    system.accepted(customer_id)
    submitted_at = system.row(customer_id).submitted_at
    _tries_until_the_end(system, customer_id)
    result = system.result(customer_id)
    assert result
    assert submitted_at
    assert (result.status, result.error_code) == (Status.TIMED_OUT, code)
    assert (result.finished_at - submitted_at).total_seconds() >= system.world.settings.upgrade_deadline_h * 3600


def test_an_upgrade_that_is_lost_is_created_again_once_and_then_failed(system: UseCases) -> None:
    customer_id = system.partner.customer("lost-twice")
    system.submit(customer_id)
    _tries_until_the_end(system, customer_id)
    result = system.result(customer_id)
    assert result
    assert (result.status, result.error_code) == (Status.FAILED, "900106")
    assert len(system.true_upgrade_ids(customer_id)) == 2
