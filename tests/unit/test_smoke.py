"""What the smoke test makes of what it sees."""

from dataclasses import replace
from typing import Any

import pytest

from scripts.smoke import Finding, Look, Outcome, given_up, judge
from shared.models import GateReason, GateState, InFlightUpgrade, Position, Reason, State, Status, UpgradeResult
from tests.fakes import NOON

OPEN = GateState()
ROW = InFlightUpgrade(
    customer_id="2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6",
    product_family="Azure",
    request_id="smoke-1",
    state=State.ACCEPTED,
    next_attempt_at=NOON,
    ms_request_id="1",
    correlation_id="2",
    outcome_unknown=True,
    requested_at=NOON,
    claimed_at=NOON,
)
REJECTED = UpgradeResult(
    customer_id=ROW.customer_id,
    product_family="Azure",
    request_id="smoke-1",
    status=Status.REJECTED,
    requested_at=NOON,
    finished_at=NOON,
    correlation_id="2",
    error_code="20002",
)
NO_CONSENT = GateState(position=Position.CLOSED, reason=GateReason.CREDENTIALS, detail="secret:a-token")


def _row(**columns: Any) -> InFlightUpgrade:
    return replace(ROW, **columns)


@pytest.mark.parametrize(
    ("look", "text"),
    [
        (Look(REJECTED, None, OPEN), "ended as Rejected 20002"),
        (Look(REJECTED, ROW, NO_CONSENT), "ended as Rejected 20002"),
        (Look(None, _row(upgrade_id="3"), OPEN), "accepted"),
        (Look(None, _row(last_reason=Reason.THROTTLED, last_code="429"), OPEN), "answered 429: throttled"),
        (Look(None, _row(last_reason=Reason.REFUSED_FOR_NOW, last_code="42"), OPEN), "answered 42: refused_for_now"),
    ],
)
def test_an_answer_of_the_service_is_what_counts(look: Look, text: str) -> None:
    finding = judge(look)
    assert finding is not None
    assert finding.outcome is Outcome.PASSED
    assert text in finding.text


@pytest.mark.parametrize(
    "look",
    [
        Look(None, None, OPEN),
        Look(None, ROW, OPEN),
        Look(None, _row(last_reason=Reason.UNKNOWN_OUTCOME, last_code="500"), OPEN),
        Look(None, _row(last_reason=Reason.UNAVAILABLE, last_code="temporarily_unavailable"), OPEN),
        Look(None, _row(last_reason=Reason.CREDENTIALS, last_code="401"), OPEN),
        Look(None, _row(last_reason=Reason.GATE), replace(NO_CONSENT, detail="invalid_client")),
        Look(None, _row(last_reason=Reason.GATE), replace(NO_CONSENT, position=Position.RECOVERING)),
    ],
)
def test_anything_else_is_waited_for_and_fails_in_the_end(look: Look) -> None:
    assert judge(look) is None
    assert given_up(look).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("look", "text"),
    [
        (Look(None, None, NO_CONSENT), "secret a-token"),
        (Look(None, _row(last_reason=Reason.CREDENTIALS, last_code="secret:a-token"), OPEN), "secret a-token"),
        (Look(None, ROW, GateState(position=Position.PAUSED)), "paused"),
    ],
)
def test_where_a_person_has_to_act_first_it_is_skipped(look: Look, text: str) -> None:
    finding = judge(look)
    assert finding is not None
    assert finding.outcome is Outcome.SKIPPED
    assert text in finding.text


def test_what_it_waited_for_is_said() -> None:
    gate = GateState(position=Position.CLOSED, reason=GateReason.UNAVAILABLE, detail="unknown outcomes")
    row = _row(last_reason=Reason.UNKNOWN_OUTCOME, last_code="503")
    waited_for = "unknown_outcome 503; the gate: closed unavailable unknown outcomes"
    assert given_up(Look(None, row, gate)).text.endswith(waited_for)
    assert given_up(Look(None, None, OPEN)) == Finding(
        Outcome.FAILED, "nobody has claimed the request: CreateUpgrade does not run, or not to its end"
    )
