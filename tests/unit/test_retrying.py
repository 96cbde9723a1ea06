"""Which upgrades are sent again."""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.messages import Message, parse
from shared.models import InFlightUpgrade, Status, UpgradeResult
from tests.fakes import CUSTOMER, FAMILY, NOON
from tests.unit.rows import in_flight, result
from upgradectl.choosing import Named
from upgradectl.overview import standings
from upgradectl.retrying import RETRIED, LeftOut, Plan, Wanted, plan, successor_id

OTHER = "2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f7"
KEY = (CUSTOMER, FAMILY.lower())


def ended(request_id: str, status: Status = Status.FAILED, *, hour: int = 0, **more: Any) -> UpgradeResult:
    return result(request_id=request_id, status=status, finished_at=NOON + timedelta(hours=hour), **more)


def again(old: UpgradeResult, status: Status = Status.FAILED, *, hour: int = 1, **more: Any) -> UpgradeResult:
    """The result of its retry."""
    return ended(successor_id(old), status, hour=hour, **more)


def look(results: Iterable[UpgradeResult], wanted: Wanted | None = None, rows: Iterable[InFlightUpgrade] = ()) -> Plan:
    results, rows = list(results), list(rows)
    customers = dict.fromkeys([*(one.customer_id for one in results), *(row.customer_id for row in rows)])
    each = [
        standing
        for customer in customers
        for standing in standings(
            [row for row in rows if row.customer_id == customer],
            [one for one in results if one.customer_id == customer],
        )
    ]
    return plan(each, wanted or Wanted())


def of_file(*request_ids: str) -> Wanted:
    return Wanted(Named(requests={KEY: set(request_ids)}))


def sent(found: Plan) -> list[str]:
    """The requests that are repeated."""
    return [retry.old_request_id for retry in found.retries]


# request ids


def test_the_new_request_id_is_made_of_customer_family_and_the_old_one() -> None:
    ids = {successor_id(ended("a")), successor_id(ended("b")), successor_id(ended("a", customer_id=OTHER))}
    ids.add(successor_id(ended("a", product_family="Office")))
    assert len(ids) == 4
    assert all(uuid.UUID(one).version == 5 for one in ids)
    assert successor_id(ended("a", Status.REJECTED, hour=7, product_family="AZURE")) in ids


def test_the_new_request_id_is_the_same_in_every_version() -> None:
    assert successor_id(ended("r1")) == str(
        uuid.uuid5(uuid.UUID("3b0c7a52-7f0e-5d1f-8a43-9d2e6c1b4f58"), f"{CUSTOMER}|azure|r1")
    )


def test_the_message_is_a_request_of_the_contract() -> None:
    (retry,) = look([ended("a")]).retries
    outgoing = retry.message
    request = parse(Message(outgoing.body, None, 1, NOON), (FAMILY,))
    assert outgoing.message_id == request.request_id == successor_id(ended("a"))
    assert (request.customer_id, request.product_family) == (CUSTOMER, FAMILY)


# what is chosen


@pytest.mark.parametrize("status", list(Status))
def test_what_failed_timed_out_or_was_rejected_or_cancelled_is_sent_again(status: Status) -> None:
    found = look([ended("a", status, duplicate_of="b" if status is Status.DUPLICATE else None)])
    assert bool(found.retries) is (status in RETRIED)


def test_what_completed_in_part_is_sent_again_where_it_is_asked_for() -> None:
    results = [ended("a", Status.PARTIALLY_COMPLETED)]
    assert sent(look(results, Wanted(statuses={*RETRIED, Status.PARTIALLY_COMPLETED}))) == ["a"]


def test_what_completed_in_part_after_it_had_failed_is_left_out() -> None:
    results = [ended("a"), ended("b", Status.PARTIALLY_COMPLETED, hour=1)]
    found = look(results)
    assert (sent(found), found.left_out) == ([], {LeftOut.PARTLY: 1, LeftOut.UNKNOWN: 0})
    assert sent(look(reversed(results))) == []
    assert sent(look([ended("a", hour=2), results[1]])) == ["a"]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (Wanted(codes={"900108"}), ["old"]),
        (Wanted(codes={"given_up", "900108"}), ["new"]),
        (Wanted(codes={"1"}), []),
        (Wanted(since=NOON + timedelta(hours=2)), ["new"]),
        (Wanted(since=NOON + timedelta(hours=3)), []),
        (Wanted(until=NOON + timedelta(hours=2)), ["old"]),
        (Wanted(statuses={Status.REJECTED}), ["old"]),
        (Wanted(statuses={Status.TIMED_OUT}), []),
    ],
)
def test_filters_are_about_the_last_verdict_of_each_chain(wanted: Wanted, chosen: list[str]) -> None:
    results = [
        ended("old", Status.REJECTED, error_code="900108"),
        ended("new", hour=2, error_code="Given_Up"),
    ]
    assert sent(look(results, wanted)) == chosen


def test_of_several_requests_of_a_customer_the_latest_is_sent_and_only_once() -> None:
    (retry,) = look([ended("late", hour=5), ended("early"), ended("between", hour=2)]).retries
    assert retry.old_request_id == "late"
    assert {*retry.rivals} == {successor_id(ended("early")), successor_id(ended("between"))}


def test_families_are_things_of_their_own() -> None:
    results = [ended("a"), ended("a", product_family="Office"), ended("b", Status.COMPLETED, product_family="Office")]
    found = look(results)
    assert [(retry.product_family, retry.old_request_id) for retry in found.retries] == [(FAMILY, "a")]
    assert found.left_out[LeftOut.COMPLETED] == 1


# what is left out


@pytest.mark.parametrize("hour", [-5, 5])
def test_a_customer_who_has_completed_is_left_out(hour: int) -> None:
    found = look([ended("a"), ended("b", Status.COMPLETED, hour=hour)])
    assert (sent(found), found.left_out[LeftOut.COMPLETED]) == ([], 1)


def test_a_customer_in_flight_is_left_out() -> None:
    found = look([ended("a")], rows=[in_flight(request_id="b")])
    assert (sent(found), found.left_out[LeftOut.IN_FLIGHT]) == ([], 1)


def test_a_row_that_a_crash_has_left_over_is_not_in_flight() -> None:
    assert sent(look([ended("a")], rows=[in_flight(request_id="a")])) == ["a"]


@pytest.mark.parametrize("of", ["a", "b"])
def test_what_waits_on_the_queue_already_is_left_out_also_as_the_retry_of_another_request(of: str) -> None:
    found = look([ended("a"), ended("b", hour=1), ended("c", customer_id=OTHER)])
    found.leave_out_waiting({successor_id(ended(of)), "a message of somebody else's"})
    assert (sent(found), found.left_out[LeftOut.WAITING]) == (["c"], 1)


# chains


def test_a_request_that_was_retried_is_not_sent_again_under_its_first_id() -> None:
    first = ended("a")
    second = again(first, hour=3)
    assert sent(look([first, second])) == [second.request_id]


def test_the_last_verdict_of_a_chain_counts() -> None:
    first = ended("a")
    second = again(first, Status.REJECTED)
    assert sent(look([first, second], Wanted(statuses={Status.FAILED}))) == []
    assert sent(look([first, second], Wanted(statuses={Status.REJECTED}))) == [second.request_id]
    third = again(second, Status.COMPLETED, hour=2)
    assert sent(look([first, second, third])) == []


def test_a_long_chain_grows_at_its_end() -> None:
    results = [ended("a")]
    for hour in range(1, 50):
        results.append(again(results[-1], hour=hour))
    assert sent(look(results)) == [results[-1].request_id]
    assert sent(look(results, of_file("a"))) == [results[-1].request_id]


def test_a_second_run_sends_the_same_request() -> None:
    results = [ended("a"), ended("b", hour=1)]
    assert look(results).retries == look(reversed(results)).retries


# duplicates, and files


def test_a_duplicate_counts_as_what_answered_it_and_that_is_sent_once() -> None:
    duplicates = [ended(name, Status.DUPLICATE, duplicate_of="b", hour=2) for name in ("a", "c")]
    results = [ended("b"), *duplicates]
    assert sent(look(results)) == ["b"]
    assert sent(look(results, of_file("a"))) == ["b"]
    assert sent(look(results, of_file("a", "b", "c"))) == ["b"]


def test_a_retry_that_became_a_duplicate_counts_as_what_answered_it() -> None:
    first = ended("a")
    results = [first, again(first, Status.DUPLICATE, duplicate_of="b", hour=2), ended("b", Status.CANCELLED, hour=3)]
    assert sent(look(results)) == ["b"]
    assert sent(look(results, of_file("a"))) == ["b"]


def test_duplicates_that_lead_nowhere_are_no_verdict() -> None:
    ring = [ended("a", Status.DUPLICATE, duplicate_of="b"), ended("b", Status.DUPLICATE, duplicate_of="a")]
    found = look(ring, of_file("a"))
    assert (sent(found), found.left_out[LeftOut.UNKNOWN]) == ([], 1)
    broken = look([ended("a", Status.DUPLICATE, duplicate_of="gone")], of_file("a"))
    assert (sent(broken), broken.left_out[LeftOut.UNKNOWN]) == ([], 1)


def test_of_a_file_only_its_own_requests_are_sent() -> None:
    results = [ended("a"), ended("b", hour=1)]
    assert sent(look(results, of_file("a"))) == ["a"]
    assert sent(look(results, of_file("b", "never heard of"))) == ["b"]


@pytest.mark.parametrize(
    ("results", "rows", "reason"),
    [
        ([], [], LeftOut.UNKNOWN),
        ([], [in_flight(request_id="a")], LeftOut.IN_FLIGHT),
        ([ended("b")], [], LeftOut.UNKNOWN),
        ([ended("a", Status.COMPLETED)], [], LeftOut.COMPLETED),
        ([ended("a", Status.PARTIALLY_COMPLETED)], [], LeftOut.OTHERWISE),
    ],
)
def test_what_is_named_and_not_sent_is_said(results: Any, rows: Any, reason: LeftOut) -> None:
    for named in (Named(requests={KEY: {"a"}}), *([] if results == [ended("b")] else [Named(frozenset({CUSTOMER}))])):
        found = look(results, Wanted(named), rows)
        assert (sent(found), +found.left_out) == ([], {reason: 1})


def test_what_is_not_named_is_not_mentioned() -> None:
    completed = ended("a", Status.COMPLETED)
    assert not +look([completed, replace(completed, customer_id=OTHER)]).left_out


def test_of_many_customers_each_has_a_request_of_its_own() -> None:
    customers = [str(uuid.uuid4()) for _ in range(100)]
    found = look([ended("a", customer_id=customer) for customer in customers])
    assert [retry.customer_id for retry in found.retries] == customers
    assert len({retry.request_id for retry in found.retries}) == 100
