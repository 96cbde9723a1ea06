"""A broker whose queues have dead letters, for the tests of `upgradectl dead-letters`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import requests
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSubQueue,
)
from typer.testing import CliRunner

from local.amqp.decoding import decode
from local.amqp.messages import APPLICATION_PROPERTIES, DATA, PROPERTIES, sections
from local.component import Component, start
from local.service_bus import journal
from local.service_bus.message import Message
from local.service_bus.queue import DEAD_LETTER_SUFFIX
from tests.upgradectl.conftest import Ran, System
from upgradectl.app import app

DEADLINE_S = 10
# A new one for each test, so that none finds what another has left.
NAMES = tuple(f"letters-{number}" for number in range(40))


def valid_body(**more: object) -> bytes:
    return json.dumps({"customerId": str(uuid4()), "productFamily": "Azure", **more}).encode()


@dataclass(frozen=True)
class Seen:
    """A message in the broker."""

    body: bytes
    message_id: str | None
    correlation_id: str | None
    properties: object
    enqueued_at: datetime


@dataclass
class Letters:
    """One queue, the command line for it, and the SDK beside it."""

    system: System
    broker: Component
    journal: Path
    name: str

    @property
    def settings(self) -> dict[str, str]:
        return {"SERVICE_BUS_NAMESPACE": f"localhost:{self.broker.facts['port']}", "UPGRADE_QUEUE": self.name}

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Ran:
        """As its user starts it."""
        return self.system.run("dead-letters", *arguments, stdin=stdin, **{**self.settings, **environment})

    def call(self, *arguments: str, stdin: str = "", **environment: str) -> Ran:
        """The same in this process, which is there already."""
        settings = {**self.system.settings, **self.settings, **environment}
        ended = CliRunner().invoke(app, ["dead-letters", *arguments], input=stdin, env=settings)
        return Ran(ended.exit_code, ended.stdout, ended.stderr)

    def control(self, command: str) -> None:
        answer = requests.post(f"{self.broker.facts['control_url']}/_fake/{command}", timeout=DEADLINE_S)
        assert answer.status_code == 200

    @contextmanager
    def client(self) -> Iterator[ServiceBusClient]:
        with ServiceBusClient.from_connection_string(
            self.broker.facts["connection_string"], retry_total=0, socket_timeout=0.05, keep_alive=0
        ) as client:
            yield client

    def add(self, *messages: ServiceBusMessage | bytes) -> None:
        """Dead letters, numbered from 1: messages that nobody wanted within a millisecond."""
        outgoing = [
            message if isinstance(message, ServiceBusMessage) else ServiceBusMessage(message, message_id=str(uuid4()))
            for message in messages
        ]
        for message in outgoing:
            message.time_to_live = timedelta(milliseconds=1)
        with self.client() as client, client.get_queue_sender(self.name) as sender:
            sender.send_messages(outgoing)

    def dead(self) -> dict[int, Seen]:
        """All dead letters by their numbers."""
        return self._kept(self.name + DEAD_LETTER_SUFFIX)

    def sent(self) -> list[Seen]:
        """What lies on the queue itself."""
        return list(self._kept(self.name).values())

    def _kept(self, queue: str) -> dict[int, Seen]:
        """By the broker's journal: the SDK would take a second for it."""
        kept = journal._replay(self.journal).get(queue, journal.QueueState())
        return {number: _seen(message) for number, message in kept.messages.items()}

    @contextmanager
    def receiver(self) -> Iterator[ServiceBusReceiver]:
        """Of the dead letters."""
        with (
            self.client() as client,
            client.get_queue_receiver(self.name, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
        ):
            yield receiver

    @contextmanager
    def held(self, count: int) -> Iterator[Sequence[ServiceBusReceivedMessage]]:
        """As if somebody else were looking at the first ones."""
        with self.receiver() as receiver:
            messages = receiver.receive_messages(count, max_wait_time=DEADLINE_S)
            assert len(messages) == count
            yield messages
            for message in messages:
                receiver.abandon_message(message)


@contextmanager
def running_broker(folder: Path) -> Iterator[Component]:
    """Its journal is in `folder`."""
    (folder / "queues.json").write_text(json.dumps({name: {} for name in NAMES}))
    arguments = ("--queues", str(folder / "queues.json"), "--state", str(folder))
    broker = start("local.service_bus", *arguments, log=folder / "broker.log")
    yield broker
    assert broker.stop() == 0
    assert (folder / "broker.log").read_text() == ""


def _seen(message: Message) -> Seen:
    found = {part.code: decode(part.value)[0] for part in sections(message.content)}
    content, properties = found.get(DATA, b""), found.get(PROPERTIES) or []
    assert isinstance(content, bytes)
    assert isinstance(properties, list)
    message_id, *_, correlation_id = [*properties, *([None] * 6)][:6]
    enqueued_at = datetime.fromtimestamp(round(message.enqueued_at, 3), UTC)
    return Seen(content, message_id, correlation_id, found.get(APPLICATION_PROPERTIES), enqueued_at)
