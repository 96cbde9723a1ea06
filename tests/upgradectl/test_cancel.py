"""`cancel`, through the real entry point; rows are put into the tables, no function runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.component import REPOSITORY
from shared.clock import SystemClock
from shared.models import GateReason, GateState, InFlightUpgrade, Position, Reason, State, Status
from shared.polling import touch
from tests.fakes import World
from tests.unit.rows import in_flight
from tests.upgradectl.conftest import System
from tests.upgradectl.operator_support import NOW, Customers, customers_of, dying, gate_of
from tests.upgradectl.submit_support import body, request, write
from upgradectl.cancelling import Outcome, withdraw_again
from upgradectl.errors import CommandError, ExitCode
from upgradectl.requests_file import derived_id
from upgradectl.stuck import check_clock

LONG_AGO = NOW - timedelta(days=30)
STUCK: dict[str, Any] = {
    "outcome_unknown": True,
    "next_attempt_at": NOW - timedelta(hours=1),
    "attempts": 3,
    "last_code": "503",
}
IN_PROGRESS: dict[str, Any] = {"state": State.IN_PROGRESS, "upgrade_id": str(uuid4()), "submitted_at": NOW}
WAITING = in_flight(state=State.DEFERRED, outcome_unknown=False)


@pytest.fixture
def customers(system: System) -> Iterator[Customers]:
    with customers_of(system) as customers:
        yield customers


def outcomes(ended: Any) -> dict[str, str | None]:
    """By customer."""
    return {one["customer_id"]: one["outcome"] for one in ended.document["requests"]}


# withdrawing


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
    ended = system.run("cancel", waiting.customer_id, unknown.customer_id, in_progress.customer_id, "--yes")
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
    shown = system.run("cancel", row.customer_id, other.customer_id, "--dry-run")
    assert (shown.code, shown.err) == (0, "")
    assert "Duplicates that they answer: 2; a Cancelled request will answer them" in shown.out
    assert f"  e.g. {row.customer_id}: second, third\n" in shown.out
    document = system.run("cancel", row.customer_id, other.customer_id, "--dry-run", "--json").document
    assert {one["customer_id"]: one["duplicates"] for one in document["requests"]} == {
        row.customer_id: ["second", "third"],
        other.customer_id: [],
    }
    assert customers.row_of(row) == row


def test_without_a_yes_nothing_is_done(system: System, customers: Customers) -> None:
    row = customers.waiting()
    ended = system.run("cancel", row.customer_id)
    assert ended.code == ExitCode.USAGE
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
    ended = system.run("cancel", "--file", str(path), "--batch", "wave-1", "--yes", "--json")
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
    assert system.run("cancel", row.customer_id, "--yes").code == 0
    ended = system.run("cancel", row.customer_id, "--yes")
    assert (ended.code, ended.out) == (0, "Withdrawn: 0 requests.\n")
    assert "Not in flight: 1 Cancelled" in ended.err


def test_filters_choose_among_all_rows(system: System, customers: Customers) -> None:
    refused = customers.waiting(last_reason=Reason.REFUSED_FOR_NOW, requested_at=LONG_AGO)
    recent = customers.waiting(last_reason=Reason.REFUSED_FOR_NOW)
    throttled = customers.waiting(last_reason=Reason.THROTTLED, requested_at=LONG_AGO)
    before = (LONG_AGO + timedelta(minutes=1)).isoformat()
    since = (LONG_AGO - timedelta(minutes=1)).isoformat()
    arguments = ["--reason", "refused_for_now", "--requested-before", before, "--requested-since", since]
    ended = system.run("cancel", *arguments, "--yes", "--json")
    assert (ended.code, outcomes(ended)) == (0, {refused.customer_id: "withdrawn"})
    assert [customers.row_of(recent), customers.row_of(throttled)] == [recent, throttled]


def test_of_many_rows_the_duplicates_are_found_in_one_reading(system: System, customers: Customers) -> None:
    """With times of their own, so that other rows do not count."""
    asked_at = LONG_AGO - timedelta(days=30)
    rows = [customers.waiting("first", requested_at=asked_at) for _ in range(101)]
    customers.ended(Status.DUPLICATE, "second", customer_id=rows[7].customer_id, duplicate_of="first")
    before = (asked_at + timedelta(minutes=1)).isoformat()
    document = system.run("cancel", "--requested-before", before, "--dry-run", "--json").document
    hanging = {one["customer_id"]: one["duplicates"] for one in document["requests"] if one["duplicates"]}
    assert (len(document["requests"]), hanging) == (101, {rows[7].customer_id: ["second"]})


def test_everything_is_meant_only_where_that_is_said(system: System, customers: Customers) -> None:
    row = customers.waiting()
    assert system.run("cancel", "--yes").code == ExitCode.USAGE
    assert system.run("cancel", row.customer_id, "--all", "--yes").code == ExitCode.USAGE
    everything = system.run("cancel", "--all", "--dry-run", "--json")
    assert row.customer_id in outcomes(everything)
    assert customers.row_of(row) == row


def test_killed_between_mark_and_result_the_request_still_ends_as_cancelled(
    system: System, customers: Customers, tmp_path: Path
) -> None:
    row = customers.waiting()
    killed = system.run("cancel", row.customer_id, "--yes", **dying(tmp_path, "insert_result"))
    assert killed.code == -signal.SIGKILL
    marked = customers.row_of(row)
    assert marked
    assert (marked.state, customers.result_of(row)) == (State.WITHDRAWN, None)
    again = system.run("cancel", row.customer_id, "--yes")
    assert again.code == 0
    assert "Withdrawn already: 1; PollUpgrade ends them" in again.err
    touch(customers.connections.ports, marked)  # as a tick does, since the row is due
    result = customers.result_of(row)
    assert result
    assert (result.status, customers.row_of(row)) == (Status.CANCELLED, None)


def test_ctrl_c_ends_what_is_under_way_and_begins_nothing(system: System, customers: Customers, tmp_path: Path) -> None:
    rows = [customers.waiting() for _ in range(12)]
    environment = dying(tmp_path, "insert_result", once("os.kill(os.getpid(), signal.SIGINT)"))
    ended = system.run("cancel", *(row.customer_id for row in rows), "--yes", **environment)
    assert ended.code == ExitCode.INTERRUPTED
    withdrawn = sum(customers.result_of(row) is not None for row in rows)
    assert 0 < withdrawn < len(rows)
    assert f"interrupted: {withdrawn} of 12 were surely withdrawn; a second run goes on" in ended.err
    assert sum(customers.row_of(row) == row for row in rows) == len(rows) - withdrawn


def test_a_row_that_a_poller_takes_meanwhile_is_too_late(system: System, customers: Customers, tmp_path: Path) -> None:
    row = customers.waiting()
    taken = "original(self, dataclasses.replace(arguments[0], state='Deferred', outcome_unknown=True))"
    ended = system.run("cancel", row.customer_id, "--yes", **dying(tmp_path, "update_in_flight", once(taken)))
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


def test_a_table_that_goes_out_ends_it_with_3_and_how_many_are_done(system: System, customers: Customers) -> None:
    row = customers.waiting()
    system.rule("storage_front", {"name": "out", "do": "answer", "status": 403, "method": "PUT|PATCH|MERGE"})
    ended = system.run("cancel", row.customer_id, "--yes")
    system.rule("storage_front")
    assert (ended.code, ended.out) == (ExitCode.FAILED, "")
    last = ended.err.splitlines()[-1]
    assert "0 of 1 were surely withdrawn; a second run goes on" in last
    assert "Storage Table Data Contributor" in last


# giving up


def test_without_an_upgrade_a_request_whose_outcome_is_unknown_has_failed(
    consented: System, customers: Customers
) -> None:
    row = customers.waiting(**STUCK)
    ended = consented.run("cancel", row.customer_id, "--give-up", "--yes", UPGRADE_DEADLINE_H="48")
    assert (ended.code, ended.out) == (0, "Given up: 1 Failed.\n"), ended.err
    assert "LEASE_S 180 s (default), UPGRADE_DEADLINE_H 48 h: as the app has them?\n" in ended.err
    result = customers.result_of(row)
    assert result
    assert (result.status, result.error_code) == (Status.FAILED, "given_up")
    assert customers.row_of(row) is None


def test_what_was_named_and_is_not_stuck_is_said_and_left_and_ends_with_1(
    consented: System, customers: Customers
) -> None:
    ended = consented.run("cancel", (mistyped := str(uuid4())), "--give-up", "--yes")
    assert (ended.code, ended.out) == (ExitCode.NOT_OK, "Given up: none.\n")
    assert "Not in flight: 1 neither in flight nor ended" in ended.err
    waiting = customers.waiting()
    in_a_moment = datetime.now(UTC) + timedelta(seconds=150)
    calling = customers.waiting(outcome_unknown=True, state=State.ACCEPTED, next_attempt_at=in_a_moment)
    names = [waiting.customer_id, calling.customer_id, mistyped]
    ended = consented.run("cancel", *names, "--give-up", "--yes")
    assert (ended.code, ended.out) == (ExitCode.NOT_OK, "Given up: none.\n")
    assert f"Left as they are: 1, a create call is under way; e.g. {calling.customer_id}" in ended.err
    assert "Left as they are: 1, which wait, or are in progress within the deadline" in ended.err
    assert [customers.row_of(waiting), customers.row_of(calling)] == [waiting, calling]
    document = consented.run("cancel", *names, "--give-up", "--yes", "--json").document
    assert (document["left"], [one["customer_id"] for one in document["under_way"]]) == (1, [calling.customer_id])
    assert document["not_in_flight"] == {"neither in flight nor ended": 1}


def test_what_was_named_and_has_ended_is_well(consented: System, customers: Customers) -> None:
    customers.ended(Status.FAILED, customer_id=(customer := customers.new()))
    ended = consented.run("cancel", customer, "--give-up", "--yes")
    assert (ended.code, ended.out) == (0, "Given up: none.\n")
    assert "Not in flight: 1 Failed" in ended.err


def test_an_upgrade_that_is_there_is_followed(consented: System, customers: Customers) -> None:
    row = customers.waiting(**STUCK)
    with consented.connect() as connections:
        ends = connections.clock.monotonic() + 600
        created = connections.partner_center.create_upgrade(row, lease_ends=ends)
    ended = consented.run("cancel", row.customer_id, "--give-up", "--yes", "--json")
    assert (ended.code, outcomes(ended)) == (0, {row.customer_id: "adopted"})
    followed = customers.row_of(row)
    assert followed
    assert (followed.state, followed.upgrade_id) == (State.IN_PROGRESS, created.upgrade_id)


def test_a_dry_run_asks_nobody(system: System, customers: Customers) -> None:
    row = customers.waiting(**STUCK)
    shown = system.run("cancel", row.customer_id, "--give-up", "--dry-run")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines()[0] == "To be given up: 1 request"
    assert customers.row_of(row) == row


def test_while_the_gate_is_closed_only_what_needs_no_question_is_ended(consented: System, customers: Customers) -> None:
    overdue = customers.waiting(**(IN_PROGRESS | {"submitted_at": LONG_AGO}))
    rows = [customers.waiting(**STUCK) for _ in range(2)]
    until = NOW + timedelta(hours=1)
    closed = GateState(position=Position.CLOSED, reason=GateReason.THROTTLED, detail="429", until_at=until)
    ids = [row.customer_id for row in (overdue, *rows)]
    with gate_of(consented, closed):
        ended = consented.run("cancel", *ids, "--give-up", "--yes")
    assert (ended.code, ended.out.splitlines()[0]) == (
        ExitCode.FAILED,
        "Given up: 1 TimedOut, 1 unanswered. Not tried: 1.",
    )
    assert ended.err.splitlines()[-1].startswith("error: nothing may be asked: the gate is closed: throttled (429)")
    result = customers.result_of(overdue)
    assert result
    assert result.status is Status.TIMED_OUT
    assert [customers.row_of(row) for row in rows] == rows


def test_without_a_sign_in_the_row_is_as_it_was(system: System, customers: Customers) -> None:
    row = customers.waiting(**STUCK)
    ended = system.run("cancel", row.customer_id, "--give-up", "--yes", "--json")
    assert ended.code == ExitCode.FAILED
    assert outcomes(ended) == {row.customer_id: "unanswered"}
    assert ended.document["stopped"]
    left = customers.row_of(row)
    assert left
    assert replace(left, etag=row.etag) == row


@pytest.mark.parametrize("method", ["get_result", "insert_result", "delete_in_flight"])
def test_killed_at_any_step_a_second_run_or_a_tick_ends_the_request(
    method: str, consented: System, customers: Customers, tmp_path: Path
) -> None:
    row = customers.waiting(**STUCK)
    short = {"LEASE_S": "2", "CALL_DEADLINE_S": "1"}
    killed = consented.run("cancel", row.customer_id, "--give-up", "--yes", **short, **dying(tmp_path, method))
    assert killed.code == -signal.SIGKILL
    left = customers.row_of(row)
    assert left
    assert left.next_attempt_at - datetime.now(UTC) < timedelta(minutes=5)
    if left.state is State.WITHDRAWN:
        touch(customers.connections.ports, left)
    else:
        assert consented.run("cancel", row.customer_id, "--give-up", "--yes", **short).code == 0
    result = customers.result_of(row)
    assert result
    assert result.status is (Status.FAILED if method != "insert_result" else Status.CANCELLED)
    assert customers.row_of(row) is None


def test_ctrl_c_while_it_waits_for_a_lease_leaves_the_row_as_it_was(consented: System, customers: Customers) -> None:
    row = customers.waiting(**(STUCK | {"next_attempt_at": datetime.now(UTC) + timedelta(seconds=100)}))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **consented.environment}
    with subprocess.Popen(
        [sys.executable, "-m", "upgradectl", "cancel", row.customer_id, "--give-up", "--yes"],
        env={**environment, **consented.settings},
        cwd=consented.folder,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert any(line.startswith("waiting 2 min") for line in process.stderr)
        until = time.monotonic() + 20
        while customers.row_of(row) == row and time.monotonic() < until:
            time.sleep(0.05)
        taken = customers.row_of(row)
        process.send_signal(signal.SIGINT)
        assert "interrupted after 0 of 1; a second run goes on" in process.stderr.read()
    assert process.returncode == ExitCode.INTERRUPTED
    left = customers.row_of(row)
    assert taken
    assert left
    assert taken.next_attempt_at > row.next_attempt_at + timedelta(seconds=100)
    assert replace(left, etag=row.etag) == row


@pytest.mark.parametrize("ahead_s", [-120, 120])
def test_by_a_wrong_clock_nothing_is_given_up(ahead_s: int, system: System) -> None:
    class Wrong(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(seconds=ahead_s)

    with system.connect() as connections:
        check_clock(connections)
        connections.clock = Wrong()
        with pytest.raises(CommandError, match=r"by a wrong clock: this machine is 1[12]\d s"):
            check_clock(connections)


def test_by_a_clock_that_nothing_can_be_compared_with_nothing_is_given_up(system: System) -> None:
    with system.connect() as connections:
        connections.settings = replace(connections.settings, tables_url="http://127.0.0.1:1")
        with pytest.raises(CommandError, match="by an unknown clock: no service told its time"):
            check_clock(connections)


def once(action: str) -> str:
    return f"globals().get('done') or (globals().update(done=True), {action})"
