"""`submit`: what it sends, what it leaves out, and what it says of either."""

from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest

from shared.models import Status, UpgradeResult
from tests.fakes import InMemoryStore
from tests.upgradectl.operator_support import Customers
from tests.upgradectl.queue_support import waiting
from tests.upgradectl.submit_support import body, write
from tests.upgradectl.submit_support import customers as new_customers
from tests.upgradectl.system import System
from upgradectl.errors import ExitCode
from upgradectl.requests_file import opened
from upgradectl.store import OperatorStore
from upgradectl.submit import HARMLESS, known, validate

NOBODY = "localhost:9"

pytestmark = pytest.mark.usefixtures("own_queue")


def test_each_line_becomes_a_message_as_it_is(system: System) -> None:
    first, second, third = new_customers(3)
    lines = [body(first, requestId="a", note="extra"), body(second), b" " + body(third, requestId=None)]
    write(system.folder / "wave-1.jsonl", lines)
    ended = system.run("submit", "wave-1.jsonl")
    assert (ended.code, ended.out, ended.notes) == (0, "Sent: 3 requests.\n", "")
    settings = system.settings
    tables, queue = urlsplit(settings["TABLES_URL"]).netloc, f"{settings['SERVICE_BUS_NAMESPACE']}/{system.queue}"
    assert ended.err == f"System: the environment (tables {tables}, queue {queue})\n"
    queued = waiting(system)
    assert [message.body for message in queued] == lines
    assert queued[0].message_id == "a"
    assert [message.message_id for message in queued] == [message.request.request_id for message in queued]
    again = system.call("submit", "wave-1.jsonl", "--json")
    sent_again = waiting(system)[3:]
    assert [(one.message_id, one.body) for one in sent_again] == [(one.message_id, one.body) for one in queued]
    assert again.document == {
        "file": "wave-1.jsonl",
        "batch": "wave-1.jsonl",
        "requests": 3,
        "repeated": 0,
        "invalid": [],
        "answered_already": 0,
        "in_flight": 0,
        "sent": 3,
        "dry_run": False,
    }


def test_nothing_is_sent_while_a_line_is_wrong(system: System) -> None:
    (customer,) = new_customers(1)
    write(system.folder / "x.jsonl", [body("nobody"), body(customer), b"{", body(customer)])
    wrong = [
        "x.jsonl:1: $.customerId: not a GUID (8-4-4-4-12 hexadecimal digits)",
        "x.jsonl:3: line 1 column 2: not JSON",
    ]
    ended = system.call("submit", "x.jsonl")
    assert (ended.code, ended.out.splitlines()) == (
        ExitCode.NOT_OK,
        [
            *wrong,
            "Nothing was sent. 2 lines are no requests. --skip-invalid sends the others (1).",
            "Repeated in x.jsonl, and counted once: 1.",
        ],
    )
    assert waiting(system) == []
    ended = system.call("submit", "x.jsonl", "--skip-invalid")
    assert (ended.code, ended.out.splitlines()) == (
        ExitCode.NOT_OK,
        [*wrong, "Sent: 1 request. 2 lines are no requests.", "Repeated in x.jsonl, and counted once: 1."],
    )
    assert [message.body for message in waiting(system)] == [body(customer)]


def test_of_very_many_problems_the_first_are_shown_and_all_are_in_the_json(system: System) -> None:
    write(system.folder / "x.jsonl", [b"{"] * 1234)
    ended = system.call("submit", "x.jsonl", "--dry-run")
    lines = ended.out.splitlines()
    assert (ended.code, len(lines)) == (ExitCode.NOT_OK, 102)
    assert lines[99:101] == ["x.jsonl:100: line 1 column 2: not JSON", "and 1,134 more; --json lists all"]
    document = system.call("submit", "x.jsonl", "--json", "--dry-run").document
    assert len(document["invalid"]) == 1234
    assert document["invalid"][-1] == {"line": 1234, "problem": "line 1 column 2: not JSON"}
    assert (document["answered_already"], document["sent"]) == (None, 0)


def test_a_dry_run_sends_nothing_and_needs_no_queue(system: System) -> None:
    (system.folder / "x.csv").write_text(f"customerId,productFamily\n{new_customers(1)[0]},azure\n")
    ended = system.call("submit", "x.csv", "--dry-run", SERVICE_BUS_NAMESPACE="", UPGRADE_QUEUE="")
    assert (ended.code, ended.out, ended.err) == (0, "Would be sent: 1 request.\n", "")
    assert system.call("submit", "x.csv", "--dry-run").out == ended.out
    assert waiting(system) == []


def test_a_dry_run_with_a_wrong_line_says_that_nothing_would_be_sent(system: System) -> None:
    write(system.folder / "x.jsonl", [body(new_customers(1)[0], requestId="a"), b"{}"])
    wrong = "x.jsonl:2: $.customerId: missing"
    ended = system.call("submit", "x.jsonl", "--dry-run")
    hint = "--skip-invalid sends the others (1)."
    assert (ended.code, ended.out.splitlines()) == (
        ExitCode.NOT_OK,
        [wrong, f"Nothing would be sent. 1 line is no request. {hint}"],
    )
    skipping = system.call("submit", "x.jsonl", "--dry-run", "--skip-invalid")
    assert (skipping.code, skipping.out.splitlines()) == (
        ExitCode.NOT_OK,
        [wrong, "Would be sent: 1 request. 1 line is no request."],
    )


def test_a_request_that_is_repeated_is_looked_up_once(tmp_path: Path) -> None:
    class Store(InMemoryStore):
        looked_up = 0

        def get_result(self, *key: str) -> UpgradeResult | None:
            self.looked_up += 1
            return super().get_result(*key)

    store = Store()
    path = write(tmp_path / "x.jsonl", [body(customer, requestId="a") for customer in new_customers(2)] * 500)
    with opened(str(path), families=("Azure",), batch=None) as file:
        known(cast(OperatorStore, store), file, validate(file, lambda _: None).keys)
    assert store.looked_up == 2


def test_standard_input_has_to_be_named_for_lines_without_an_id(system: System) -> None:
    (customer,) = new_customers(1)
    piped = body(customer).decode()
    ended = system.call("submit", "-", stdin=piped)
    assert ended.out.splitlines() == [
        "standard input:1: no request id: name a --batch to derive it from",
        "Nothing was sent. 1 line is no request.",
    ]
    assert system.call("submit", "-", "--batch", "wave-1", stdin=piped).code == 0
    write(system.folder / "wave-1", [body(customer)])
    assert system.call("submit", "wave-1").code == 0
    first, second = waiting(system)
    assert (first.message_id, first.body) == (second.message_id, second.body)


def test_a_single_request(system: System) -> None:
    (customer,) = new_customers(1)
    assert system.call("submit", "--customer", customer, "--request-id", "wave-1/contoso").code == 0
    assert system.call("submit", "--customer", customer, "--batch", "wave-1", "--family", "azure").code == 0
    first, second = waiting(system)
    assert (first.message_id, first.body) == ("wave-1/contoso", body(customer, requestId="wave-1/contoso"))
    assert second.request.product_family == "Azure"
    assert second.message_id == second.request.request_id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either a FILE or --customer"),
        (("x.jsonl", "--customer", "x"), "give either a FILE or --customer"),
        (("x.jsonl", "--request-id", "x"), "--family and --request-id go with --customer"),
        (("x.jsonl", "--family", "Azure"), "--family and --request-id go with --customer"),
        (("nowhere.jsonl",), "nowhere.jsonl: No such file or directory"),
        (("x.jsonl", "--set", "UPGRADE_QUEUE="), "UPGRADE_QUEUE is missing; give it with --set NAME=VALUE"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str, system: System) -> None:
    write(system.folder / "x.jsonl", [])
    ended = system.call("submit", *arguments)
    assert (ended.code, ended.out) == (ExitCode.USAGE, "")
    assert ended.err.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("fault", "warning"),
    [
        (None, ""),
        ({"status": 403, "code": "AuthorizationPermissionMismatch"}, ""),
        (
            {"status": 404, "code": "TableNotFound"},
            "warning: not compared with what was answered already: Table Storage answers 404\n",
        ),
    ],
)
def test_a_producer_needs_no_tables(fault: dict[str, object] | None, warning: str, system: System) -> None:
    """And no setting but those of the queue."""
    if fault:
        system.rule("storage_front", {"name": f"refused {system.suffix}", "do": "answer", **fault})
    own = ("SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE", *(("TABLES_URL",) if fault else ()))
    settings = {name: system.settings[name] for name in own}
    write(system.folder / "x.jsonl", [body(new_customers(1)[0])])
    ended = system.call_in({**system.environment, **settings}, "submit", "x.jsonl", "--json")
    assert (ended.code, ended.notes) == (0, warning)
    assert (ended.document["sent"], ended.document["answered_already"], ended.document["in_flight"]) == (1, None, None)
    assert len(waiting(system)) == 1


@pytest.mark.parametrize("others", [0, 60])
def test_what_the_tables_know_is_left_out(others: int, system: System, customers: Customers) -> None:
    """`others`: with so many the tables are read once, not request by request."""
    answered, in_flight, duplicate, new = (customers.new() for _ in range(4))
    customers.ended(Status.FAILED, "x", customer_id=answered)
    customers.ended(Status.COMPLETED, "another", customer_id=answered)
    customers.ended(Status.DUPLICATE, "x", customer_id=duplicate, duplicate_of="another")
    customers.ended(Status.COMPLETED, "another", customer_id=new)
    customers.waiting("x", customer_id=in_flight)
    customers.waiting("another", customer_id=new)
    asked = (answered, in_flight, duplicate, new, *new_customers(others))
    lines = [body(customer, requestId="x") for customer in asked]
    write(system.folder / "x.jsonl", lines)
    ended = system.call("submit", "x.jsonl")
    assert ended.out.splitlines() == [
        f"Sent: {2 + others} requests.",
        "Left out: 1 answered already, 1 in flight;"
        " `upgradectl retry`, another request id or a new --batch asks again.",
    ]
    assert [message.body for message in waiting(system)] == lines[2:]


def test_where_all_is_known_nothing_is_sent(system: System, customers: Customers) -> None:
    customer = customers.ended(Status.COMPLETED, "x").customer_id
    ended = system.call("submit", "--customer", customer, "--request-id", "x", SERVICE_BUS_NAMESPACE=NOBODY)
    assert ended.code == 0
    assert ended.out.startswith("Nothing was sent.\nLeft out: 1 answered already, 0 in flight;")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"SERVICE_BUS_NAMESPACE": NOBODY}, "error: no answer from Service Bus: ServiceBusConnectionError"),
        ({"UPGRADE_QUEUE": "nowhere"}, "error: there is no queue nowhere"),
    ],
)
def test_a_queue_that_cannot_be_reached(changed: dict[str, str], message: str, system: System) -> None:
    write(system.folder / "x.jsonl", [body(new_customers(1)[0])])
    ended = system.call("submit", "x.jsonl", **changed)
    (line,) = ended.notes.splitlines()
    assert (ended.code, ended.out) == (ExitCode.FAILED, "")
    assert line.startswith(message)
    assert "; 0 of 1 were surely sent; " in line
    assert line.endswith(f"; {HARMLESS}")
