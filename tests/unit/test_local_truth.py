"""The oracle of demo, end-to-end tests and campaign: what it must not let pass."""

from dataclasses import replace
from typing import Any

import pytest

from local.truth import violations
from shared.models import Status, UpgradeRequest, UpgradeResult
from tests.fakes import CUSTOMER, FAMILY, NOON
from tests.unit import rows

REQUEST = UpgradeRequest(CUSTOMER, FAMILY, "r1", NOON)
LATER = UpgradeRequest(CUSTOMER, FAMILY, "r2", NOON)


def _upgrade(upgrade_id: str = "u1", state: str = "completed", *words: str, customer_id: str = CUSTOMER) -> Any:
    items = [{"status": word} for word in words]
    return {"id": upgrade_id, "customerId": customer_id, "state": state, "lineItems": items}


def _create(
    request: UpgradeRequest = REQUEST, *, upgrade_id: str | None = "u1", http: Any = 202, code: Any = None
) -> Any:
    return {
        "sequence": 1,
        "kind": "create",
        "correlationId": request.correlation_id,
        "created": upgrade_id is not None,
        "upgradeId": upgrade_id,
        "http": http,
        "code": code,
    }


def _result(status: Status = Status.COMPLETED, *, of: UpgradeRequest = REQUEST, **changed: Any) -> UpgradeResult:
    found = {"upgrade_id": "u1"} if "duplicate_of" not in changed else {}
    return rows.result(request_id=of.request_id, correlation_id=of.correlation_id, status=status, **(found | changed))


def _judge(results: list[UpgradeResult], upgrades: list[Any], calls: list[Any], *requests: UpgradeRequest) -> list[str]:
    return violations(requests or [REQUEST], results, {"upgrades": upgrades, "calls": calls})


@pytest.mark.parametrize(
    ("state", "words", "status"),
    [
        ("completed", [], Status.COMPLETED),
        ("completed", ["completed"], Status.COMPLETED),
        ("completed", ["completed", "failed"], Status.PARTIALLY_COMPLETED),
        ("completed", ["failed", "failed"], Status.FAILED),
        ("failed", ["failed"], Status.FAILED),
        ("failed", ["failed", "completed"], Status.PARTIALLY_COMPLETED),
        ("in progress", [], Status.TIMED_OUT),
    ],
)
def test_of_all_verdicts_only_the_true_one_passes(state: str, words: list[str], status: Status) -> None:
    upgrades, calls = [_upgrade("u1", state, *words)], [_create()]
    assert _judge([_result(status)], upgrades, calls) == []
    for other in set(Status) - {status, Status.DUPLICATE}:
        assert _judge([_result(other)], upgrades, calls) != []


def test_a_request_without_a_result_is_named() -> None:
    assert _judge([], [], []) == [f"{(CUSTOMER, 'azure', 'r1')}: no result"]


def test_a_result_that_nobody_asked_for_is_named() -> None:
    assert "nobody asked for" in _judge([_result(), _result(of=LATER)], [_upgrade()], [_create()])[0]


def test_a_second_upgrade_of_a_request_is_named() -> None:
    calls = [_create(), _create(upgrade_id="u2")]
    assert "2 upgrades were created" in _judge([_result()], [_upgrade(), _upgrade("u2")], calls)[0]


def test_one_more_upgrade_after_one_that_vanished_is_none_too_many() -> None:
    calls = [_create(upgrade_id="u0"), _create()]
    assert _judge([_result()], [_upgrade("u0", "vanished"), _upgrade()], calls) == []


def test_an_upgrade_of_nobody_or_of_another_customer_is_named() -> None:
    assert "does not exist" in _judge([_result()], [], [])[0]
    assert "another customer" in _judge([_result()], [_upgrade(customer_id="x")], [])[0]


@pytest.mark.parametrize("status", [Status.REJECTED, Status.CANCELLED, Status.DUPLICATE])
def test_an_end_without_an_upgrade_is_no_truth_where_one_was_created(status: Status) -> None:
    result = _result(status, upgrade_id=None, duplicate_of="r2" if status is Status.DUPLICATE else None)
    assert "an upgrade was created" in _judge([result], [_upgrade()], [_create()])[0]


def test_rejected_must_be_what_the_service_answered_last() -> None:
    rejected = _result(Status.REJECTED, upgrade_id=None, error_code="900108")
    refused = _create(upgrade_id=None, http=403, code=900108)
    assert _judge([rejected], [], [refused]) == []
    assert "900105" in _judge([replace(rejected, error_code="900105")], [], [refused])[0]
    assert "no refusal" in _judge([rejected], [], [refused | {"http": 503}])[0]
    assert "no refusal" in _judge([rejected], [], [refused | {"http": "cut"}])[0]
    assert "no refusal" in _judge([rejected], [], [])[0]


def test_a_duplicate_must_lead_to_a_verdict() -> None:
    duplicate = _result(Status.DUPLICATE, of=LATER, duplicate_of="r1")
    both = [_result(), duplicate]
    assert _judge(both, [_upgrade()], [_create()], REQUEST, LATER) == []
    circle = [_result(Status.DUPLICATE, duplicate_of="r2"), duplicate]
    assert "leads to no verdict" in _judge(circle, [], [], REQUEST, LATER)[0]
    nowhere = [replace(duplicate, duplicate_of="r9")]
    assert "leads to no verdict" in _judge(nowhere, [], [], LATER)[0]
