"""Sending requests to the queue: how many to a batch, and what a broker that fails or is away does to it."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    ServiceBusAuthorizationError,
    ServiceBusConnectionError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from tests.upgradectl.submit_support import body, customers, write
from upgradectl.errors import CommandError, ExitCode
from upgradectl.requests_file import opened
from upgradectl.service_bus import Outgoing, Queue
from upgradectl.submit import HARMLESS, Sending, validate


class Sender:
    """Fails as it is told to, call by call."""

    def __init__(self, *fates: ServiceBusError | None) -> None:
        self.fates = list(fates)
        self.sent: list[int] = []

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def create_message_batch(self) -> list[object]:
        return Batch()

    def send_messages(self, batch: list[object]) -> None:
        if self.fates and (fate := self.fates.pop(0)):
            raise fate
        self.sent.append(len(batch))


class Batch(list[object]):
    def add_message(self, message: ServiceBusMessage) -> None:
        if len(b"".join(message.body)) > 256 * 1024:
            raise MessageSizeExceededError(message="too large")
        self.append(message)


class Client:
    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def get_queue_sender(self, name: str) -> Sender:
        return self._sender


def queue_of(sender: Sender) -> Queue:
    queue = Queue("localhost:9", "upgrades", cast("object", None), 1)  # type: ignore[arg-type]  # nobody asks it
    queue.__dict__["client"] = Client(sender)
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
    assert list(queue_of(Sender()).send(outgoing(2100))) == [1000, 1000, 100]


def test_of_nothing_no_batch_is_sent() -> None:
    assert list(queue_of(Sender(ServiceBusServerBusyError())).send([])) == []


def test_a_message_that_no_batch_takes_ends_it_after_those_before_it() -> None:
    too_large = Outgoing(b"x" * 300_000, "large")
    for before, sent in ((0, []), (2, [2])):
        sender = Sender()
        with pytest.raises(CommandError, match="a message is larger than the queue upgrades takes"):
            list(queue_of(sender).send([*outgoing(before), too_large]))
        assert sender.sent == sent


def test_a_broker_that_is_busy_is_waited_for(waits: list[float]) -> None:
    fates = (None, ServiceBusServerBusyError(), ServiceBusConnectionError(), None)
    assert list(queue_of(Sender(*fates)).send(outgoing(1001))) == [1000, 1]
    assert waits == [2, 5]


def test_a_broker_that_stays_away_ends_it_and_it_says_what_was_sent(waits: list[float], tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", [body(customer) for customer in customers(1500)])
    sender = Sender(None, *[ServiceBusConnectionError()] * 9)
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
        list(queue_of(Sender(error())).send(outgoing(1)))
    assert (failed.value.message, failed.value.remedy, waits) == (message, remedy, [])


def test_a_file_that_changes_meanwhile_is_held_against_the_contract_again(tmp_path: Path) -> None:
    first, second = customers(2)
    path = write(tmp_path / "x.jsonl", [body(first)])
    with opened(str(path), families=("Azure",)) as file:
        sending = Sending(file, validate(file, lambda _: None))
        write(path, [body("nobody"), body(second)])
        sending.run(queue_of(Sender()), lambda _: None)
    assert sending.sent == 1
