"""The broker as the real SDK sees it: what these tests say holds for the cloud's Service Bus too."""

import asyncio
import json
import random
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)
from azure.servicebus.aio import AutoLockRenewer as AsyncAutoLockRenewer
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusError,
)

from local.component import Component, start

QUEUES = {
    "upgrades": {},
    "patient": {},
    "deferring": {},
    "busy": {},
    "impatient": {"lock_s": 0.5},
    "steady": {"lock_s": 1.2},
    "fragile": {"max_delivery_count": 2},
    "fleeting": {"time_to_live_s": 0.2},
}


@pytest.fixture(scope="module")
def queues_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("service_bus") / "queues.json"
    file.write_text(json.dumps(QUEUES))
    return file


@pytest.fixture(scope="module")
def broker(queues_file: Path) -> Iterator[Component]:
    component = start("local.service_bus", "--queues", str(queues_file), log=queues_file.with_name("broker.log"))
    yield component
    assert component.stop() == 0
    assert queues_file.with_name("broker.log").read_text() == ""


@pytest.fixture(scope="module")
def client(broker: Component) -> Iterator[ServiceBusClient]:
    with _client(broker) as opened:
        yield opened


def _client(broker: Component) -> ServiceBusClient:
    return ServiceBusClient.from_connection_string(
        broker.facts["connection_string"],
        retry_total=0,
        socket_timeout=0.05,  # how long the SDK listens before it looks around
        keep_alive=0,  # else a thread per sender, which takes a second to end
    )


class Queue:
    """A queue with a sender and receivers that stay open."""

    def __init__(self, client: ServiceBusClient, name: str) -> None:
        self.sender: ServiceBusSender = client.get_queue_sender(name)
        self.receiver: ServiceBusReceiver = client.get_queue_receiver(name)
        self.dead_letters: ServiceBusReceiver = client.get_queue_receiver(
            name, sub_queue=ServiceBusSubQueue.DEAD_LETTER
        )

    def send(self, *bodies: bytes) -> None:
        self.sender.send_messages([ServiceBusMessage(body) for body in bodies])

    def receive(self) -> ServiceBusReceivedMessage:
        (message,) = self.receiver.receive_messages(1, max_wait_time=3)
        return message

    def receive_dead_letter(self) -> ServiceBusReceivedMessage:
        (message,) = self.dead_letters.receive_messages(1, max_wait_time=3)
        self.dead_letters.complete_message(message)
        return message


def _close_all(handlers: Iterable[ServiceBusSender | ServiceBusReceiver]) -> None:
    with ThreadPoolExecutor(32) as threads:
        for _ in threads.map(lambda handler: handler.close(), handlers):
            pass


@contextmanager
def _opened(client: ServiceBusClient, *names: str) -> Iterator[dict[str, Queue]]:
    """All at once: the SDK takes half a second to open a sender or a receiver and a whole one to close a receiver."""
    queues = {name: Queue(client, name) for name in names}
    handlers = [handler for queue in queues.values() for handler in (queue.sender, queue.receiver, queue.dead_letters)]
    with ThreadPoolExecutor(len(handlers)) as threads:
        for _ in threads.map(lambda handler: handler.__enter__(), handlers):
            pass
    yield queues
    _close_all(handlers)


@pytest.fixture(scope="module")
def more_receivers() -> Iterator[list[ServiceBusReceiver]]:
    """Those that a test opened for itself; closed in the end, all at once."""
    receivers: list[ServiceBusReceiver] = []
    yield receivers
    _close_all(receivers)


@pytest.fixture(scope="module")
def opened(client: ServiceBusClient) -> Iterator[dict[str, Queue]]:
    with _opened(client, *QUEUES) as queues:
        yield queues


@pytest.fixture
def upgrades(opened: dict[str, Queue]) -> Iterator[Queue]:
    """The queue that every test leaves empty."""
    yield opened["upgrades"]
    assert opened["upgrades"].receiver.peek_messages(10, sequence_number=1) == []
    assert opened["upgrades"].dead_letters.peek_messages(10, sequence_number=1) == []


def body(message: ServiceBusReceivedMessage) -> bytes:
    return b"".join(message.body)


def test_a_message_arrives_as_it_was_sent(upgrades: Queue) -> None:
    content = random.Random(1).randbytes(200_000)
    sent_at = datetime.now(UTC)
    upgrades.sender.send_messages(
        ServiceBusMessage(
            content,
            message_id="id-1",
            correlation_id="c-1",
            content_type="application/json",
            subject="upgrade",
            application_properties={"text": "ä", "number": 7, "flag": True},
        )
    )

    message = upgrades.receive()
    locked_until = message.locked_until_utc
    upgrades.receiver.complete_message(message)

    assert body(message) == content
    assert (message.message_id, message.correlation_id) == ("id-1", "c-1")
    assert (message.content_type, message.subject) == ("application/json", "upgrade")
    assert message.application_properties == {b"text": "ä".encode(), b"number": 7, b"flag": True}
    assert message.delivery_count == 0
    assert message.enqueued_time_utc
    assert abs(message.enqueued_time_utc - sent_at) < timedelta(seconds=5)
    assert locked_until
    assert timedelta(seconds=50) < locked_until - message.enqueued_time_utc < timedelta(seconds=70)
    assert message.time_to_live == timedelta(days=14)


def test_an_abandoned_message_comes_back_with_its_count(upgrades: Queue) -> None:
    upgrades.send(b"a")

    first = upgrades.receive()
    upgrades.receiver.abandon_message(first)
    second = upgrades.receive()
    upgrades.receiver.complete_message(second)

    assert (first.delivery_count, second.delivery_count) == (0, 1)
    assert first.sequence_number == second.sequence_number


def test_a_dead_letter_keeps_what_was_sent_and_says_why(upgrades: Queue) -> None:
    upgrades.sender.send_messages(
        ServiceBusMessage(b'{"broken', message_id="dead-1", application_properties={"kept": 1})
    )
    message = upgrades.receive()

    upgrades.receiver.dead_letter_message(message, reason="InvalidRequest", error_description="no JSON")

    dead = upgrades.receive_dead_letter()
    assert (body(dead), dead.message_id) == (b'{"broken', "dead-1")
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("InvalidRequest", "no JSON")
    assert dead.application_properties
    assert dead.application_properties[b"kept"] == 1
    assert dead.enqueued_time_utc == message.enqueued_time_utc


def test_the_last_delivery_makes_a_dead_letter(opened: dict[str, Queue]) -> None:
    fragile = opened["fragile"]
    fragile.send(b"a")

    for _ in range(2):
        fragile.receiver.abandon_message(fragile.receive())

    assert fragile.receive_dead_letter().dead_letter_reason == "MaxDeliveryCountExceeded"


def test_a_message_that_nobody_wants_becomes_a_dead_letter(opened: dict[str, Queue]) -> None:
    opened["fleeting"].send(b"a")

    dead = opened["fleeting"].receive_dead_letter()

    assert (body(dead), dead.dead_letter_reason) == (b"a", "TTLExpiredException")


def test_a_message_may_have_a_shorter_time_to_live(upgrades: Queue) -> None:
    upgrades.sender.send_messages(ServiceBusMessage(b"a", time_to_live=timedelta(milliseconds=100)))

    assert upgrades.receive_dead_letter().dead_letter_reason == "TTLExpiredException"


def test_a_lock_that_ran_out_is_lost_and_the_message_is_delivered_again(opened: dict[str, Queue]) -> None:
    impatient = opened["impatient"]
    impatient.send(b"a")
    late = impatient.receive()
    again = impatient.receive()
    assert late.raw_amqp_message.annotations is not None
    # The SDK would refuse by itself; the question here is whether the broker does.
    late.raw_amqp_message.annotations[b"x-opt-locked-until"] += 60_000

    with pytest.raises(MessageLockLostError):
        impatient.receiver.complete_message(late)

    impatient.receiver.complete_message(again)
    assert again.delivery_count == 1


def test_a_renewed_lock_holds(opened: dict[str, Queue]) -> None:
    impatient = opened["impatient"]
    impatient.send(b"a")
    message = impatient.receive()
    assert message.locked_until_utc
    first_end = message.locked_until_utc

    while datetime.now(UTC) < first_end + timedelta(milliseconds=100):
        assert impatient.receiver.renew_message_lock(message) > first_end
        time.sleep(0.05)
    impatient.receiver.complete_message(message)

    assert impatient.receiver.peek_messages(1, sequence_number=1) == []


def test_a_lost_lock_cannot_be_renewed(opened: dict[str, Queue]) -> None:
    impatient = opened["impatient"]
    impatient.send(b"a")
    message = impatient.receive()
    impatient.receiver.complete_message(impatient.receive())
    assert message.raw_amqp_message.annotations is not None
    message.raw_amqp_message.annotations[b"x-opt-locked-until"] += 60_000

    with pytest.raises(MessageLockLostError):
        impatient.receiver.renew_message_lock(message)


def test_peeking_shows_what_is_there_and_leaves_it(upgrades: Queue) -> None:
    upgrades.send(b"a", b"b", b"c")

    peeked = upgrades.receiver.peek_messages(10, sequence_number=1)
    assert [body(message) for message in peeked] == [b"a", b"b", b"c"]
    last = peeked[-1].sequence_number
    assert last is not None
    from_last = upgrades.receiver.peek_messages(10, sequence_number=last)
    assert [body(message) for message in from_last] == [b"c"]

    for expected in (b"a", b"b", b"c"):
        message = upgrades.receive()
        assert body(message) == expected
        upgrades.receiver.complete_message(message)


def test_an_answer_to_peeking_holds_what_fits_into_a_message(opened: dict[str, Queue]) -> None:
    patient = opened["patient"]
    for _ in range(2):
        patient.send(*(bytes(80_000) for _ in range(3)))

    first = patient.receiver.peek_messages(6, sequence_number=1)
    last = first[-1].sequence_number
    assert last is not None
    second = patient.receiver.peek_messages(6, sequence_number=last + 1)
    for _ in range(6):
        patient.receiver.complete_message(patient.receive())

    assert (len(first), len(second)) == (3, 3)
    assert first[-1].sequence_number != second[0].sequence_number


def test_receiving_from_an_empty_queue_ends_after_the_wait(upgrades: Queue) -> None:
    started = time.monotonic()

    assert upgrades.receiver.receive_messages(5, max_wait_time=0.3) == []

    assert 0.25 < time.monotonic() - started < 2


def test_a_waiting_receiver_gets_a_message_at_once(upgrades: Queue) -> None:
    sending = threading.Timer(0.2, upgrades.send, args=[b"a"])
    started = time.monotonic()
    sending.start()

    message = upgrades.receive()
    waited_s = time.monotonic() - started
    upgrades.receiver.complete_message(message)
    sending.join()

    assert waited_s < 1


def test_receive_and_delete_leaves_nothing_behind(
    client: ServiceBusClient, upgrades: Queue, more_receivers: list[ServiceBusReceiver]
) -> None:
    upgrades.send(b"a")
    receiver = client.get_queue_receiver("upgrades", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE)
    more_receivers.append(receiver)

    (message,) = receiver.receive_messages(1, max_wait_time=3)

    assert (body(message), message.delivery_count) == (b"a", 0)


def test_a_settlement_finds_its_way_when_the_link_is_gone(
    client: ServiceBusClient, upgrades: Queue, more_receivers: list[ServiceBusReceiver]
) -> None:
    upgrades.send(b"complete", b"abandon", b"dead-letter")
    receiver = client.get_queue_receiver("upgrades")
    more_receivers.append(receiver)
    complete, abandon, dead_letter = receiver.receive_messages(3, max_wait_time=3)
    link = receiver._handler._link
    assert link
    link.detach()

    receiver.complete_message(complete)
    receiver.abandon_message(abandon)
    receiver.dead_letter_message(dead_letter, reason="why", error_description="so")

    again = upgrades.receive()
    upgrades.receiver.complete_message(again)
    dead = upgrades.receive_dead_letter()
    assert (body(again), again.delivery_count) == (b"abandon", 1)
    assert (body(dead), dead.dead_letter_reason) == (b"dead-letter", "why")


LATER = datetime.now(UTC) + timedelta(hours=1)


def _defer(client: ServiceBusClient) -> None:
    queue = Queue(client, "deferring")
    queue.send(b"a")
    queue.receiver.defer_message(queue.receive())


REFUSALS: dict[str, tuple[Callable[[ServiceBusClient], object], type[ServiceBusError], str]] = {
    "send to an unknown queue": (
        lambda client: client.get_queue_sender("nowhere").send_messages(ServiceBusMessage(b"a")),
        MessagingEntityNotFoundError,
        "amqp:not-found",
    ),
    "receive from an unknown queue": (
        lambda client: client.get_queue_receiver("nowhere").receive_messages(1, max_wait_time=3),
        MessagingEntityNotFoundError,
        "amqp:not-found",
    ),
    "send to the dead letters": (
        lambda client: client.get_queue_sender("upgrades/$deadletterqueue").send_messages(ServiceBusMessage(b"a")),
        ServiceBusError,
        "amqp:not-allowed",
    ),
    "receive in a session": (
        lambda client: client.get_queue_receiver("upgrades", session_id="s").receive_messages(1, max_wait_time=3),
        ServiceBusError,
        "amqp:not-allowed",
    ),
    "send for later": (
        lambda client: client.get_queue_sender("upgrades").send_messages(
            ServiceBusMessage(b"a", scheduled_enqueue_time_utc=LATER)
        ),
        ServiceBusError,
        "amqp:not-implemented",
    ),
    "schedule": (
        lambda client: client.get_queue_sender("upgrades").schedule_messages(ServiceBusMessage(b"a"), LATER),
        ServiceBusError,
        "amqp:not-implemented",
    ),
    "cancel what is scheduled": (
        lambda client: client.get_queue_sender("upgrades").cancel_scheduled_messages(1),
        ServiceBusError,
        "amqp:not-implemented",
    ),
    "receive what is deferred": (
        lambda client: client.get_queue_receiver("upgrades").receive_deferred_messages(1),
        ServiceBusError,
        "amqp:not-implemented",
    ),
    "defer": (_defer, ServiceBusError, "amqp:not-implemented"),
    "send too much": (
        lambda client: client.get_queue_sender("upgrades").send_messages(ServiceBusMessage(bytes(257 * 1024))),
        MessageSizeExceededError,
        "amqp:link:message-size-exceeded",
    ),
}


@pytest.fixture(scope="module")
def refusals(broker: Component) -> dict[str, ServiceBusError]:
    """All at once: after an error the SDK takes a second to come to its senses."""

    def refusal(name: str) -> ServiceBusError:
        with _client(broker) as client, pytest.raises(ServiceBusError) as raised:
            REFUSALS[name][0](client)
        return raised.value

    with ThreadPoolExecutor(len(REFUSALS)) as threads:
        return dict(zip(REFUSALS, threads.map(refusal, REFUSALS), strict=True))


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_done_is_refused_with_the_reason(refusals: dict[str, ServiceBusError], name: str) -> None:
    _, error, condition = REFUSALS[name]

    assert type(refusals[name]) is error
    assert f"Error condition: {condition}." in refusals[name].message


def test_two_receivers_share_the_messages_without_doubles(
    client: ServiceBusClient, opened: dict[str, Queue], more_receivers: list[ServiceBusReceiver]
) -> None:
    sent = [f"{number}".encode() for number in range(200)]
    received: dict[int, list[bytes]] = {0: [], 1: []}
    receivers = [opened["patient"].receiver, client.get_queue_receiver("patient").__enter__()]
    more_receivers.append(receivers[1])
    opened["patient"].send(*sent)

    def drain(which: int) -> None:
        while messages := receivers[which].receive_messages(5, max_wait_time=0.6):
            for message in messages:
                received[which].append(body(message))
                receivers[which].complete_message(message)

    threads = [threading.Thread(target=drain, args=[which]) for which in received]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(received.values())
    assert sorted(received[0] + received[1]) == sorted(sent)


def test_a_thousand_messages_with_sixteen_in_flight(broker: Component, opened: dict[str, Queue]) -> None:
    opened["busy"].send(*(f"{number}".encode() for number in range(1000)))

    async def drain() -> list[bytes]:
        bodies: list[bytes] = []
        async with (
            AsyncServiceBusClient.from_connection_string(broker.facts["connection_string"]) as client,
            client.get_queue_receiver("busy") as receiver,
        ):
            while len(bodies) < 1000 and (messages := await receiver.receive_messages(16, max_wait_time=3)):
                await asyncio.gather(*(receiver.complete_message(message) for message in messages))
                bodies += [body(message) for message in messages]
        return bodies

    assert sorted(asyncio.run(drain())) == sorted(f"{number}".encode() for number in range(1000))


def test_a_lock_renewer_keeps_a_message_for_as_long_as_it_takes(broker: Component, opened: dict[str, Queue]) -> None:
    opened["steady"].send(b"slow")

    async def work() -> int | None:
        async with (
            AsyncServiceBusClient.from_connection_string(broker.facts["connection_string"]) as client,
            client.get_queue_receiver("steady") as receiver,
            AsyncAutoLockRenewer() as renewer,
        ):
            (message,) = await receiver.receive_messages(1, max_wait_time=3)
            renewer.register(receiver, message, max_lock_renewal_duration=5)
            await asyncio.sleep(1.35)
            await receiver.complete_message(message)
            return message.delivery_count

    assert asyncio.run(work()) == 0
    assert opened["steady"].receiver.peek_messages(1, sequence_number=1) == []


def test_messages_survive_a_broker_that_is_killed(queues_file: Path, tmp_path: Path) -> None:
    arguments = ("--queues", str(queues_file), "--state", str(tmp_path / "state"))
    marker = str(uuid.uuid4())
    broker = start("local.service_bus", *arguments, log=tmp_path / "broker.log")
    try:
        with _client(broker) as client, _opened(client, "upgrades") as queues:
            queue = queues["upgrades"]
            queue.sender.send_messages([ServiceBusMessage(b"%d" % n, message_id=f"{marker}-{n}") for n in range(4)])
            completed, abandoned, dead, _under_way = queue.receiver.receive_messages(4, max_wait_time=3)
            queue.receiver.complete_message(completed)
            queue.receiver.dead_letter_message(dead, reason="why")
            queue.receiver.abandon_message(abandoned)
    finally:
        broker.stop(sig=signal.SIGKILL)

    broker = start("local.service_bus", *arguments, log=tmp_path / "broker.log")
    try:
        with _client(broker) as client, _opened(client, "upgrades") as queues:
            queue = queues["upgrades"]
            kept = [queue.receive(), queue.receive()]
            assert [(message.message_id, message.delivery_count) for message in kept] == [
                (f"{marker}-1", 1),
                (f"{marker}-3", 1),
            ]
            assert queue.receive_dead_letter().dead_letter_reason == "why"
    finally:
        assert broker.stop() == 0
