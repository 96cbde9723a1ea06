"""`status`: totals, and where customers stand, as the command is given them and says them."""

import csv
import io
import json
import uuid
from datetime import timedelta

import pytest
from azure.servicebus import ServiceBusMessage

from shared.models import Reason, State, Status
from tests.fakes import NOON
from tests.unit.rows import in_flight, result
from tests.upgradectl import queue_support
from tests.upgradectl.operator_support import insert
from tests.upgradectl.status_support import nothing_in_flight
from tests.upgradectl.system import Ran, System

HOUR = timedelta(hours=1)
NO_QUEUE = {"SERVICE_BUS_NAMESPACE": ""}


def new() -> str:
    return str(uuid.uuid4())


def remove(system: System, *keys: str) -> None:
    with system.connect() as connections:
        for row in connections.store.list_in_flight():
            if row.customer_id in keys:
                connections.store.delete_in_flight(row)


def records(ended: Ran) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ended.out)))


@pytest.mark.usefixtures("own_queue")
def test_totals_of_a_system(system: System) -> None:
    nothing_in_flight(system)
    waiting, polled = new(), new()
    insert(
        system,
        in_flight(customer_id=waiting, state=State.DEFERRED, last_reason=Reason.GATE),
        in_flight(customer_id=polled, state=State.IN_PROGRESS, submitted_at=NOON),
        result(customer_id=waiting, request_id="before", status=Status.FAILED),
    )
    queue_support.send(system, ServiceBusMessage(b"{}"), ServiceBusMessage(b"{}"))
    with system.connect() as connections:
        expected = connections.store.count_results()
    ended = system.run("status", "--json")
    remove(system, waiting, polled)
    assert (ended.code, ended.err) == (0, "")
    found = ended.document
    assert found["inFlight"]["total"] == 2
    assert (found["inFlight"]["byState"]["Deferred"], found["inFlight"]["byReason"]["gate"]) == (1, 1)
    assert found["inFlight"]["overdue"] == 1
    assert (found["oldestWaiting"]["customerId"], found["oldestWaiting"]["lastReason"]) == (waiting, "gate")
    assert {Status(name): count for name, count in found["results"].items() if count} == expected
    assert found["queue"] == {"waiting": 2, "deadLetters": 0, "unknown": None}
    assert found["gate"]["position"] == "open"


def test_customers(system: System) -> None:
    done, busy, unknown = new(), new(), new()
    insert(
        system,
        result(customer_id=done, request_id="r1", status=Status.FAILED, error_code="900120", error_description="No."),
        result(customer_id=done, request_id="r2", finished_at=NOON + HOUR, upgrade_id="u-1"),
        in_flight(
            customer_id=busy,
            request_id="r3",
            state=State.DEFERRED,
            next_attempt_at=NOON,
            last_reason=Reason.THROTTLED,
            last_code="429",
            attempts=1,
        ),
        result(customer_id=busy, request_id="r4", status=Status.DUPLICATE, duplicate_of="r3"),
    )
    ended = system.call("status", done.upper(), busy, unknown)
    remove(system, busy)
    assert ended.code == 1
    header, *lines = ended.out.splitlines()
    assert header.split() == ["CUSTOMER", "FAMILY", "REQUEST", "STATE", "FINISHED", "MORE"]
    assert [line.rstrip().split(maxsplit=5) for line in lines] == [
        [done, "Azure", "r1", "Failed", "2026-03-01T12:00:00Z", "900120 No."],
        [done, "Azure", "r2", "Completed", "2026-03-01T13:00:00Z", "upgrade u-1"],
        [busy, "Azure", "r4", "Duplicate", "2026-03-01T12:00:00Z", "of r3: Deferred, still in flight"],
        [busy, "Azure", "r3", "Deferred", "-", "due now; throttled 429; 1 attempt, 0 polls"],
        [unknown, "-", "-", "not", "known", "-"],
    ]
    assert ended.err == "3 customers: Completed 1, Deferred 1, not known 1\n"


def test_customers_as_json(system: System) -> None:
    customer, unknown = new(), new()
    insert(
        system,
        in_flight(customer_id=customer, request_id="r1", upgrade_id="u-1", state=State.IN_PROGRESS),
        result(customer_id=customer, request_id="r2", status=Status.DUPLICATE, duplicate_of="r1"),
        result(customer_id=customer, request_id="r3", status=Status.DUPLICATE, duplicate_of="r2"),
        result(customer_id=customer, request_id="r4", status=Status.DUPLICATE, duplicate_of="gone"),
    )
    ended = system.call("status", "--json", customer, unknown)
    remove(system, customer)
    assert ended.code == 1
    known, not_known = ended.document["customers"]
    assert not_known == {"customerId": unknown, "isKnown": False, "families": []}
    (family,) = known["families"]
    assert (known["isKnown"], family["current"], family["inFlight"]["upgradeId"]) == (True, "InProgress", "u-1")
    answers = {one["requestId"]: (one["answer"], one["answeredBy"]) for one in family["results"]}
    assert answers == {"r2": ("InProgress", "r1"), "r3": ("InProgress", "r1"), "r4": (None, None)}


def test_the_customers_of_a_file_as_csv(system: System) -> None:
    known, formula, unknown = new(), new(), new()
    insert(
        system,
        result(customer_id=known, request_id="r1"),
        result(customer_id=known, request_id="r2", status=Status.DUPLICATE, duplicate_of="r1", finished_at=NOON + HOUR),
        result(customer_id=formula, request_id="=1+1"),
    )
    file = system.folder / "customers.csv"
    lines = ["customerId,productFamily", *(f"{one},azure" for one in (known, formula, known, unknown)), "no,azure"]
    file.write_text("\n".join(lines))
    ended = system.call("status", "--file", str(file), "--csv")
    assert ended.code == 1
    first, second, third, fourth = records(ended)
    assert (first["customerId"], first["status"], first["finishedAt"]) == (known, "Completed", "2026-03-01T12:00:00Z")
    assert (second["status"], second["answer"], second["answeredBy"]) == ("Duplicate", "Completed", "r1")
    assert third["requestId"] == "'=1+1"
    assert {name: value for name, value in fourth.items() if value} == {"customerId": unknown}
    left_out, summary = ended.err.splitlines()
    assert left_out == f"left out: {file}:6: $.customerId: not a GUID (8-4-4-4-12 hexadecimal digits)"
    assert summary == "3 customers: Completed 2, not known 1"


def test_customers_from_standard_input(system: System) -> None:
    customer = new()
    insert(system, result(customer_id=customer))
    ended = system.call(
        "status",
        "--file",
        "-",
        "--csv",
        stdin=json.dumps({"customerId": customer, "productFamily": "Azure"}),
        **NO_QUEUE,
    )
    assert (ended.code, ended.err) == (0, "")
    assert [one["status"] for one in records(ended)] == ["Completed"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-guid"], "not a GUID"),
        (["--file", "nowhere.csv"], "nowhere.csv: No such file"),
        (["--file", "-"], "- names no customer"),
        (["--csv", "--json"], "--json and --csv say different things"),
    ],
)
def test_wrong_usage(system: System, arguments: list[str], said: str) -> None:
    ended = system.call("status", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in " ".join(ended.err.replace("│", " ").split())


def test_nothing_is_written(system: System) -> None:
    customer = new()
    insert(system, in_flight(customer_id=customer), result(customer_id=customer, request_id="r0"))
    refused = {"do": "answer", "status": 403, "code": "AuthorizationPermissionMismatch"}
    methods = ("POST", "PUT", "MERGE", "PATCH", "DELETE")
    system.rule("storage_front", *({**refused, "name": method, "method": method} for method in methods))
    assert [system.call("status", *asked, **NO_QUEUE).code for asked in ([customer], [])] == [0, 0]
    system.rule("storage_front")
    remove(system, customer)


def test_rows_that_cannot_be_read_are_told_of(system: System) -> None:
    customer = new()
    with system.connect() as connections:
        table = connections.open_table("UpgradeResults")
        table.create_entity({"PartitionKey": customer, "RowKey": "azure|r1", "status": "Nonsense"})
        try:
            ended = system.call("status", customer)
        finally:
            table.delete_entity(customer, "azure|r1")
    assert (ended.code, ended.err) == (
        1,
        f"warning: left out, because it cannot be read: 1 row ({customer}|azure|r1)\n",
    )


def test_totals_say_of_which_system_they_are(system: System) -> None:
    assert (
        system.call("status", **NO_QUEUE)
        .out.splitlines()[-1]
        .startswith("System          the environment (tables 127.0.0.1:")
    )
