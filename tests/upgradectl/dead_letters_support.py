"""A queue that has dead letters, for the tests of `upgradectl dead-letters`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue

from tests.upgradectl import queue_support
from tests.upgradectl.queue_support import Seen
from tests.upgradectl.system import DEADLINE_S, Ran, System, wait_for


def valid_body(**more: object) -> bytes:
    return json.dumps({"customerId": str(uuid4()), "productFamily": "Azure", **more}).encode()


@dataclass(frozen=True)
class Letters:
    """Those of the system's queue."""

    system: System

    def run(self, *arguments: str) -> Ran:
        """As its user starts it."""
        return self.system.run("dead-letters", *arguments)

    def call(self, *arguments: str, stdin: str = "", **environment: str) -> Ran:
        return self.system.call("dead-letters", *arguments, stdin=stdin, **environment)

    def add(self, *messages: ServiceBusMessage | bytes) -> None:
        """Dead letters, numbered from 1: messages that nobody wanted within a millisecond."""
        outgoing = [
            message if isinstance(message, ServiceBusMessage) else ServiceBusMessage(message, message_id=str(uuid4()))
            for message in messages
        ]
        for message in outgoing:
            message.time_to_live = timedelta(milliseconds=1)
        expected = len(self.dead()) + len(outgoing)
        queue_support.send(self.system, *outgoing)
        wait_for(lambda: len(self.dead()) == expected)

    def dead(self) -> dict[int, Seen]:
        """All dead letters by their numbers."""
        return queue_support.dead_letters(self.system)

    def sent(self) -> list[Seen]:
        """What lies on the queue itself."""
        return queue_support.waiting(self.system)

    @contextmanager
    def held(self, count: int) -> Iterator[None]:
        """As if somebody else were looking at the first ones."""
        with (
            self.system.connect() as connections,
            connections.queue.client.get_queue_receiver(
                self.system.queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER
            ) as receiver,
        ):
            messages = receiver.receive_messages(count, max_wait_time=DEADLINE_S)
            assert len(messages) == count
            yield
            for message in messages:
                receiver.abandon_message(message)
