"""`cancel`: which requests are withdrawn, and what is said of the others; rows are put into the tables."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.models import InFlightUpgrade, Reason, State, Status
from shared.upgrade_store import TableStore
from tests.fakes import World
from tests.unit.rows import in_flight
from tests.upgradectl.operator_support import IN_PROGRESS, LONG_AGO, STUCK, Customers, outcomes
from tests.upgradectl.submit_support import body, request, write
from tests.upgradectl.system import System
from upgradectl import cancelling
from upgradectl.cancelling import Outcome, withdraw_again
from upgradectl.errors import ExitCode
from upgradectl.requests_file import derived_id

WAITING = in_flight(state=State.DEFERRED, outcome_unknown=False)


def test_requests_that_wait_are_withdrawn(system: System, customers: Customers) -> None:
    rows = [customers.waiting(), customers.waiting(last_reason=Reason.GATE)]
    ended = system.run("cancel", *(row.customer_id for row in rows), "--yes")
    assert (ended.code, ended.out) == (0, "Withdrawn: 2 requests.\n")
    assert ended.err.startswith("To be withdrawn: 2 requests\n")
    for row in rows:
        result = customers.result_of(row)
        assert result
        assert result.status is Status.CANCELLED
        assert customers.row_of(row) is None


def test_what_cannot_be_withdrawn_is_said_and_left_and_ends_with_1(system: System, customers: Customers) -> None:
    waiting, unknown, in_progress = customers.waiting(), customers.waiting(**STUCK), customers.waiting(**IN_PROGRESS)
    ended = system.call("cancel", waiting.customer_id, unknown.customer_id, in_progress.customer_id, "--yes")
    assert (ended.code, ended.out) == (ExitCode.NOT_OK, "Withdrawn: 1 request.\n")
    assert "Cannot be withdrawn: 1, a create call may have gone through (--give-up asks, and ends them)" in ended.err
    assert "Cannot be withdrawn: 1, the upgrade is in progress" in ended.err
    assert customers.row_of(unknown) == unknown
    assert customers.row_of(in_progress) == in_progress


def test_the_duplicates_that_hang_on_a_request_are_shown(system: System, customers: Customers) -> None:
    row, other = customers.waiting("first"), customers.waiting("first")
    for request_id in ("second", "third"):
        customers.ended(Status.DUPLICATE, request_id, customer_id=row.customer_id, duplicate_of="first")
    customers.ended(Status.DUPLICATE, "older", customer_id=row.customer_id, duplicate_of="another")
    shown = system.call("cancel", row.customer_id, other.customer_id, "--dry-run")
    assert (shown.code, shown.err) == (0, "")
    assert "Duplicates that they answer: 2; a Cancelled request will answer them" in shown.out
    assert f"  e.g. {row.customer_id}: second, third\n" in shown.out
    document = system.call("cancel", row.customer_id, other.customer_id, "--dry-run", "--json").document
    assert {one["customer_id"]: one["duplicates"] for one in document["requests"]} == {
        row.customer_id: ["second", "third"],
        other.customer_id: [],
    }
    assert customers.row_of(row) == row


def test_of_a_file_only_its_own_requests_are_withdrawn(system: System, customers: Customers) -> None:
    own, derived, of_another = customers.waiting("own"), customers.waiting(), customers.waiting("another")
    customer = customers.new()
    customers.waiting(derived_id(request(customer, "none"), "wave-1"), customer_id=customer)
    customers.ended(Status.CANCELLED, "gone", customer_id=(gone := customers.new()))
    path = write(
        system.folder / "wave.jsonl",
        [
            body(own.customer_id, requestId="own"),
            body(customer),
            body(derived.customer_id),
            body(of_another.customer_id, requestId="mine"),
            body(gone, requestId="gone"),
            body(customers.new(), requestId="never-arrived"),
        ],
    )
    ended = system.call("cancel", "--file", str(path), "--batch", "wave-1", "--yes", "--json")
    assert ended.code == ExitCode.NOT_OK
    assert outcomes(ended) == {own.customer_id: "withdrawn", customer: "withdrawn"}
    assert ended.document["not_in_flight"] == {
        "another request of the customer is in flight": 2,
        "Cancelled": 1,
        "neither in flight nor ended": 1,
    }
    assert customers.row_of(of_another) == of_another


def test_a_second_run_over_what_was_withdrawn_is_well(system: System, customers: Customers) -> None:
    row = customers.waiting()
    assert system.call("cancel", row.customer_id, "--yes").code == 0
    ended = system.call("cancel", row.customer_id, "--yes")
    assert (ended.code, ended.out) == (0, "Withdrawn: 0 requests.\n")
    assert "Not in flight: 1 Cancelled" in ended.err


def test_filters_choose_among_all_rows(system: System, customers: Customers) -> None:
    refused = customers.waiting(last_reason=Reason.REFUSED_FOR_NOW, requested_at=LONG_AGO)
    recent = customers.waiting(last_reason=Reason.REFUSED_FOR_NOW)
    throttled = customers.waiting(last_reason=Reason.THROTTLED, requested_at=LONG_AGO)
    before = (LONG_AGO + timedelta(minutes=1)).isoformat()
    since = (LONG_AGO - timedelta(minutes=1)).isoformat()
    arguments = ["--reason", "refused_for_now", "--requested-before", before, "--requested-since", since]
    ended = system.call("cancel", *arguments, "--yes", "--json")
    assert (ended.code, outcomes(ended)) == (0, {refused.customer_id: "withdrawn"})
    assert [customers.row_of(recent), customers.row_of(throttled)] == [recent, throttled]


def test_of_many_rows_the_duplicates_are_found_in_one_reading(
    system: System, customers: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With times of their own, so that other rows do not count."""
    monkeypatch.setattr(cancelling, "_FEW", 2)
    asked_at = LONG_AGO - timedelta(days=30)
    rows = [customers.waiting("first", requested_at=asked_at) for _ in range(3)]
    customers.ended(Status.DUPLICATE, "second", customer_id=rows[1].customer_id, duplicate_of="first")
    before = (asked_at + timedelta(minutes=1)).isoformat()
    monkeypatch.delattr(TableStore, "list_results")
    document = system.call("cancel", "--requested-before", before, "--dry-run", "--json").document
    hanging = {one["customer_id"]: one["duplicates"] for one in document["requests"] if one["duplicates"]}
    assert (len(document["requests"]), hanging) == (3, {rows[1].customer_id: ["second"]})


def test_everything_is_meant_only_where_that_is_said(system: System, customers: Customers) -> None:
    row = customers.waiting()
    assert system.call("cancel", "--yes").code == ExitCode.USAGE
    assert system.call("cancel", row.customer_id, "--all", "--yes").code == ExitCode.USAGE
    everything = system.call("cancel", "--all", "--dry-run", "--json")
    assert row.customer_id in outcomes(everything)
    assert customers.row_of(row) == row


def test_a_row_that_a_poller_takes_meanwhile_is_too_late(
    system: System, customers: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = customers.waiting()
    original, takes = TableStore.update_in_flight, iter([replace(row, outcome_unknown=True)])

    def update_in_flight(self: TableStore, changed: InFlightUpgrade) -> InFlightUpgrade:
        for taken in takes:
            original(self, taken)
        return original(self, changed)

    monkeypatch.setattr(TableStore, "update_in_flight", update_in_flight)
    ended = system.call("cancel", row.customer_id, "--yes")
    assert (ended.code, ended.out) == (ExitCode.NOT_OK, "Withdrawn: 0 requests. Too late: 1.\n"), ended.err
    left = customers.row_of(row)
    assert left
    assert (left.state, left.outcome_unknown, customers.result_of(row)) == (State.DEFERRED, True, None)


def test_a_row_that_changed_is_read_again_once() -> None:
    world = World()
    stale = world.store.insert_in_flight(WAITING)
    world.store.update_in_flight(replace(stale, setbacks=1))
    assert withdraw_again(world.ports, stale) is Outcome.WITHDRAWN
    assert world.result().status is Status.CANCELLED


@pytest.mark.parametrize("other", [replace(WAITING, request_id="r2"), None])
def test_a_row_that_is_gone_is_too_late_and_another_ones_is_left(other: InFlightUpgrade | None) -> None:
    world = World()
    stale = world.store.insert_in_flight(WAITING)
    world.store.delete_in_flight(stale)
    if other:
        world.store.insert_in_flight(other)
    assert withdraw_again(world.ports, stale) is Outcome.TOO_LATE
    assert not world.store.results
