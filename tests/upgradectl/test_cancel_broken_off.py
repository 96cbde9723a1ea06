"""`cancel`, killed, interrupted and left by its tables: every request ends all the same, or is as it was."""

import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.models import State, Status
from shared.polling import touch
from tests.upgradectl.operator_support import STUCK, Customers, dying, once
from tests.upgradectl.system import DEADLINE_S, System, wait_for
from upgradectl.errors import ExitCode


def test_killed_between_mark_and_result_the_request_still_ends_as_cancelled(
    system: System, customers: Customers, tmp_path: Path
) -> None:
    row = customers.waiting()
    killed = system.run("cancel", row.customer_id, "--yes", **dying(tmp_path, "insert_result"))
    assert killed.code == -signal.SIGKILL
    marked = customers.row_of(row)
    assert marked
    assert (marked.state, customers.result_of(row)) == (State.WITHDRAWN, None)
    again = system.call("cancel", row.customer_id, "--yes")
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


def test_a_table_that_goes_out_ends_it_with_3_and_how_many_are_done(system: System, customers: Customers) -> None:
    row = customers.waiting()
    system.rule("storage_front", {"name": "out", "do": "answer", "status": 403, "method": "PUT|PATCH|MERGE"})
    ended = system.call("cancel", row.customer_id, "--yes")
    system.rule("storage_front")
    assert (ended.code, ended.out) == (ExitCode.FAILED, "")
    last = ended.err.splitlines()[-1]
    assert "0 of 1 were surely withdrawn; a second run goes on" in last
    assert "Storage Table Data Contributor" in last


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
        assert consented.call("cancel", row.customer_id, "--give-up", "--yes", **short).code == 0
    result = customers.result_of(row)
    assert result
    assert result.status is (Status.FAILED if method != "insert_result" else Status.CANCELLED)
    assert customers.row_of(row) is None


def test_ctrl_c_while_it_waits_for_a_lease_leaves_the_row_as_it_was(consented: System, customers: Customers) -> None:
    row = customers.waiting(**(STUCK | {"next_attempt_at": datetime.now(UTC) + timedelta(seconds=100)}))
    with consented.started("cancel", row.customer_id, "--give-up", "--yes") as process:
        assert process.stderr
        assert any(line.startswith("waiting 2 min") for line in process.stderr)
        wait_for(lambda: customers.row_of(row) != row)
        taken = customers.row_of(row)
        process.send_signal(signal.SIGINT)
        assert "interrupted after 0 of 1; a second run goes on" in process.stderr.read()
        process.wait(DEADLINE_S)
    assert process.returncode == ExitCode.INTERRUPTED
    left = customers.row_of(row)
    assert taken
    assert left
    assert taken.next_attempt_at > row.next_attempt_at + timedelta(seconds=100)
    assert replace(left, etag=row.etag) == row
