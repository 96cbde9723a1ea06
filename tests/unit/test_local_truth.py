"""The oracle of demo, end-to-end tests and campaign: what it must not let pass."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from local.truth import correlation_of, key_of, verdict_of, violations
from shared.models import Status, UpgradeRequest, UpgradeResult
from tests.fakes import CUSTOMER, FAMILY, NOON
from tests.unit import rows

REQUEST = UpgradeRequest(CUSTOMER, FAMILY, "r1", NOON)
LATER = UpgradeRequest(CUSTOMER, FAMILY, "r2", NOON)
NOON_S = NOON.timestamp()


def _upgrade(
    upgrade_id: str = "u1",
    state: str = "completed",
    *words: str,
    customer_id: str = CUSTOMER,
    ended_s: float | None = None,
) -> Any:
    items = [{"status": word} for word in words]
    facts = {"id": upgrade_id, "customerId": customer_id, "state": state, "lineItems": items, "createdS": NOON_S}
    return facts if ended_s is None else facts | {"endedS": ended_s}


def _call(kind: str, at_s: float, request: UpgradeRequest = REQUEST, **changed: Any) -> Any:
    """A call that started so many seconds before noon, and ended a second later."""
    return {
        "sequence": 1000 + at_s,
        "kind": kind,
        "correlationId": request.correlation_id,
        "msRequestId": "m1",
        "created": False,
        "upgradeId": None,
        "startedS": NOON_S + at_s,
        "endedS": NOON_S + at_s + 1,
        "http": 200,
        "code": None,
        "seen": True,
    } | changed


def _create(
    request: UpgradeRequest = REQUEST,
    *,
    upgrade_id: str | None = "u1",
    http: Any = 202,
    code: Any = None,
    at_s: float = -100,
    seen: bool = True,
) -> Any:
    created = upgrade_id is not None
    return _call("create", at_s, request, created=created, upgradeId=upgrade_id, http=http, code=code, seen=seen)


def _status(upgrade_id: str = "u1", *, at_s: float = -10, http: Any = 200, code: Any = None) -> Any:
    return _call("status", at_s, upgradeId=upgrade_id, http=http, code=code)


def _found_lost(upgrade_id: str = "u1", *, at_s: float = -60) -> list[Any]:
    return [_status(upgrade_id, at_s=at_s, http=404, code=900106), _call("eligibility", at_s + 2)]


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
    upgrades, calls = [_upgrade("u1", state, *words)], [_create(), _status()]
    assert _judge([_result(status)], upgrades, calls) == []
    for other in set(Status) - {status, Status.DUPLICATE}:
        assert _judge([_result(other)], upgrades, calls) != []


def test_a_request_without_a_result_is_named() -> None:
    assert _judge([], [], []) == [f"{(CUSTOMER, 'azure', 'r1')}: no result"]


def test_a_result_that_nobody_asked_for_is_named() -> None:
    assert "nobody asked for" in _judge([_result(), _result(of=LATER)], [_upgrade()], [_create()])[0]


def test_a_second_result_of_a_request_is_named() -> None:
    assert "2 results" in _judge([_result(), _result()], [_upgrade()], [_create()])[0]


def test_a_second_upgrade_of_a_request_is_named() -> None:
    calls = [_create(), _create(upgrade_id="u2")]
    assert "2 upgrades were created" in _judge([_result()], [_upgrade(), _upgrade("u2")], calls)[0]


def test_one_more_upgrade_after_one_that_is_known_to_be_lost_is_none_too_many() -> None:
    upgrades = [_upgrade("u0", "vanished"), _upgrade()]
    calls = [_create(upgrade_id="u0"), *_found_lost("u0"), _create(at_s=-50)]
    assert _judge([_result()], upgrades, calls) == []


@pytest.mark.parametrize("known", [[], _found_lost("u0")[:1], _found_lost("u0")[1:], _found_lost("u0", at_s=-20)])
def test_one_more_upgrade_before_it_is_known_that_one_was_lost_is_named(known: list[Any]) -> None:
    upgrades = [_upgrade("u0", "vanished"), _upgrade()]
    calls = [_create(upgrade_id="u0"), *known, _create(at_s=-50)]
    assert "2 upgrades were created" in _judge([_result()], upgrades, calls)[0]


def test_a_404_alone_loses_no_upgrade() -> None:
    upgrades = [_upgrade("u0", "failed"), _upgrade()]
    calls = [_create(upgrade_id="u0"), *_found_lost("u0"), _create(at_s=-50)]
    assert "2 upgrades were created" in _judge([_result()], upgrades, calls)[0]


def test_an_upgrade_of_nobody_or_of_another_customer_is_named() -> None:
    assert "does not exist" in _judge([_result()], [], [])[0]
    assert "another customer" in _judge([_result()], [_upgrade(customer_id="x")], [])[0]


def test_an_adopted_upgrade_is_as_good_as_a_created_one_unless_one_was_created() -> None:
    adopted = _result(adopted=True, upgrade_id="u0")
    upgrades = [_upgrade("u0"), _upgrade()]
    assert _judge([adopted], upgrades, []) == []
    assert "u1 was created" in _judge([adopted], upgrades, [_create()])[0]


@pytest.mark.parametrize("status", [Status.REJECTED, Status.CANCELLED, Status.DUPLICATE])
def test_an_end_without_an_upgrade_is_no_truth_where_one_was_created(status: Status) -> None:
    result = _result(status, upgrade_id=None, duplicate_of="r2" if status is Status.DUPLICATE else None)
    assert "an upgrade was created" in _judge([result], [_upgrade()], [_create()])[0]


def test_after_an_upgrade_was_lost_the_request_may_be_refused_or_withdrawn() -> None:
    refused = _create(upgrade_id=None, http=403, code=900108, at_s=-50)
    calls = [_create(), *_found_lost(), refused]
    rejected = _result(Status.REJECTED, upgrade_id=None, error_code="900108")
    cancelled = _result(Status.CANCELLED, upgrade_id=None)
    assert _judge([rejected], [_upgrade("u1", "vanished")], calls) == []
    assert _judge([cancelled], [_upgrade("u1", "vanished")], calls[:-1]) == []


def test_failed_is_true_of_an_upgrade_that_was_lost_twice_and_not_of_one_lost_once() -> None:
    lost = [_upgrade("u0", "vanished"), _upgrade("u1", "vanished")]
    failed = _result(Status.FAILED)
    again = [*_found_lost("u0"), _create(at_s=-50), *_found_lost("u1", at_s=-40)]
    assert _judge([failed], lost, [_create(upgrade_id="u0"), *again]) == []
    assert _judge([failed], lost, again) == []  # the first one was adopted
    assert "vanished" in _judge([failed], lost, [_create(), *_found_lost()])[0]


def test_an_upgrade_that_vanished_after_its_end_gives_no_verdict_the_lie() -> None:
    gone = _upgrade("u1", "vanished", ended_s=NOON_S - 10)
    assert _judge([_result()], [gone], [_create(), _status()]) == []


def test_a_time_out_needs_an_answer_that_has_not_told_the_end() -> None:
    timed_out = _result(Status.TIMED_OUT)
    assert "no status call was answered" in _judge([timed_out], [_upgrade("u1", "in progress")], [_create()])[0]
    told = _upgrade(ended_s=NOON_S - 9.5)
    assert "the truth is Completed" in _judge([timed_out], [told], [_create(), _status()])[0]


def test_a_time_out_stays_true_though_the_upgrade_ends_later_or_the_service_refuses_to_tell() -> None:
    timed_out = _result(Status.TIMED_OUT)
    later = _upgrade(ended_s=NOON_S + 5)
    assert _judge([timed_out], [later], [_create(), _status(), _status(at_s=4.5)]) == []
    told_nobody = _upgrade(ended_s=NOON_S - 20)
    refused = _status(http=400, code="999999")
    assert _judge([timed_out], [told_nobody], [_create(), refused]) == []


def test_of_two_status_calls_at_the_same_time_either_may_be_the_last_one() -> None:
    ended = _upgrade(ended_s=NOON_S - 9)
    calls = [_create(), _status(), _status(at_s=-9.5)]
    assert _judge([_result(Status.TIMED_OUT)], [ended], calls) == []


def test_a_status_call_that_ends_the_upgrade_while_another_is_on_its_way_has_not_told_that_other_one() -> None:
    """A second poller, and answers that take long: the first call was told before the second one ended the upgrade."""
    ended = _upgrade(ended_s=NOON_S - 0.5)
    told_later = _call("status", -0.5, upgradeId="u1", endedS=NOON_S + 1)
    timed_out = _result(Status.TIMED_OUT)
    assert _judge([timed_out], [ended], [_create(), _status(at_s=-1), told_later]) == []
    assert "Completed" in _judge([timed_out], [_upgrade(ended_s=NOON_S - 1.5)], [_create(), _status(at_s=-1.5)])[0]


def test_rejected_must_be_what_the_service_refused_last() -> None:
    rejected = _result(Status.REJECTED, upgrade_id=None, error_code="900108")
    refused = _create(upgrade_id=None, http=403, code=900108)
    assert _judge([rejected], [], [refused]) == []
    assert "900105" in _judge([replace(rejected, error_code="900105")], [], [refused])[0]
    for no_refusal in ({"http": 503}, {"http": "cut"}, {"seen": False}, {"code": None}, {"http": 429}):
        assert "no refusal" in _judge([rejected], [], [refused | no_refusal])[0]
    assert "no refusal" in _judge([rejected], [], [])[0]


def test_rejected_need_not_be_what_was_refused_first_or_what_nobody_saw() -> None:
    rejected = _result(Status.REJECTED, upgrade_id=None, error_code="900108")
    first = _create(upgrade_id=None, http=403, code=900130, at_s=-90)
    refused = _create(upgrade_id=None, http=403, code=900108, at_s=-80)
    unseen = _create(upgrade_id=None, http=403, code=900105, at_s=-70, seen=False)
    assert _judge([rejected], [], [first, refused, unseen]) == []


def test_rejected_because_of_an_upgrade_in_place_is_named_where_there_is_one() -> None:
    rejected = _result(Status.REJECTED, upgrade_id=None, error_code="900110")
    refused = _create(upgrade_id=None, http=400, code=900110)
    assert _judge([rejected], [], [refused]) == []
    assert _judge([rejected], [_upgrade(state="failed")], [refused]) == []
    assert "u1 is in place" in _judge([rejected], [_upgrade()], [refused])[0]
    assert _judge([replace(rejected, finished_at=NOON - timedelta(1))], [_upgrade()], [refused]) == []


def test_a_duplicate_must_lead_to_a_verdict() -> None:
    duplicate = _result(Status.DUPLICATE, of=LATER, duplicate_of="r1")
    both = [_result(), duplicate]
    assert _judge(both, [_upgrade()], [_create()], REQUEST, LATER) == []
    circle = [_result(Status.DUPLICATE, duplicate_of="r2"), duplicate]
    assert "leads to no verdict" in _judge(circle, [], [], REQUEST, LATER)[0]
    nowhere = [replace(duplicate, duplicate_of="r9")]
    assert "leads to no verdict" in _judge(nowhere, [], [], LATER)[0]


def test_a_duplicate_of_a_duplicate_is_answered_by_the_verdict_at_the_end() -> None:
    chain = [
        _result(Status.DUPLICATE, of=LATER, duplicate_of="r3"),
        _result(Status.DUPLICATE, of=replace(REQUEST, request_id="r3"), duplicate_of="r1"),
        _result(),
    ]
    assert verdict_of(chain[0], {key_of(result): result for result in chain}) is chain[2]


def test_the_calls_of_a_request_are_known_by_its_key_alone() -> None:
    assert correlation_of(key_of(REQUEST)) == REQUEST.correlation_id
