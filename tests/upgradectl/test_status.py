"""`status`: totals, and where customers stand; through the real entry point where options and exit codes matter."""

import csv
import io
import json
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthorizationError, ServiceBusConnectionError

from shared.models import GateReason, GateState, InFlightUpgrade, Position, Reason, State, Status, UpgradeResult
from tests.fakes import NOON, InMemoryStore
from tests.unit.rows import in_flight, result
from tests.upgradectl.conftest import QUEUE, Ran, System
from tests.upgradectl.status_support import emptied
from upgradectl import customers
from upgradectl.commands.status import _queue
from upgradectl.output import Output
from upgradectl.overview import InFlight
from upgradectl.overview import in_flight as counted
from upgradectl.queue_depth import QueueDepth, queue_depth
from upgradectl.totals import Totals

HOUR = timedelta(hours=1)
NO_QUEUE = {"SERVICE_BUS_NAMESPACE": ""}


def new() -> str:
    return str(uuid.uuid4())


def add(system: System, *rows: InFlightUpgrade | UpgradeResult) -> None:
    with system.connect() as connections:
        for row in rows:
            if isinstance(row, InFlightUpgrade):
                connections.store.insert_in_flight(row)
            else:
                connections.store.insert_result(row)


def remove(system: System, *keys: str) -> None:
    with system.connect() as connections:
        for row in connections.store.list_in_flight():
            if row.customer_id in keys:
                connections.store.delete_in_flight(row)


def records(ended: Ran) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ended.out)))


def test_totals_of_a_system(system: System) -> None:
    emptied(system)
    waiting, polled = new(), new()
    add(
        system,
        in_flight(customer_id=waiting, state=State.DEFERRED, last_reason=Reason.GATE),
        in_flight(customer_id=polled, state=State.IN_PROGRESS, submitted_at=NOON),
        result(customer_id=waiting, request_id="before", status=Status.FAILED),
    )
    with system.connect() as connections:
        with connections.queue.client.get_queue_sender(QUEUE) as sender:
            sender.send_messages([ServiceBusMessage(b"{}"), ServiceBusMessage(b"{}")])
        expected = connections.store.count_results()
    ended = system.run("status", "--json")
    emptied(system)
    assert (ended.code, ended.err) == (0, "")
    found = ended.document
    assert found["inFlight"]["total"] == 2
    assert (found["inFlight"]["byState"]["Deferred"], found["inFlight"]["byReason"]["gate"]) == (1, 1)
    assert found["inFlight"]["overdue"] == 1
    assert (found["oldestWaiting"]["customerId"], found["oldestWaiting"]["lastReason"]) == (waiting, "gate")
    assert {Status(name): count for name, count in found["results"].items() if count} == expected
    assert found["queue"] == {"waiting": 2, "deadLetters": 0, "unknown": None}
    assert found["gate"]["position"] == "open"


def totals(**changed: Any) -> Totals:
    given: dict[str, Any] = {
        "at": NOON,
        "rows": counted(
            [
                in_flight(state=State.IN_PROGRESS, submitted_at=NOON - 80 * HOUR),
                in_flight(state=State.DEFERRED, last_reason=Reason.GATE, requested_at=NOON - 2 * HOUR),
                in_flight(state=State.DEFERRED, last_reason=Reason.THROTTLED),
            ],
            NOON,
            72 * HOUR,
        ),
        "results": {Status.FAILED: 5, Status.COMPLETED: 1200},
        "gate": GateState(
            position=Position.PAUSED, reason=GateReason.OPERATOR, detail="a wrong file\x1b[2J", changed_at=NOON - HOUR
        ),
        "queue": QueueDepth(3, QueueDepth.LIMIT),
        "deadline_h": 72,
    }
    return Totals(**(given | changed))


def test_totals_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    totals().show(Output())
    assert capsys.readouterr().out.splitlines() == [
        "IN FLIGHT   WHY IT WAITS  COUNT",
        "Deferred    throttled     1",
        "Deferred    gate          1",
        "InProgress  -             1",
        "all                       3",
        "",
        "RESULTS    COUNT",
        "Completed  1,200",
        "Failed         5",
        "all        1,205",
        "",
        "Overdue         1 upgrade in progress for more than 3 d",
        "Oldest waiting  2 h: 2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6 Azure, gate",
        "Gate            paused since 2026-03-01T11:00:00Z: operator (a wrong file [2J)",
        "On the queue    3",
        "Dead letters    1,000 or more",
    ]


def test_totals_of_a_system_that_nobody_has_used(capsys: pytest.CaptureFixture[str]) -> None:
    unused = totals(rows=InFlight({}), results={}, gate=GateState(), queue=QueueDepth(unknown="needs Data Receiver"))
    unused.show(Output())
    assert capsys.readouterr().out.splitlines() == [
        "IN FLIGHT  WHY IT WAITS  COUNT",
        "all                      0",
        "",
        "RESULTS  COUNT",
        "all      0",
        "",
        "Overdue         none",
        "Oldest waiting  none",
        "Gate            open",
        "On the queue    not known: needs Data Receiver",
        "Dead letters    not known: needs Data Receiver",
    ]
    assert unused.document()["oldestWaiting"] is None


def test_totals_as_csv() -> None:
    found = list(totals().records())
    assert ("inFlight", State.DEFERRED, Reason.GATE, 1) in found
    assert ("inFlight", State.IN_PROGRESS, "", 1) in found
    assert ("overdue", State.IN_PROGRESS, "", 1) in found
    assert ("results", Status.COMPLETED, "", 1200) in found
    assert ("results", Status.TIMED_OUT, "", 0) in found


@pytest.mark.parametrize(
    ("position", "until", "words"),
    [
        (Position.CLOSED, NOON + 90 * HOUR / 3600, ", until 2026-03-01T12:01:30Z (in 1 min 30 s)"),
        (Position.CLOSED, NOON - HOUR / 3600, ", until 2026-03-01T11:59:59Z (1 s ago)"),
        (Position.RECOVERING, NOON + HOUR, ", until 2026-03-01T13:00:00Z (in 1 h)"),
        (Position.RECOVERING, NOON - HOUR, ""),
    ],
)
def test_until_when_the_gate_keeps_calls_back(
    capsys: pytest.CaptureFixture[str], position: Position, until: Any, words: str
) -> None:
    totals(gate=GateState(position=position, reason=GateReason.THROTTLED, until_at=until)).show(Output())
    assert f"Gate            {position}: throttled{words}\n" in capsys.readouterr().out


def test_who_may_not_receive_sees_the_rest(system: System) -> None:
    refused = patch.object(ServiceBusClient, "get_queue_receiver", side_effect=ServiceBusAuthorizationError())
    with system.connect() as connections, refused:
        assert queue_depth(connections) == QueueDepth(unknown="needs Data Receiver")


def test_a_queue_that_does_not_answer_hides_nothing_else(system: System) -> None:
    out = patch.object(ServiceBusClient, "get_queue_receiver", side_effect=ServiceBusConnectionError())
    with system.connect() as connections, out:
        found = _queue(connections)
    assert (found.waiting, found.dead_letters) == (None, None)
    assert found.unknown.startswith("no answer from Service Bus: ")


def test_a_look_at_the_queue_takes_nothing_from_it(system: System) -> None:
    emptied(system)
    with system.connect() as connections, patch("upgradectl.queue_depth._AT_ONCE", 10):
        client = connections.queue.client
        with client.get_queue_sender(QUEUE) as sender:
            sender.send_messages([ServiceBusMessage(b"{}") for _ in range(25)])
        assert [queue_depth(connections) for _ in range(2)] == [QueueDepth(25, 0)] * 2
        with patch("upgradectl.queue_depth._LOOKED_AT", 20):
            assert queue_depth(connections).waiting == 20
        with client.get_queue_receiver(QUEUE) as receiver:
            (message,) = receiver.peek_messages(1, sequence_number=1)
        assert message.delivery_count == 0
    emptied(system)


def test_customers(system: System) -> None:
    done, busy, unknown = new(), new(), new()
    add(
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
    ended = system.run("status", done.upper(), busy, unknown)
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
    add(
        system,
        in_flight(customer_id=customer, request_id="r1", upgrade_id="u-1", state=State.IN_PROGRESS),
        result(customer_id=customer, request_id="r2", status=Status.DUPLICATE, duplicate_of="r1"),
        result(customer_id=customer, request_id="r3", status=Status.DUPLICATE, duplicate_of="r2"),
        result(customer_id=customer, request_id="r4", status=Status.DUPLICATE, duplicate_of="gone"),
    )
    ended = system.run("status", "--json", customer, unknown)
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
    add(
        system,
        result(customer_id=known, request_id="r1"),
        result(customer_id=known, request_id="r2", status=Status.DUPLICATE, duplicate_of="r1", finished_at=NOON + HOUR),
        result(customer_id=formula, request_id="=1+1"),
    )
    file = system.folder / "customers.csv"
    lines = ["customerId,productFamily", *(f"{one},azure" for one in (known, formula, known, unknown)), "no,azure"]
    file.write_text("\n".join(lines))
    ended = system.run("status", "--file", str(file), "--csv")
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
    add(system, result(customer_id=customer))
    ended = system.run(
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
    ended = system.run("status", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in " ".join(ended.err.replace("│", " ").split())


def test_nothing_is_written(system: System) -> None:
    customer = new()
    add(system, in_flight(customer_id=customer), result(customer_id=customer, request_id="r0"))
    refused = {"do": "answer", "status": 403, "code": "AuthorizationPermissionMismatch"}
    methods = ("POST", "PUT", "MERGE", "PATCH", "DELETE")
    system.rule("storage_front", *({**refused, "name": method, "method": method} for method in methods))
    assert [system.run("status", *asked, **NO_QUEUE).code for asked in ([customer], [])] == [0, 0]
    system.rule("storage_front")
    remove(system, customer)


class Tables(InMemoryStore):
    """Counts what is asked for."""

    def __init__(self, rows: Iterable[InFlightUpgrade], results: Iterable[UpgradeResult]) -> None:
        super().__init__()
        self.asked = 0
        for row in rows:
            self.insert_in_flight(row)
        for one in results:
            self.insert_result(one)

    def list_in_flight(self) -> Iterable[InFlightUpgrade]:
        self.asked += 1
        return super().list_in_flight()

    def list_all_results(self, *, line_items: bool = True) -> list[UpgradeResult]:
        self.asked += 1
        assert not line_items
        return sorted(self.results.values(), key=lambda one: (one.customer_id, one.request_id))

    def list_customer_in_flight(self, customer_id: str) -> list[InFlightUpgrade]:
        self.asked += 1
        return [row for row in self.in_flight.values() if row.customer_id == customer_id]

    def list_customer_results(self, customer_id: str) -> list[UpgradeResult]:
        self.asked += 1
        return [one for one in self.results.values() if one.customer_id == customer_id]


@pytest.mark.parametrize(("count", "asked"), [(100, 200), (101, 2), (20_000, 2)])
def test_for_many_customers_everything_is_read_once(count: int, asked: int) -> None:
    wanted = [f"c{number}" for number in range(count)]
    tables = Tables(
        [in_flight(customer_id="c1"), in_flight(customer_id="other")],
        [result(customer_id=one, request_id=request) for one in ("c2", "other", "c0") for request in ("r1", "r2")],
    )
    found = customers.look_up(tables, wanted)
    assert tables.asked == asked
    assert list(found) == wanted
    assert [bool(found[one]) for one in wanted[:5]] == [True, True, True, False, False]
    assert (len(found["c0"][0].results), len(found["c2"][0].results)) == (2, 2)
    assert found["c1"][0].row


def test_rows_that_cannot_be_read_are_told_of(system: System) -> None:
    customer = new()
    with system.connect() as connections:
        table = connections.open_table("UpgradeResults")
        table.create_entity({"PartitionKey": customer, "RowKey": "azure|r1", "status": "Nonsense"})
        try:
            ended = system.run("status", customer)
        finally:
            table.delete_entity(customer, "azure|r1")
    assert (ended.code, ended.err) == (
        1,
        f"warning: left out, because it cannot be read: 1 row ({customer}|azure|r1)\n",
    )


def test_totals_say_of_which_system_they_are(system: System) -> None:
    assert system.run("status").out.splitlines()[-1].startswith("System          the environment (tables 127.0.0.1:")
