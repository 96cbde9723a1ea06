"""What lies on the queues of the local broker, by its journal: the SDK takes a second for every link."""

from dataclasses import dataclass
from datetime import UTC, datetime

from azure.servicebus import ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from local.amqp.decoding import decode
from local.amqp.messages import APPLICATION_PROPERTIES, DATA, PROPERTIES, sections
from local.service_bus import journal
from local.service_bus.message import Message
from local.service_bus.queue import DEAD_LETTER_SUFFIX
from shared import messages
from shared.models import UpgradeRequest
from tests.fakes import FAMILY, NOON
from tests.upgradectl.system import System


@dataclass(frozen=True)
class Seen:
    """A message in the broker."""

    body: bytes
    message_id: str | None
    correlation_id: str | None
    properties: object
    enqueued_at: datetime
    delivery_count: int

    @property
    def request(self) -> UpgradeRequest:
        """What the app makes of it."""
        return messages.parse(messages.Message(self.body, self.message_id, 1, NOON), (FAMILY,))


def waiting(system: System) -> list[Seen]:
    """What lies on the queue, in its order."""
    return list(_kept(system, system.queue).values())


def dead_letters(system: System) -> dict[int, Seen]:
    """By their numbers."""
    return _kept(system, system.queue + DEAD_LETTER_SUFFIX)


def send(system: System, *messages: ServiceBusMessage | AmqpAnnotatedMessage) -> None:
    """As few batches as they fit into."""
    with (
        system.connect() as connections,
        # Without the thread that keeps an idle link alive, for whose next second the SDK waits when it closes.
        connections.queue.client.get_queue_sender(system.queue, keep_alive=0) as sender,
    ):
        batch = sender.create_message_batch()
        for message in messages:
            try:
                batch.add_message(message)
            except ValueError:
                sender.send_messages(batch)
                batch = sender.create_message_batch()
                batch.add_message(message)
        sender.send_messages(batch)


def _kept(system: System, queue: str) -> dict[int, Seen]:
    kept = journal._replay(system.journal).get(queue, journal.QueueState())
    return {number: _seen(message) for number, message in kept.messages.items()}


def _seen(message: Message) -> Seen:
    found = {part.code: decode(part.value)[0] for part in sections(message.content)}
    content, properties = found.get(DATA, b""), found.get(PROPERTIES) or []
    assert isinstance(content, bytes)
    assert isinstance(properties, list)
    message_id, *_, correlation_id = [*properties, *([None] * 6)][:6]
    enqueued_at = datetime.fromtimestamp(round(message.enqueued_at, 3), UTC)
    return Seen(
        content, message_id, correlation_id, found.get(APPLICATION_PROPERTIES), enqueued_at, message.delivery_count
    )
