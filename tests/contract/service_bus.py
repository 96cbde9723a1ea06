"""A running broker, and clients of it: the real SDK as it is."""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)

from local.component import Component, start


@contextmanager
def running_broker(folder: Path, queues: Mapping[str, object]) -> Iterator[Component]:
    """It has to end in good order, with nothing to complain of."""
    file = folder / "queues.json"
    file.write_text(json.dumps(queues))
    component = start("local.service_bus", "--queues", str(file), log=folder / "broker.log")
    yield component
    assert component.stop() == 0
    assert (folder / "broker.log").read_text() == ""


def connected(broker: Component) -> ServiceBusClient:
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

    def assert_empty(self) -> None:
        assert self.receiver.peek_messages(10, sequence_number=1) == []
        assert self.dead_letters.peek_messages(10, sequence_number=1) == []


def close_all(handlers: Iterable[ServiceBusSender | ServiceBusReceiver]) -> None:
    with ThreadPoolExecutor(32) as threads:
        for _ in threads.map(lambda handler: handler.close(), handlers):
            pass


@contextmanager
def opened(client: ServiceBusClient, *names: str) -> Iterator[dict[str, Queue]]:
    """All at once: the SDK takes half a second to open a sender or a receiver and a whole one to close a receiver."""
    queues = {name: Queue(client, name) for name in names}
    handlers = [handler for queue in queues.values() for handler in (queue.sender, queue.receiver, queue.dead_letters)]
    with ThreadPoolExecutor(len(handlers)) as threads:
        for _ in threads.map(lambda handler: handler.__enter__(), handlers):
            pass
    yield queues
    close_all(handlers)


def body(message: ServiceBusReceivedMessage) -> bytes:
    return b"".join(message.body)
