"""A queue as an AMQP node: hands its messages to the links that have credit, in turn, and settles them.

Follows "AMQP 1.0 in Azure Service Bus: protocol guide"; outcomes are answered as the service answers them: with the
same outcome where it was applied, with `rejected` and an error where it was not.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from local.amqp.errors import DECODE_ERROR, NOT_ALLOWED, NOT_IMPLEMENTED, DecodeError
from local.amqp.link import IncomingLink, OutgoingLink
from local.amqp.performatives import Accepted, Error, Modified, Outcome, Rejected, Released
from local.service_bus.envelope import dead_letter_properties, is_scheduled, pack, unpack
from local.service_bus.queue import CannotDeadLetterError, LockLostError, Queue

MESSAGE_LOCK_LOST = "com.microsoft:message-lock-lost"
LOCK_LOST_DESCRIPTION = (
    "The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue."
)


class Timer(Protocol):
    def cancel(self) -> None: ...


def _why(error: object) -> dict[str, object]:
    """The application properties of a dead letter: all that the receiver put into its error's info."""
    if not isinstance(error, Error):
        return {}
    info = {str(name): value for name, value in (error.info or {}).items()}
    return dead_letter_properties(None, error.description) | {k: v for k, v in info.items() if v is not None}


class QueueNode:
    """`call_later` is an event loop's, `clock` the queue's; `dead_letters` is the dead-letter queue's node."""

    def __init__(
        self,
        queue: Queue,
        *,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Timer],
        dead_letters: "QueueNode | None" = None,
    ) -> None:
        self.queue = queue
        self._clock = clock
        self._call_later = call_later
        self._dead_letters = dead_letters
        self._links: deque[OutgoingLink] = deque()
        self._due: float | None = None
        self._timer: Timer | None = None

    def receive(self, message: bytes, message_format: int, link: IncomingLink) -> Outcome:  # noqa: ARG002 - any link
        try:
            messages = unpack(message, message_format)
            if any(is_scheduled(new.content) for new in messages):
                return Rejected(Error(NOT_IMPLEMENTED, "There are no scheduled messages here."))
        except DecodeError as error:
            return Rejected(Error(DECODE_ERROR, error.description))
        self.queue.enqueue(messages)
        self.changed()
        return Accepted()

    def credit_granted(self, link: OutgoingLink) -> None:
        if link not in self._links:
            self._links.append(link)
        self.changed()

    def detached(self, link: OutgoingLink) -> None:
        """What was delivered over it stays locked until its locks run out, as in the cloud."""
        if link in self._links:
            self._links.remove(link)

    def settle(self, delivery_tag: bytes, outcome: Outcome) -> Outcome:
        answer = self._settle(UUID(bytes_le=delivery_tag), outcome)
        self.changed()
        return answer

    def lose_locks(self) -> int:
        """All locks that are held run out at once; how many."""
        count = self.queue.lose_locks()
        self.changed()
        return count

    def changed(self) -> None:
        """To be called after every change: hands out what is available, and looks after what time will make due."""
        while (link := self._next_ready_link()) and self._deliver(link):
            pass
        self._arm()
        if self._dead_letters:
            self._dead_letters.changed()

    def _settle(self, lock_token: UUID, outcome: Outcome) -> Outcome:
        try:
            match outcome:
                case Accepted():
                    self.queue.complete(lock_token)
                case Rejected(error):
                    self.queue.dead_letter(lock_token, _why(error))
                case Modified(undeliverable_here=True):
                    return Rejected(Error(NOT_IMPLEMENTED, "There are no deferred messages here."))
                case Modified(delivery_failed=True):
                    self.queue.abandon(lock_token)
                case Released() | Modified():
                    self.queue.release(lock_token)
        except LockLostError:
            return Rejected(Error(MESSAGE_LOCK_LOST, LOCK_LOST_DESCRIPTION))
        except CannotDeadLetterError:
            return Rejected(Error(NOT_ALLOWED, "A dead letter cannot be dead-lettered."))
        return Rejected() if isinstance(outcome, Rejected) else outcome

    def _deliver(self, link: OutgoingLink) -> bool:
        if link.settled:
            message = self.queue.take()
            if message:
                link.send(b"", pack(message, earlier_deliveries=message.delivery_count), settled=True)
            return message is not None
        delivery = self.queue.receive()
        if delivery:
            earlier = delivery.message.delivery_count - 1
            packed = pack(delivery.message, earlier_deliveries=earlier, locked_until=delivery.locked_until)
            link.send(delivery.lock_token.bytes_le, packed, settled=False)
        return delivery is not None

    def _next_ready_link(self) -> OutgoingLink | None:
        for _ in range(len(self._links)):
            link = self._links[0]
            self._links.rotate(-1)
            if link.ready:
                return link
        return None

    def _arm(self) -> None:
        due = self.queue.next_due()
        if due is None or (self._due is not None and self._due <= due):
            return
        if self._timer:
            self._timer.cancel()
        self._due = due
        self._timer = self._call_later(max(0.0, due - self._clock()), self._wake)

    def _wake(self) -> None:
        self._due = None
        self.queue.sweep()
        self.changed()
