"""Who has a message and for how long, as the real SDK sees it: locks, settlements, several receivers."""

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusReceiveMode, ServiceBusReceiver
from azure.servicebus.aio import AutoLockRenewer as AsyncAutoLockRenewer
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.exceptions import MessageLockLostError

from local.component import Component
from tests.contract.service_bus import Queue, body, close_all, connected, opened, running_broker

QUEUES = {
    "upgrades": {},
    "shared": {},
    "busy": {},
    "impatient": {"lock_s": 0.5},
    "steady": {"lock_s": 1.2},
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Component]:
    with running_broker(tmp_path_factory.mktemp("service_bus"), QUEUES) as broker:
        yield broker


@pytest.fixture(scope="module")
def client(broker: Component) -> Iterator[ServiceBusClient]:
    with connected(broker) as client:
        yield client


@pytest.fixture(scope="module")
def queues(client: ServiceBusClient) -> Iterator[dict[str, Queue]]:
    with opened(client, *QUEUES) as queues:
        yield queues


@pytest.fixture
def upgrades(queues: dict[str, Queue]) -> Iterator[Queue]:
    """The queue that every test leaves empty."""
    yield queues["upgrades"]
    queues["upgrades"].assert_empty()


@pytest.fixture(scope="module")
def more_receivers() -> Iterator[list[ServiceBusReceiver]]:
    """Those that a test opened for itself; closed in the end, all at once."""
    receivers: list[ServiceBusReceiver] = []
    yield receivers
    close_all(receivers)


def test_an_abandoned_message_comes_back_with_its_count(upgrades: Queue) -> None:
    upgrades.send(b"a")

    first = upgrades.receive()
    upgrades.receiver.abandon_message(first)
    second = upgrades.receive()
    upgrades.receiver.complete_message(second)

    assert (first.delivery_count, second.delivery_count) == (0, 1)
    assert first.sequence_number == second.sequence_number


def test_a_lock_that_ran_out_is_lost_and_the_message_is_delivered_again(queues: dict[str, Queue]) -> None:
    impatient = queues["impatient"]
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


def test_a_renewed_lock_holds(queues: dict[str, Queue]) -> None:
    impatient = queues["impatient"]
    impatient.send(b"a")
    message = impatient.receive()
    assert message.locked_until_utc
    first_end = message.locked_until_utc

    while datetime.now(UTC) < first_end + timedelta(milliseconds=100):
        assert impatient.receiver.renew_message_lock(message) > first_end
        time.sleep(0.05)
    impatient.receiver.complete_message(message)

    assert impatient.receiver.peek_messages(1, sequence_number=1) == []


def test_a_lock_renewer_keeps_a_message_for_as_long_as_it_takes(broker: Component, queues: dict[str, Queue]) -> None:
    queues["steady"].send(b"slow")

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
    assert queues["steady"].receiver.peek_messages(1, sequence_number=1) == []


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


def test_two_receivers_share_the_messages_without_doubles(
    client: ServiceBusClient, queues: dict[str, Queue], more_receivers: list[ServiceBusReceiver]
) -> None:
    sent = [f"{number}".encode() for number in range(200)]
    received: dict[int, list[bytes]] = {0: [], 1: []}
    receivers = [queues["shared"].receiver, client.get_queue_receiver("shared").__enter__()]
    more_receivers.append(receivers[1])
    queues["shared"].send(*sent)

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


def test_a_thousand_messages_with_sixteen_in_flight(broker: Component, queues: dict[str, Queue]) -> None:
    queues["busy"].send(*(f"{number}".encode() for number in range(1000)))

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
