"""Answers that are no success and of no list: what they make of row, result and gate, over a socket."""

import pytest

from tests.contract.endings import CHECKS, create
from tests.contract.steps import PAGE, Step, answer, code_of, refusal
from tests.contract.use_cases import UseCases

# Name: the answer, what it makes of a create call, and of a status call.
RULES: dict[str, tuple[Step, str, str]] = {
    "a code of no list": (refusal(400, 999999), "refused for now", "refused for now"),
    "a word for a code": (refusal(403, "Forbidden"), "refused for now", "refused for now"),
    "an HTTP status of no list": (refusal(418, 999999), "refused for now", "refused for now"),
    "JSON without a code": (answer(400, '{"description": "no"}'), "refused for now", "refused for now"),
    "a list where the code belongs": (answer(400, '{"code": ["900105"]}'), "refused for now", "refused for now"),
    "a known code with another 4xx": (refusal(422, 900118), "rejected", "refused for now"),
    "our access denied with another 4xx": (refusal(400, 2032), "gate closed", "gate closed"),
    "404 with a code of no list": (refusal(404, 999999), "refused for now", "not yet"),
    "404 without a code": (answer(404, "{}"), "refused for now", "not yet"),
    "404 with a code for good": (refusal(404, 900118), "rejected", "refused for now"),
    "not found with another 4xx": (refusal(400, 900106), "refused for now", "not yet"),
    "403 from a proxy": (answer(403, PAGE, "text/html"), "outcome unknown", "outcome unknown"),
    "404 from a proxy": (answer(404, PAGE, "text/html"), "outcome unknown", "outcome unknown"),
    "5xx": ({"do": "error", "http": 500}, "outcome unknown", "outcome unknown"),
    "5xx and nothing else": ({"do": "error", "http": 502, "body": "empty"}, "outcome unknown", "outcome unknown"),
    "a redirect": ({"do": "redirect"}, "outcome unknown", "outcome unknown"),
    # Twice: the first one may only be a kept connection that was closed meanwhile.
    "a connection that is cut": ({"do": "cut", "when": "before", "times": 2}, "outcome unknown", "outcome unknown"),
}
EVERY_RULE = pytest.mark.parametrize("rule", RULES)


@pytest.mark.parametrize("by", ["message", "tick"])
@EVERY_RULE
def test_a_create_call_that_is_answered_otherwise(rule: str, by: str, system: UseCases) -> None:
    step, ending, _ = RULES[rule]
    customer_id = system.partner.customer({"create": [step]})
    create(system, customer_id, by)
    CHECKS[ending](system, customer_id, code_of(step))


@EVERY_RULE
def test_a_status_call_that_is_answered_otherwise(rule: str, system: UseCases) -> None:
    step, _, ending = RULES[rule]
    customer_id = system.partner.customer({"status": [step]})
    upgrade_id = system.accepted(customer_id).upgrade_id
    system.tick()
    CHECKS[ending](system, customer_id, code_of(step))
    row = system.row(customer_id)
    assert (row.upgrade_id, row.polls) == (upgrade_id, 1)


# Of the endings after which another create call is made: how many MS-RequestIds the two have.
IDS = {"outcome unknown": 1, "refused for now": 2}


@pytest.mark.parametrize("rule", [rule for rule, (_, ending, _) in RULES.items() if ending in IDS])
def test_the_next_create_call_carries_the_same_id_only_after_an_unknown_outcome(rule: str, system: UseCases) -> None:
    step, ending, _ = RULES[rule]
    customer_id = system.partner.customer({"create": [step]})
    system.submit(customer_id)
    system.touch(customer_id)
    calls, upgrades = system.partner.ledger(customer_id)
    assert len({call["msRequestId"] for call in calls}) == IDS[ending]
    row = system.row(customer_id)
    assert (row.upgrade_id, row.refusals, row.last_reason) == (upgrades[0]["id"], 0, None)
