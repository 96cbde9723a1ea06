"""`retry`, through the real entry point; results are put into the tables, no function runs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.models import Status, UpgradeResult
from tests.fakes import FAMILY
from tests.upgradectl.conftest import System
from tests.upgradectl.operator_support import Customers, customers_of, spoilt_result
from tests.upgradectl.submit_support import body, drain, interrupted, write
from upgradectl.errors import ExitCode
from upgradectl.retrying import successor_id

KILL = "os.kill(os.getpid(), signal.SIGKILL)"
CTRL_C = "os.kill(os.getpid(), signal.SIGINT)"


@pytest.fixture
def customers(system: System) -> Iterator[Customers]:
    with customers_of(system) as customers:
        yield customers
    drain(system)


def file_of(folder: Path, *results: UpgradeResult) -> str:
    bodies = [body(one.customer_id, requestId=one.request_id) for one in results]
    return str(write(folder / "wave.jsonl", bodies))


def sent(system: System) -> list[str]:
    """The request ids on the queue, which is empty then."""
    queued = drain(system)
    assert all(one.message_id == one.request.request_id for one in queued)
    return sorted(one.request.request_id for one in queued)


def left_out(ended: Any) -> dict[str, int]:
    return {reason: count for reason, count in ended.document["left_out"].items() if count}


def test_it_says_what_it_will_do_and_sends_it(system: System, customers: Customers) -> None:
    failed = customers.ended(Status.FAILED, error_code="900130")
    rejected = customers.ended(Status.REJECTED)
    completed = customers.ended(Status.COMPLETED)
    ids = [one.customer_id for one in (failed, rejected, completed)]
    ended = system.run("retry", *ids, "--yes")
    assert (ended.code, ended.out) == (0, "Sent: 2 requests.\n")
    first, *counts = ended.err.splitlines()[:3]
    assert (first, sorted(counts)) == ("To be sent again: 2 requests", ["  1 Failed (900130)", "  1 Rejected"])
    assert f"  e.g. {failed.customer_id} Azure: r1 -> {successor_id(failed)}" in ended.err
    assert "Left out: 1 completed meanwhile" in ended.err
    assert sent(system) == sorted(map(successor_id, (failed, rejected)))


def test_without_a_yes_nothing_is_sent(system: System, customers: Customers) -> None:
    failed = customers.ended()
    ended = system.run("retry", failed.customer_id)
    assert ended.code == ExitCode.USAGE
    assert ended.err.splitlines()[-1] == "error: nobody is there to confirm it; give --yes"
    assert sent(system) == []


def test_a_dry_run_sends_nothing_and_tells_all(system: System, customers: Customers) -> None:
    failed = customers.ended(error_code="7")
    shown = system.run("retry", failed.customer_id, "--dry-run")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("To be sent again: 1 request\n  1 Failed (7)\n")
    document = system.run("retry", failed.customer_id, "--dry-run", "--json").document
    assert (document["dry_run"], document["sent"]) == (True, 0)
    assert document["requests"] == [
        {
            "customer_id": failed.customer_id,
            "product_family": FAMILY,
            "old_request_id": "r1",
            "request_id": successor_id(failed),
            "status": "Failed",
            "error_code": "7",
        }
    ]
    assert sent(system) == []


def test_a_second_run_sends_nothing_while_the_first_ones_messages_wait(system: System, customers: Customers) -> None:
    results = [customers.ended() for _ in range(3)]
    ids = [one.customer_id for one in results]
    assert system.run("retry", *ids, "--yes").code == 0
    again = system.run("retry", *ids, "--yes", "--json")
    assert (again.document["sent"], left_out(again)) == (0, {"waiting": 3})
    assert sent(system) == sorted(map(successor_id, results))


def test_a_retry_in_flight_or_with_a_result_is_not_sent_under_its_first_id(
    system: System, customers: Customers
) -> None:
    in_flight, failed_again = customers.ended(), customers.ended()
    customers.waiting(successor_id(in_flight), customer_id=in_flight.customer_id)
    second = customers.ended(Status.TIMED_OUT, successor_id(failed_again), customer_id=failed_again.customer_id)
    ended = system.run("retry", in_flight.customer_id, failed_again.customer_id, "--yes", "--json")
    assert left_out(ended) == {"in_flight": 1}
    assert sent(system) == [successor_id(second)]


def test_a_file_is_followed_through_duplicates_to_what_answered_them(system: System, customers: Customers) -> None:
    answer = customers.ended(Status.CANCELLED, "answer")
    asked = customers.ended(Status.DUPLICATE, "asked", customer_id=answer.customer_id, duplicate_of="answer")
    unheard_of = replace(asked, customer_id=customers.new())
    path = file_of(system.folder, asked, unheard_of)
    ended = system.run("retry", "--file", path, "--yes", "--json")
    assert left_out(ended) == {"unknown": 1}
    assert sent(system) == [successor_id(answer)]


def test_a_line_that_is_no_request_stops_everything(system: System, customers: Customers) -> None:
    path = write(system.folder / "wave.jsonl", [body(customers.ended().customer_id), b"{}"])
    ended = system.run("retry", "--file", str(path), "--yes")
    assert ended.code == ExitCode.USAGE
    assert ended.err == f"error: {path}:2: $.customerId: missing; --skip-invalid leaves them out\n"
    assert sent(system) == []


def test_of_a_file_with_a_line_that_is_no_request_the_others_are_sent_where_that_is_said(
    system: System, customers: Customers
) -> None:
    failed = customers.ended()
    path = write(system.folder / "wave.jsonl", [body(failed.customer_id, requestId="r1"), b"{}"])
    ended = system.run("retry", "--file", str(path), "--skip-invalid", "--yes")
    assert (ended.code, ended.out) == (0, "Sent: 1 request.\n")
    assert f"left out: {path}:2: $.customerId: missing\n" in ended.err
    assert sent(system) == [successor_id(failed)]


def test_who_is_named_and_has_no_result_ends_it_with_1(system: System, customers: Customers) -> None:
    failed = customers.ended()
    ended = system.run("retry", failed.customer_id, customers.new(), "--yes")
    assert (ended.code, ended.out) == (ExitCode.NOT_OK, "Sent: 1 request.\n")
    assert "Left out: 1 without a result\n" in ended.err
    assert sent(system) == [successor_id(failed)]


def test_the_system_is_said_before_anything_is_sent(system: System, customers: Customers) -> None:
    ended = system.run("retry", customers.ended().customer_id, "--yes")
    assert ended.err.splitlines()[-1].startswith("System: the environment (tables 127.0.0.1:")
    assert len(sent(system)) == 1


def test_rows_that_cannot_be_read_are_told_of(system: System, customers: Customers) -> None:
    customer = customers.ended().customer_id
    with spoilt_result(system, customer) as key:
        ended = system.run("retry", customer, "--dry-run")
    assert ended.err == f"warning: left out, because it cannot be read: 1 row ({key})\n"


@pytest.mark.parametrize("call", [1, 2])
def test_killed_in_the_middle_the_next_run_sends_the_rest_and_nothing_twice(
    call: int, system: System, customers: Customers, tmp_path: Path
) -> None:
    results = [customers.ended() for _ in range(9)]
    path = file_of(system.folder, *results)
    killed = system.run("retry", "--file", path, "--yes", **small_batches(tmp_path, KILL, call=call))
    assert killed.code == -9
    again = system.run("retry", "--file", path, "--yes", "--json")
    assert left_out(again) == {"waiting": 4 * call}
    assert sent(system) == sorted(map(successor_id, results))


def test_ctrl_c_says_how_many_were_sent(system: System, customers: Customers, tmp_path: Path) -> None:
    path = file_of(system.folder, *(customers.ended() for _ in range(9)))
    ended = system.run("retry", "--file", path, "--yes", **small_batches(tmp_path, CTRL_C, call=2))
    assert (ended.code, ended.out) == (ExitCode.INTERRUPTED, "")
    assert ended.err.splitlines()[-1].startswith("interrupted: 4 of 9 were surely sent; a second run is harmless")


def test_where_the_queue_cannot_be_looked_at_the_same_requests_are_sent(
    system: System, customers: Customers, tmp_path: Path
) -> None:
    failed = customers.ended()
    assert system.run("retry", failed.customer_id, "--yes").code == 0
    ended = system.run("retry", failed.customer_id, "--yes", **without_peek(tmp_path))
    assert (ended.code, ended.out) == (0, "Sent: 1 request.\n")
    (warning,) = [line for line in ended.err.splitlines() if line.startswith("warning: ")]
    assert "grant yourself Azure Service Bus Data Receiver on the queue upgrades; a second run is harmless" in warning
    assert sent(system) == [successor_id(failed)] * 2


def test_many_customers_are_found_in_one_reading(system: System, customers: Customers) -> None:
    results = [customers.ended() for _ in range(120)]
    others = customers.ended()
    ended = system.run("retry", "--file", file_of(system.folder, *results), "--yes", "--json")
    assert ended.document["sent"] == 120
    ids = sent(system)
    assert ids == sorted(map(successor_id, results))
    assert successor_id(others) not in ids


@pytest.mark.parametrize(
    "arguments",
    [
        ["--status", "Completed"],
        ["--status", "Duplicate"],
        ["no-guid"],
        ["--since", "never"],
        ["--batch", "x"],
        ["--skip-invalid"],
        ["--since", "1d", "--until", "2d"],
    ],
)
def test_wrong_usage_ends_with_2(system: System, arguments: list[str]) -> None:
    assert system.run("retry", *arguments, "--dry-run").code == ExitCode.USAGE


def small_batches(folder: Path, action: str, *, call: int) -> dict[str, str]:
    """Four messages to a batch; `action` after the first batches have arrived."""
    environment = interrupted(folder, action, when="after", call=call)
    with (folder / "sitecustomize.py").open("a") as file:
        file.write("from upgradectl import service_bus\nservice_bus._MOST_IN_A_BATCH = 4\n")
    return environment


def without_peek(folder: Path) -> dict[str, str]:
    environment = interrupted(folder, "pass", when="before", call=0)
    (folder / "sitecustomize.py").write_text(
        "from azure.servicebus import ServiceBusReceiver\n"
        "from azure.servicebus.exceptions import ServiceBusAuthorizationError\n"
        "def peek_messages(self, *arguments, **options):\n"
        "    raise ServiceBusAuthorizationError(message='refused')\n"
        "ServiceBusReceiver.peek_messages = peek_messages\n"
    )
    return environment


def test_the_message_is_the_request_and_nothing_else(system: System, customers: Customers) -> None:
    failed = customers.ended()
    assert system.run("retry", failed.customer_id, "--yes").code == 0
    (queued,) = drain(system)
    assert json.loads(queued.body) == {
        "customerId": failed.customer_id,
        "productFamily": FAMILY,
        "requestId": successor_id(failed),
    }
