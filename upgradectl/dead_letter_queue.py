"""The dead-letter queue: looking at it, and taking dead letters out of it.

Follows "Overview of Service Bus dead-letter queues" and "Message browsing", through the azure-servicebus SDK. Nobody
can receive a message by its number: who wants one from the middle receives those before it too (peek-lock), and gives
them back afterwards.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver, ServiceBusSubQueue
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from shared.clock import Clock
from upgradectl.service_bus import Queue

_LARGEST_NUMBER = 2**63 - 1
_PAGE = 250
_BATCH = 100  # so few that the first one's lock still holds when the last one is done with
_DRY_S = 5.0  # nothing for so long: whatever is there, somebody else has it
_HELD_MAX = 1_000  # messages in memory; the locks of those before them run out by themselves
_GIVE_BACK_S = 10.0
_BROKERS = ("DeadLetterReason", "DeadLetterErrorDescription")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`number`: the sequence number. `body`: of a section that is not data, its text. `properties`: the sender's."""

    number: int
    enqueued_at: datetime
    delivery_count: int
    body: bytes
    is_data: bool = True
    message_id: str | None = None
    broker_reason: str | None = None
    broker_description: str | None = None
    content_type: str | None = None
    correlation_id: str | None = None
    subject: str | None = None
    properties: Mapping[str, object] | None = None


class DeadLetterQueue:
    """Needs Data Receiver. `receiver`: of the dead-letter queue, with peek-lock."""

    def __init__(self, receiver: ServiceBusReceiver, clock: Clock, call_deadline_s: float) -> None:
        self._receiver = receiver
        self._clock = clock
        self._call_deadline_s = call_deadline_s
        self._held: dict[int, ServiceBusReceivedMessage] = {}
        self.still_locked = set[int]()  # neither completed nor given back: these locks run out by themselves

    def peek(self, number: int) -> DeadLetter | None:
        if number > _LARGEST_NUMBER:
            return None
        found = self._receiver.peek_messages(1, sequence_number=number, timeout=self._call_deadline_s)
        return _read(found[0]) if found and found[0].sequence_number == number else None

    def peek_all(self) -> Iterator[DeadLetter]:
        """In the order of their numbers, page by page. A page may be short: the broker bounds it in bytes too."""
        first = 1  # 0 would mean to the SDK: where the last look ended
        while page := self._receiver.peek_messages(_PAGE, sequence_number=first, timeout=self._call_deadline_s):
            yield from map(_read, page)
            first = _number(page[-1]) + 1

    def take(self, numbers: Collection[int], is_over: Callable[[], bool]) -> Generator[list[DeadLetter]]:
        """Those of `numbers` that can be had, in batches, each locked for us until the next one is asked for.

        To be closed: then whatever was not completed is given back. Ends when all were seen, when the queue has been
        gone through once, or when it `is_over`.
        """
        wanted, round_trip = set(numbers), _Round()
        try:
            while wanted and not is_over():
                batch = self._receiver.receive_messages(_BATCH, max_wait_time=_DRY_S)
                self._hold(batch)
                if not batch or round_trip.ends_with(set(map(_number, batch))):
                    return
                chosen = [message for message in batch if _number(message) in wanted]
                wanted.difference_update(map(_number, chosen))
                if chosen:
                    yield [_read(message) for message in chosen]
        finally:
            self._give_back()

    def complete(self, letter: DeadLetter) -> bool:
        """Removes it for good. False: the lock was lost, and it may be there still."""
        try:
            self._receiver.complete_message(self._held.pop(letter.number))
        except MessageLockLostError:
            return False
        return True

    def _hold(self, messages: list[ServiceBusReceivedMessage]) -> None:
        for message in messages:
            self._held.pop(_number(message), None)  # an earlier delivery, whose lock ran out
            self._held[_number(message)] = message
            self.still_locked.discard(_number(message))
        while len(self._held) > _HELD_MAX:
            oldest = next(iter(self._held))
            del self._held[oldest]
            self.still_locked.add(oldest)

    def _give_back(self) -> None:
        """Within bounds; the newest first, whose locks would last longest."""
        until = self._clock.monotonic() + _GIVE_BACK_S
        with suppress(ServiceBusError):
            while self._held and self._clock.monotonic() < until:
                _, message = self._held.popitem()
                with suppress(MessageLockLostError):
                    self._receiver.abandon_message(message)
        self.still_locked.update(self._held)
        self._held.clear()


@contextmanager
def dead_letters_of(queue: Queue, clock: Clock, call_deadline_s: float) -> Iterator[DeadLetterQueue]:
    """Opens a link to the dead-letter queue.

    Raises:
        CommandError: what went wrong with it, here and within the block.
    """
    with (
        queue.in_words("Data Receiver"),
        queue.client.get_queue_receiver(queue.name, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
    ):
        yield DeadLetterQueue(receiver, clock, call_deadline_s)


class _Round:
    """Notices that the queue has been gone through, by what comes again because its lock ran out."""

    def __init__(self) -> None:
        self._seen = set[int]()
        self._again = set[int]()  # since the last one that was new

    def ends_with(self, numbers: set[int]) -> bool:
        """Whether something came for the third time with nothing new in between: the broker keeps the order."""
        if numbers - self._seen:
            self._seen |= numbers
            self._again.clear()
            return False
        came_again = bool(self._again & numbers)
        self._again |= numbers
        return came_again


def _read(message: ServiceBusReceivedMessage) -> DeadLetter:
    assert message.enqueued_time_utc
    return DeadLetter(
        number=_number(message),
        enqueued_at=message.enqueued_time_utc,
        delivery_count=message.delivery_count or 0,
        body=_body(message),
        is_data=message.body_type is AmqpMessageBodyType.DATA,
        message_id=_text(message.message_id),
        broker_reason=message.dead_letter_reason,
        broker_description=message.dead_letter_error_description,
        content_type=_text(message.content_type),
        correlation_id=_text(message.correlation_id),
        subject=_text(message.subject),
        properties=_senders_properties(message),
    )


def _number(message: ServiceBusReceivedMessage) -> int:
    assert message.sequence_number is not None
    return message.sequence_number


def _body(message: ServiceBusReceivedMessage) -> bytes:
    if message.body_type is AmqpMessageBodyType.DATA:
        return b"".join(message.body)
    value = message.body if message.body_type is AmqpMessageBodyType.VALUE else list(message.body)
    return value if isinstance(value, bytes) else str(value).encode()


def _senders_properties(message: ServiceBusReceivedMessage) -> dict[str, object]:
    """The SDK does not tell texts from bytes: what is UTF-8 is taken for text."""
    found = {str(_decoded(name)): _decoded(value) for name, value in (message.application_properties or {}).items()}
    return {name: value for name, value in found.items() if name not in _BROKERS}


def _decoded(value: object) -> object:
    if isinstance(value, bytes):
        with suppress(UnicodeDecodeError):
            return value.decode()
    return value


def _text(value: object) -> str | None:
    """An id may be a number or a UUID to its sender."""
    return None if value is None else str(_decoded(value))
