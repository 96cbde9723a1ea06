"""A queue of the broker on a clock that tests move, and what a journal would have heard of it."""

from collections.abc import Sequence

from local.amqp.decoding import decode
from local.amqp.encoding import encode
from local.amqp.messages import APPLICATION_PROPERTIES, DATA, Section, sections
from local.service_bus.message import Change, Delivery, Message, NewMessage
from local.service_bus.queue import Queue, QueueSettings

SETTINGS = QueueSettings(lock_s=60, max_delivery_count=3, time_to_live_s=1000)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Queues:
    """A queue, its dead letters, the clock of both, and what the journal heard."""

    def __init__(self, settings: QueueSettings = SETTINGS) -> None:
        self.clock = Clock()
        self.changes: list[Change] = []
        self.dead_letters = self._queue("q/$deadletterqueue", settings, None)
        self.queue = self._queue("q", settings, self.dead_letters)

    def _queue(self, name: str, settings: QueueSettings, dead_letters: Queue | None) -> Queue:
        def record(changes: Sequence[Change]) -> None:
            self.changes.extend(changes)

        return Queue(name, settings, clock=self.clock, record=record, dead_letters=dead_letters)

    def send(self, *bodies: bytes, time_to_live_s: float | None = None) -> None:
        self.queue.enqueue([NewMessage(content(body), time_to_live_s) for body in bodies])

    def receive(self) -> Delivery:
        delivery = self.queue.receive()
        assert delivery
        return delivery

    def dead_letter(self) -> Message:
        (message,) = self.dead_letters.peek(0, 10)
        return message


def content(body: bytes) -> bytes:
    return Section(DATA, encode(body)).encode()


def body(message: Message | Delivery | None) -> bytes:
    assert message
    found = message.message if isinstance(message, Delivery) else message
    return next(part.value for part in sections(found.content) if part.code == DATA)[2:]


def properties(message: Message) -> object:
    return next(decode(part.value)[0] for part in sections(message.content) if part.code == APPLICATION_PROPERTIES)
