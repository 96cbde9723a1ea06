"""`cancel --give-up`: what is stuck ends, by what eligibility answers and by a clock that is right."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shared.clock import SystemClock
from shared.models import GateReason, GateState, Position, State, Status
from tests.upgradectl.operator_support import IN_PROGRESS, LONG_AGO, NOW, STUCK, Customers, gate_of, outcomes
from tests.upgradectl.system import System
from upgradectl.errors import CommandError, ExitCode
from upgradectl.stuck import check_clock


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
    ended = consented.call("cancel", (mistyped := str(uuid4())), "--give-up", "--yes")
    assert (ended.code, ended.out) == (ExitCode.NOT_OK, "Given up: none.\n")
    assert "Not in flight: 1 neither in flight nor ended" in ended.err
    waiting = customers.waiting()
    in_a_moment = datetime.now(UTC) + timedelta(seconds=150)
    calling = customers.waiting(
        outcome_unknown=True, state=State.ACCEPTED, claimed_at=datetime.now(UTC), next_attempt_at=in_a_moment
    )
    names = [waiting.customer_id, calling.customer_id, mistyped]
    ended = consented.call("cancel", *names, "--give-up", "--yes")
    assert (ended.code, ended.out) == (ExitCode.NOT_OK, "Given up: none.\n")
    assert f"Left as they are: 1, a create call is under way; e.g. {calling.customer_id}" in ended.err
    assert "Left as they are: 1, which wait, or are in progress within the deadline" in ended.err
    assert [customers.row_of(waiting), customers.row_of(calling)] == [waiting, calling]
    document = consented.call("cancel", *names, "--give-up", "--yes", "--json").document
    assert (document["left"], [one["customer_id"] for one in document["under_way"]]) == (1, [calling.customer_id])
    assert document["not_in_flight"] == {"neither in flight nor ended": 1}


def test_what_was_named_and_has_ended_is_well(consented: System, customers: Customers) -> None:
    customers.ended(Status.FAILED, customer_id=(customer := customers.new()))
    ended = consented.call("cancel", customer, "--give-up", "--yes")
    assert (ended.code, ended.out) == (0, "Given up: none.\n")
    assert "Not in flight: 1 Failed" in ended.err


def test_an_upgrade_that_is_there_is_followed(consented: System, customers: Customers) -> None:
    row = customers.waiting(**STUCK)
    with consented.connect() as connections:
        ends = connections.clock.monotonic() + 600
        created = connections.partner_center.create_upgrade(row, lease_ends=ends)
    ended = consented.call("cancel", row.customer_id, "--give-up", "--yes", "--json")
    assert (ended.code, outcomes(ended)) == (0, {row.customer_id: "adopted"})
    followed = customers.row_of(row)
    assert followed
    assert (followed.state, followed.upgrade_id) == (State.IN_PROGRESS, created.upgrade_id)


def test_a_dry_run_asks_nobody(system: System, customers: Customers) -> None:
    row = customers.waiting(**STUCK)
    shown = system.call("cancel", row.customer_id, "--give-up", "--dry-run")
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
        ended = consented.call("cancel", *ids, "--give-up", "--yes")
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
    ended = system.call("cancel", row.customer_id, "--give-up", "--yes", "--json")
    assert ended.code == ExitCode.FAILED
    assert outcomes(ended) == {row.customer_id: "unanswered"}
    assert ended.document["stopped"]
    left = customers.row_of(row)
    assert left
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
