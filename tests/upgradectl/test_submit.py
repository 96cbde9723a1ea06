"""`submit`: onto the queue of the local broker, through the real entry point, and killed in the middle."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from azure.keyvault.secrets import SecretClient
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    ServiceBusAuthorizationError,
    ServiceBusConnectionError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from local.component import Component
from shared.models import Status, UpgradeResult
from tests.fakes import InMemoryStore
from tests.upgradectl.conftest import System
from tests.upgradectl.submit_support import (
    body,
    claim,
    customers,
    drain,
    finish,
    interrupted,
    request,
    write,
)
from upgradectl.errors import CommandError, ExitCode
from upgradectl.requests_file import opened
from upgradectl.service_bus import Outgoing, Queue
from upgradectl.store import OperatorStore
from upgradectl.submit import HARMLESS, Sending, known, validate

NOBODY = "localhost:9"


@pytest.fixture(scope="module", autouse=True)
def emptied(parts: Mapping[str, Component], secrets: SecretClient) -> None:
    """What others have left on the queue; each test here takes away what it sends."""
    drain(System(parts, {}, secrets, Path()))


def test_each_line_becomes_a_message_as_it_is(system: System) -> None:
    first, second, third = customers(3)
    lines = [body(first, requestId="a", note="extra"), body(second), b" " + body(third, requestId=None)]
    write(system.folder / "wave-1.jsonl", lines)
    ended = system.run("submit", "wave-1.jsonl")
    assert (ended.code, ended.out, ended.notes) == (0, "Sent: 3 requests.\n", "")
    settings = system.settings
    tables, queue = urlsplit(settings["TABLES_URL"]).netloc, f"{settings['SERVICE_BUS_NAMESPACE']}/upgrades"
    assert ended.err == f"System: the environment (tables {tables}, queue {queue})\n"
    queued = drain(system)
    assert [message.body for message in queued] == lines
    assert queued[0].message_id == "a"
    assert [message.message_id for message in queued] == [message.request.request_id for message in queued]
    again = system.run("submit", "wave-1.jsonl", "--json")
    assert drain(system) == queued
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
    (customer,) = customers(1)
    write(system.folder / "x.jsonl", [body("nobody"), body(customer), b"{", body(customer)])
    wrong = [
        "x.jsonl:1: $.customerId: not a GUID (8-4-4-4-12 hexadecimal digits)",
        "x.jsonl:3: line 1 column 2: not JSON",
    ]
    ended = system.run("submit", "x.jsonl")
    assert (ended.code, ended.out.splitlines()) == (
        ExitCode.NOT_OK,
        [
            *wrong,
            "Nothing was sent. 2 lines are no requests. --skip-invalid sends the others (1).",
            "Repeated in x.jsonl, and counted once: 1.",
        ],
    )
    assert drain(system) == []
    ended = system.run("submit", "x.jsonl", "--skip-invalid")
    assert (ended.code, ended.out.splitlines()) == (
        ExitCode.NOT_OK,
        [*wrong, "Sent: 1 request. 2 lines are no requests.", "Repeated in x.jsonl, and counted once: 1."],
    )
    assert [message.body for message in drain(system)] == [body(customer)]


def test_of_very_many_problems_the_first_are_shown_and_all_are_in_the_json(system: System) -> None:
    write(system.folder / "x.jsonl", [b"{"] * 1234)
    ended = system.run("submit", "x.jsonl", "--dry-run")
    lines = ended.out.splitlines()
    assert (ended.code, len(lines)) == (ExitCode.NOT_OK, 102)
    assert lines[99:101] == ["x.jsonl:100: line 1 column 2: not JSON", "and 1,134 more; --json lists all"]
    document = system.run("submit", "x.jsonl", "--json", "--dry-run").document
    assert len(document["invalid"]) == 1234
    assert document["invalid"][-1] == {"line": 1234, "problem": "line 1 column 2: not JSON"}
    assert (document["answered_already"], document["sent"]) == (None, 0)


def test_a_dry_run_sends_nothing_and_needs_no_queue(system: System) -> None:
    (system.folder / "x.csv").write_text(f"customerId,productFamily\n{customers(1)[0]},azure\n")
    ended = system.run("submit", "x.csv", "--dry-run", SERVICE_BUS_NAMESPACE="", UPGRADE_QUEUE="")
    assert (ended.code, ended.out, ended.err) == (0, "Would be sent: 1 request.\n", "")
    assert drain(system) == []


def test_a_dry_run_with_a_wrong_line_says_that_nothing_would_be_sent(system: System) -> None:
    write(system.folder / "x.jsonl", [body(customers(1)[0], requestId="a"), b"{}"])
    wrong = "x.jsonl:2: $.customerId: missing"
    ended = system.run("submit", "x.jsonl", "--dry-run")
    hint = "--skip-invalid sends the others (1)."
    assert (ended.code, ended.out.splitlines()) == (
        ExitCode.NOT_OK,
        [wrong, f"Nothing would be sent. 1 line is no request. {hint}"],
    )
    skipping = system.run("submit", "x.jsonl", "--dry-run", "--skip-invalid")
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
    path = write(tmp_path / "x.jsonl", [body(customer, requestId="a") for customer in customers(2)] * 500)
    with opened(str(path), families=("Azure",), batch=None) as file:
        known(cast(OperatorStore, store), file, validate(file, lambda _: None).keys)
    assert store.looked_up == 2


def test_standard_input_has_to_be_named_for_lines_without_an_id(system: System) -> None:
    (customer,) = customers(1)
    piped = body(customer).decode()
    ended = system.run("submit", "-", stdin=piped)
    assert ended.out.splitlines() == [
        "standard input:1: no request id: name a --batch to derive it from",
        "Nothing was sent. 1 line is no request.",
    ]
    assert system.run("submit", "-", "--batch", "wave-1", stdin=piped).code == 0
    write(system.folder / "wave-1", [body(customer)])
    assert system.run("submit", "wave-1").code == 0
    first, second = drain(system)
    assert first == second


def test_a_single_request(system: System) -> None:
    (customer,) = customers(1)
    assert system.run("submit", "--customer", customer, "--request-id", "wave-1/contoso").code == 0
    assert system.run("submit", "--customer", customer, "--batch", "wave-1", "--family", "azure").code == 0
    first, second = drain(system)
    assert first == ("wave-1/contoso", body(customer, requestId="wave-1/contoso"))
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
    ended = system.run("submit", *arguments)
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
    write(system.folder / "x.jsonl", [body(customers(1)[0])])
    ended = system.run_in({**system.environment, **settings}, "submit", "x.jsonl", "--json")
    assert (ended.code, ended.notes) == (0, warning)
    assert (ended.document["sent"], ended.document["answered_already"], ended.document["in_flight"]) == (1, None, None)
    assert len(drain(system)) == 1


@pytest.mark.parametrize("others", [0, 60])
def test_what_the_tables_know_is_left_out(others: int, system: System) -> None:
    """`others`: with so many the tables are read once, not request by request."""
    answered, in_flight, duplicate, new = customers(4)
    with system.connect() as connections:
        finish(connections, request(answered, "x"), Status.FAILED)
        finish(connections, request(answered, "another"), Status.COMPLETED)
        finish(connections, request(duplicate, "x"), Status.DUPLICATE)
        finish(connections, request(new, "another"), Status.COMPLETED)
        rows = [claim(connections, request(in_flight, "x")), claim(connections, request(new, "another"))]
        lines = [
            body(customer, requestId="x") for customer in (answered, in_flight, duplicate, new, *customers(others))
        ]
        write(system.folder / "x.jsonl", lines)
        ended = system.run("submit", "x.jsonl")
        for row in rows:
            connections.store.delete_in_flight(row)
    assert ended.out.splitlines() == [
        f"Sent: {2 + others} requests.",
        "Left out: 1 answered already, 1 in flight;"
        " `upgradectl retry`, another request id or a new --batch asks again.",
    ]
    assert [message.body for message in drain(system)] == lines[2:]


def test_where_all_is_known_nothing_is_sent(system: System) -> None:
    (customer,) = customers(1)
    with system.connect() as connections:
        finish(connections, request(customer, "x"), Status.COMPLETED)
    ended = system.run("submit", "--customer", customer, "--request-id", "x", SERVICE_BUS_NAMESPACE=NOBODY)
    assert ended.code == 0
    assert ended.out.startswith("Nothing was sent.\nLeft out: 1 answered already, 0 in flight;")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("sig", "code", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGINT, ExitCode.INTERRUPTED, f"interrupted: 1,000 of 2,100 were surely sent; {HARMLESS}\n"),
    ],
)
def test_killed_in_the_middle_and_run_again_every_request_is_there(
    sig: signal.Signals, code: int, said: str, when: str, system: System
) -> None:
    lines = [body(customer) for customer in customers(2100)]
    path = write(system.folder / "wave-1.jsonl", lines)
    action = f"os.kill(os.getpid(), {sig:d})"
    ended = system.run("submit", path.name, **interrupted(system.folder, action, when=when, call=2))
    assert (ended.code, ended.out, ended.notes) == (code, "", said)
    first = drain(system)
    assert [message.body for message in first] == lines[: 1000 if when == "before" else 2000]
    assert system.run("submit", path.name).out == "Sent: 2,100 requests.\n"
    second = drain(system)
    assert [message.body for message in second] == lines
    assert first == second[: len(first)]
    assert len({message.request.request_id for message in second}) == 2100


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_is_cut_is_made_again(when: str, system: System) -> None:
    lines = [body(customer, requestId="x") for customer in customers(2100)]
    path = write(system.folder / "x.jsonl", lines)
    url = f"{system.parts['service_bus'].facts['control_url']}/_fake/cut"
    action = f"urllib.request.urlopen(urllib.request.Request({url!r}, method='POST')).read()"
    ended = system.run("submit", path.name, **interrupted(system.folder, action, when=when, call=2))
    assert (ended.code, ended.out, ended.notes) == (0, "Sent: 2,100 requests.\n", "")
    assert {message.body for message in drain(system)} == set(lines)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"SERVICE_BUS_NAMESPACE": NOBODY}, "error: no answer from Service Bus: ServiceBusConnectionError"),
        ({"UPGRADE_QUEUE": "nowhere"}, "error: there is no queue nowhere"),
    ],
)
def test_a_queue_that_cannot_be_reached(changed: dict[str, str], message: str, system: System) -> None:
    write(system.folder / "x.jsonl", [body(customers(1)[0])])
    ended = system.run("submit", "x.jsonl", **changed)
    (line,) = ended.notes.splitlines()
    assert (ended.code, ended.out) == (ExitCode.FAILED, "")
    assert line.startswith(message)
    assert "; 0 of 1 were surely sent; " in line
    assert line.endswith(f"; {HARMLESS}")


class _Sender:
    """Fails as it is told to, call by call."""

    def __init__(self, *fates: ServiceBusError | None) -> None:
        self.fates = list(fates)
        self.sent: list[int] = []

    def __enter__(self) -> "_Sender":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def create_message_batch(self) -> list[object]:
        return _Batch()

    def send_messages(self, batch: list[object]) -> None:
        if self.fates and (fate := self.fates.pop(0)):
            raise fate
        self.sent.append(len(batch))


class _Batch(list[object]):
    def add_message(self, message: ServiceBusMessage) -> None:
        if len(b"".join(message.body)) > 256 * 1024:
            raise MessageSizeExceededError(message="too large")
        self.append(message)


class _Client:
    def __init__(self, sender: _Sender) -> None:
        self._sender = sender

    def get_queue_sender(self, name: str) -> _Sender:
        return self._sender


def queue_of(sender: _Sender) -> Queue:
    queue = Queue("localhost:9", "upgrades", cast("object", None), 1)  # type: ignore[arg-type]  # nobody asks it
    queue.__dict__["client"] = _Client(sender)
    return queue


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Of a clock that stands still."""
    waited: list[float] = []
    monkeypatch.setattr("upgradectl.service_bus.time.sleep", waited.append)
    return waited


def outgoing(count: int) -> list[Outgoing]:
    return [Outgoing(body("x"), str(number)) for number in range(count)]


def test_a_batch_holds_no_more_than_every_tier_takes() -> None:
    assert list(queue_of(_Sender()).send(outgoing(2100))) == [1000, 1000, 100]


def test_of_nothing_no_batch_is_sent() -> None:
    assert list(queue_of(_Sender(ServiceBusServerBusyError())).send([])) == []


def test_a_message_that_no_batch_takes_ends_it_after_those_before_it() -> None:
    too_large = Outgoing(b"x" * 300_000, "large")
    for before, sent in ((0, []), (2, [2])):
        sender = _Sender()
        with pytest.raises(CommandError, match="a message is larger than the queue upgrades takes"):
            list(queue_of(sender).send([*outgoing(before), too_large]))
        assert sender.sent == sent


def test_a_broker_that_is_busy_is_waited_for(waits: list[float]) -> None:
    fates = (None, ServiceBusServerBusyError(), ServiceBusConnectionError(), None)
    assert list(queue_of(_Sender(*fates)).send(outgoing(1001))) == [1000, 1]
    assert waits == [2, 5]


def test_a_broker_that_stays_away_ends_it_and_it_says_what_was_sent(waits: list[float], tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", [body(customer) for customer in customers(1500)])
    sender = _Sender(None, *[ServiceBusConnectionError()] * 9)
    with opened(str(path), families=("Azure",)) as file:
        sending = Sending(file, validate(file, lambda _: None))
        with pytest.raises(CommandError) as failed:
            sending.run(queue_of(sender), lambda _: None)
    assert failed.value.message.endswith("; 1,000 of 1,500 were surely sent")
    assert failed.value.remedy.endswith(f"run it again; {HARMLESS}")
    assert (failed.value.code, sending.sent, waits) == (ExitCode.FAILED, 1000, [2, 5, 10])


@pytest.mark.parametrize(
    ("error", "message", "remedy"),
    [
        (
            lambda: ServiceBusAuthorizationError(message="'Send' claim(s) are required."),
            "Service Bus refuses",
            "grant yourself Azure Service Bus Data Sender on the queue upgrades",
        ),
        (
            lambda: ServiceBusQuotaExceededError(message="full"),
            "the queue upgrades is full",
            "run it again when it has been worked off",
        ),
    ],
)
def test_what_waiting_does_not_help_is_told_at_once(
    error: Callable[[], ServiceBusError], message: str, remedy: str, waits: list[float]
) -> None:
    with pytest.raises(CommandError) as failed:
        list(queue_of(_Sender(error())).send(outgoing(1)))
    assert (failed.value.message, failed.value.remedy, waits) == (message, remedy, [])


def test_a_file_that_changes_meanwhile_is_held_against_the_contract_again(tmp_path: Path) -> None:
    first, second = customers(2)
    path = write(tmp_path / "x.jsonl", [body(first)])
    with opened(str(path), families=("Azure",)) as file:
        sending = Sending(file, validate(file, lambda _: None))
        write(path, [body("nobody"), body(second)])
        sending.run(queue_of(_Sender()), lambda _: None)
    assert sending.sent == 1
