"""What `cancel` takes for meant, and what it says of it, through the real entry point."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.upgradectl.conftest import System
from tests.upgradectl.operator_support import NOW, Customers, customers_of, spoilt_result
from tests.upgradectl.submit_support import body, write
from upgradectl.errors import ExitCode


@pytest.fixture
def customers(system: System) -> Iterator[Customers]:
    with customers_of(system) as customers:
        yield customers


def test_of_a_file_with_a_line_that_is_no_request_the_others_are_withdrawn_where_that_is_said(
    system: System, customers: Customers
) -> None:
    row = customers.waiting()
    path = write(system.folder / "wave.jsonl", [b"{}", body(row.customer_id, requestId="r1")])
    problem = f"{path}:1: $.customerId: missing"
    refused = system.run("cancel", "--file", str(path), "--yes")
    assert (refused.code, refused.err) == (ExitCode.USAGE, f"error: {problem}; --skip-invalid leaves them out\n")
    assert customers.row_of(row) == row
    ended = system.run("cancel", "--file", str(path), "--skip-invalid", "--yes")
    assert (ended.code, ended.out) == (0, "Withdrawn: 1 request.\n")
    assert f"left out: {problem}\n" in ended.err


def test_who_is_nowhere_may_still_be_on_the_queue(system: System, customers: Customers) -> None:
    ended = system.run("cancel", customers.new(), "--yes")
    assert (ended.code, ended.out) == (ExitCode.NOT_OK, "Withdrawn: 0 requests.\n")
    hint = "they may still be on the queue: `pause` first, run this again when it is empty"
    assert ended.err.splitlines()[-1] == f"Not in flight: 1 neither in flight nor ended; {hint}"


def test_the_system_is_said_before_anything_is_withdrawn(system: System, customers: Customers) -> None:
    row = customers.waiting()
    ended = system.run("cancel", row.customer_id)
    assert ended.code == ExitCode.USAGE
    said, error = ended.err.splitlines()[-2:]
    assert said.startswith("System: the environment (tables 127.0.0.1:")
    assert error.startswith("error: nobody is there to confirm it")
    assert customers.row_of(row) == row


def test_rows_that_cannot_be_read_are_told_of(system: System, customers: Customers) -> None:
    row = customers.waiting()
    with spoilt_result(system, row.customer_id) as key:
        ended = system.run("cancel", row.customer_id, "--dry-run")
    assert (ended.code, ended.err) == (0, f"warning: left out, because it cannot be read: 1 row ({key})\n")


def test_a_time_that_ends_before_it_begins_is_usage(system: System) -> None:
    since, before = (NOW.isoformat(), (NOW - timedelta(hours=1)).isoformat())
    ended = system.run("cancel", "--requested-since", since, "--requested-before", before, "--dry-run")
    assert (ended.code, ended.err) == (
        ExitCode.USAGE,
        "error: --requested-since is not before --requested-before\n",
    )
