"""What the client makes of an answer that came over a socket, and what it notes of it."""

import json
import logging

import pytest
import requests

from shared import errors
from shared.models import Status
from tests.contract.caller import Caller
from tests.contract.fake_partner_center import Partner

# Refused


@pytest.mark.parametrize(
    ("scenario", "kind", "code", "http_status"),
    [
        ("suspended", errors.RefusedForGood, "900105", 403),
        ("invalid-customer", errors.RefusedForGood, "900118", 400),
        ("bought-too-recently", errors.RefusedForNow, "900130", 403),
        ("unknown-refusal", errors.RefusedForNow, "999999", 400),
        ("role-missing", errors.AccessDenied, "2032", 403),
        ("mfa-missing-once", errors.AccessDenied, "900421", 401),
        ("unauthorized", errors.Unauthorized, "400", 401),
        ("throttled", errors.Throttled, "", 429),
        ("server-error-then-ok", errors.OutcomeUnknown, "800003", 503),
        ("html-error", errors.OutcomeUnknown, "", 500),
        ("bad-gateway", errors.OutcomeUnknown, "", 502),
        ("html-refusal", errors.OutcomeUnknown, "", 403),
        ("redirected", errors.OutcomeUnknown, "", 307),
    ],
)
def test_a_refusal_is_told_by_its_kind(
    caller: Caller, scenario: str, kind: type[errors.CallFailed], code: str, http_status: int
) -> None:
    row = caller.row(scenario)
    error = caller.refused(row)
    assert (type(error), error.code, error.http_status) == (kind, code, http_status)
    assert (caller.kinds(row), caller.upgrade_ids(row)) == (["create"], [])
    # A token made before a role was granted, or a consent given, must not be kept.
    dropped = kind in (errors.Unauthorized, errors.AccessDenied)
    assert caller.tokens.dropped == ([caller.tokens.token] if dropped else [])


# Status


def test_a_status_is_asked_until_it_is_final(caller: Caller) -> None:
    row = caller.row("failed-but-one-completed")
    upgrade_id = caller.create(row).upgrade_id
    going, final = (caller.client.get_status(row, upgrade_id) for _ in range(2))
    assert (going.server_status, going.end) == ("InProgress", None)
    assert (final.server_status, final.end) == ("Failed", Status.PARTIALLY_COMPLETED)
    assert (len(final.line_items), final.line_items_failed) == (2, 1)
    assert (final.error_code, final.error_description) == ("900120", "The upgrade cannot be processed.")


def statuses(caller: Caller, scenario: object, count: int) -> list[object]:
    """What so many status calls led to: the kind of error, or the end."""
    row = caller.row(scenario)
    upgrade_id = caller.create(row).upgrade_id
    found: list[object] = []
    for _ in range(count):
        try:
            found.append(caller.client.get_status(row, upgrade_id).end)
        except errors.CallFailed as error:
            found.append(type(error))
    return found


LOST, DONE = errors.OutcomeUnknown, Status.COMPLETED


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("unknown-status-words", [None] * 8 + [DONE]),
        ("garbled-status", [LOST] * 5 + [None, None, DONE]),
        ("throttled-status", [errors.Throttled, None, DONE]),
        ("status-error", [LOST, LOST, None, DONE]),
        ("cut-status", [LOST, DONE]),  # the first is on a kept connection, so it is sent once more
        ("endless-status", [LOST, DONE]),
        ("not-found-at-first", [errors.UpgradeNotFound, errors.UpgradeNotFound, None, DONE]),
        ("lost-upgrade", [errors.UpgradeNotFound] * 2),
        ({"status": [{"do": "slow", "seconds": 0.5}, {"do": "drip"}]}, [LOST, LOST]),
    ],
    ids=str,
)
def test_a_status_answer_is_a_verdict_or_not_one(caller: Caller, scenario: object, expected: list[object]) -> None:
    assert statuses(caller.in_haste(), scenario, len(expected)) == expected


def test_an_upgrade_of_another_customer_is_not_found(caller: Caller) -> None:
    upgrade_id = caller.create(caller.row()).upgrade_id
    with pytest.raises(errors.UpgradeNotFound):
        caller.client.get_status(caller.row(), upgrade_id)


# Eligibility


def test_eligibility_names_an_upgrade_that_is_in_place_and_no_failed_one(caller: Caller) -> None:
    row = caller.row("already-completed")
    assert [caller.client.get_eligibility(row).upgrade_id] == caller.upgrade_ids(row)
    for scenario in ("completes", "already-failed"):
        found = caller.client.get_eligibility(caller.row(scenario))
        assert (found.is_eligible, found.upgrade_id) == (True, None)
    refused = caller.client.get_eligibility(caller.row("suspended"))
    assert (refused.is_eligible, refused.upgrade_id) == (False, None)
    assert refused.reason


# What is noted besides


def test_a_call_that_fails_is_logged_with_what_a_support_case_asks_for(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    row = caller.row("suspended")
    caller.refused(row)
    (line,) = [r.getMessage() for r in caplog.records if r.getMessage().startswith("call.failed ")]
    logged = json.loads(line.removeprefix("call.failed "))
    assert (logged["call"], logged["http_status"]) == ("create", 403)
    assert (logged["ms_request_id"], logged["correlation_id"]) == (row.ms_request_id, row.correlation_id)
    assert logged["ms_cv"]
    assert logged["ms_server_id"]


def test_a_token_that_the_service_does_not_accept_is_dropped(caller: Caller) -> None:
    caller.tokens.token = "never issued"
    row = caller.row()
    assert type(caller.refused(row)) is errors.Unauthorized
    with pytest.raises(errors.Unauthorized):
        caller.client.get_eligibility(row)
    assert caller.tokens.dropped == ["never issued"] * 2


@pytest.mark.parametrize("mfa", [True, False])
def test_the_service_is_asked_once_per_token_whether_its_sign_in_had_mfa(
    partner: Partner, session: requests.Session, mfa: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caller = Caller(partner, session, token=partner.access_token(mfa=mfa))
    partner.control("PUT", "switches", {"require_mfa": False})
    try:
        for _ in range(3):
            caller.create(caller.row())
    finally:
        partner.control("PUT", "switches", {"require_mfa": True})
    assert caplog.text.count('auth.consent_required {"oauth_error": "not_mfa_compliant"}') == (0 if mfa else 1)
