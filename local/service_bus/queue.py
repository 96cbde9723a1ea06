"""A queue with peek-lock: its rules and nothing else (no network, no loop, the clock is passed in).

Follows "Message transfers, locks, and settlement", "Message expiration (time to live)" and "Overview of Service Bus
dead-letter queues".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush, nsmallest
from uuid import UUID, uuid4

from local.service_bus.envelope import dead_letter_properties, with_properties
from local.service_bus.locks import Locks
from local.service_bus.message import Change, Counted, Delivery, Message, NewMessage, Removed, Stored

DEAD_LETTER_SUFFIX = "/$deadletterqueue"


class LockLostError(Exception):
    """The lock token is of no delivery that is still under way."""


class CannotDeadLetterError(Exception):
    """Messages of a dead-letter queue stay there until they are completed."""


@dataclass(frozen=True)
class QueueSettings:
    lock_s: float = 60
    max_delivery_count: int = 30
    time_to_live_s: float = 1_209_600
    dead_letter_on_expiry: bool = True


class Queue:
    """Messages in the order of their sequence numbers; an abandoned one returns to its place.

    `record` hears of every change before its effects can be seen, changes that belong together in one call. A queue
    without `dead_letters` is a dead-letter queue: nothing in it expires or is moved.
    """

    def __init__(
        self,
        name: str,
        settings: QueueSettings,
        *,
        clock: Callable[[], float],
        record: Callable[[Sequence[Change]], None],
        dead_letters: "Queue | None" = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._record = record
        self._dead_letters = dead_letters
        self._next_sequence_number = 1
        self._messages: dict[int, Message] = {}
        self._available: list[int] = []  # a heap of sequence numbers
        self._expiries: list[tuple[float, int]] = []  # a heap; it may hold messages that are gone
        self._locks = Locks()

    def restore(self, messages: Iterable[Message], next_sequence_number: int) -> None:
        """Takes up what a journal has kept; no lock outlives the process that gave it."""
        self._next_sequence_number = next_sequence_number
        self._messages = {message.sequence_number: message for message in messages}
        if self._dead_letters:
            self._expiries = [(message.expires_at, message.sequence_number) for message in self._messages.values()]
            heapify(self._expiries)
        for sequence_number in list(self._messages):
            self._give_back(sequence_number)

    def enqueue(self, messages: Sequence[NewMessage]) -> None:
        """Takes all of them or, where that raises, none."""
        now = self._clock()
        stored = [self._numbered(message, now) for message in messages]
        self._record([Stored(self.name, message) for message in stored])
        for message in stored:
            self._add(message)

    def receive(self) -> Delivery | None:
        """Locks the first message that is available for one receiver; None: there is none."""
        message = self._pop_available()
        if message is None:
            return None
        message = self._counted(message, message.delivery_count + 1)
        delivery = Delivery(message, uuid4(), self._clock() + self._settings.lock_s)
        self._locks.hold(delivery)
        return delivery

    def take(self) -> Message | None:
        """Receive-and-delete: the first message that is available, gone from the queue with that."""
        message = self._pop_available()
        if message:
            self._remove(message.sequence_number)
        return message

    def complete(self, lock_token: UUID) -> None:
        """
        Raises:
            LockLostError
        """
        self._remove(self._unlock(lock_token).message.sequence_number)

    def abandon(self, lock_token: UUID) -> None:
        """Available again at once, unless that was its last delivery.

        Raises:
            LockLostError
        """
        self._give_back(self._unlock(lock_token).message.sequence_number)

    def release(self, lock_token: UUID) -> None:
        """Available again, and the delivery does not count: the receiver never looked at the message.

        Raises:
            LockLostError
        """
        message = self._unlock(lock_token).message
        self._counted(message, message.delivery_count - 1)
        self._give_back(message.sequence_number)

    def dead_letter(self, lock_token: UUID, properties: Mapping[str, object]) -> None:
        """Moves the message to the dead-letter queue with these application properties.

        Raises:
            LockLostError
            CannotDeadLetterError
        """
        if self._dead_letters is None:
            raise CannotDeadLetterError(self.name)
        message = self._unlock(lock_token).message
        self._move_to_dead_letters(message.sequence_number, properties)

    def renew(self, lock_token: UUID) -> float:
        """Locks the message anew and returns until when.

        Raises:
            LockLostError
        """
        delivery = replace(self._delivery(lock_token), locked_until=self._clock() + self._settings.lock_s)
        self._locks.hold(delivery)
        return delivery.locked_until

    def lose_locks(self) -> int:
        """All locks that are held run out at once; how many."""
        count = self._locks.run_out()
        self.sweep()
        return count

    def peek(self, from_sequence_number: int, count: int) -> list[Message]:
        """Messages, locked ones too, in the order of their sequence numbers."""
        self.sweep()
        numbers = nsmallest(count, (number for number in self._messages if number >= from_sequence_number))
        return [self._messages[number] for number in numbers]

    def sweep(self) -> None:
        """Does what time has made due: locks that ran out, messages that have lived long enough."""
        now = self._clock()
        while (delivery := self._locks.first_to_end()) and delivery.locked_until <= now:
            self._locks.end(delivery)
            self._give_back(delivery.message.sequence_number)
        while (expiry := self._first_expiry()) and expiry[0] <= now:
            heappop(self._expiries)
            if not self._locks.has_locked(expiry[1]):  # else it expires when it is given back
                self._expire(expiry[1])

    def next_due(self) -> float | None:
        """When `sweep` will have something to do."""
        delivery, expiry = self._locks.first_to_end(), self._first_expiry()
        dues = [delivery.locked_until] if delivery else []
        return min([*dues, expiry[0]] if expiry else dues, default=None)

    def _numbered(self, new: NewMessage, now: float) -> Message:
        time_to_live_s = self._settings.time_to_live_s
        if new.time_to_live_s is not None:
            time_to_live_s = min(time_to_live_s, new.time_to_live_s)
        sequence_number = self._next_sequence_number
        self._next_sequence_number += 1
        return Message(sequence_number, now, now + time_to_live_s, 0, new.content)

    def _add(self, message: Message) -> None:
        self._messages[message.sequence_number] = message
        heappush(self._available, message.sequence_number)
        if self._dead_letters:
            heappush(self._expiries, (message.expires_at, message.sequence_number))

    def _pop_available(self) -> Message | None:
        self.sweep()
        while self._available:
            message = self._messages.get(heappop(self._available))
            if message:  # else it has expired
                return message
        return None

    def _delivery(self, lock_token: UUID) -> Delivery:
        self.sweep()
        delivery = self._locks.get(lock_token)
        if delivery is None:
            raise LockLostError(lock_token)
        return delivery

    def _unlock(self, lock_token: UUID) -> Delivery:
        delivery = self._delivery(lock_token)
        self._locks.end(delivery)
        return delivery

    def _first_expiry(self) -> tuple[float, int] | None:
        while self._expiries and self._expiries[0][1] not in self._messages:
            heappop(self._expiries)
        return self._expiries[0] if self._expiries else None

    def _counted(self, message: Message, delivery_count: int) -> Message:
        self._record([Counted(self.name, message.sequence_number, delivery_count)])
        message = replace(message, delivery_count=delivery_count)
        self._messages[message.sequence_number] = message
        return message

    def _give_back(self, sequence_number: int) -> None:
        message = self._messages[sequence_number]
        if self._dead_letters and message.delivery_count >= self._settings.max_delivery_count:
            attempts = self._settings.max_delivery_count
            self._move_to_dead_letters(
                sequence_number,
                dead_letter_properties(
                    "MaxDeliveryCountExceeded", f"Message could not be consumed after {attempts} delivery attempts."
                ),
            )
        elif self._dead_letters and message.expires_at <= self._clock():
            self._expire(sequence_number)
        else:
            heappush(self._available, sequence_number)

    def _expire(self, sequence_number: int) -> None:
        if self._settings.dead_letter_on_expiry:
            properties = dead_letter_properties("TTLExpiredException", "The message expired and was dead lettered.")
            self._move_to_dead_letters(sequence_number, properties)
        else:
            self._remove(sequence_number)

    def _move_to_dead_letters(self, sequence_number: int, properties: Mapping[str, object]) -> None:
        assert self._dead_letters
        message = self._messages[sequence_number]
        message = replace(message, content=with_properties(message.content, properties))
        self._record([Stored(self._dead_letters.name, message), Removed(self.name, sequence_number)])
        self._dead_letters._add(message)
        del self._messages[sequence_number]

    def _remove(self, sequence_number: int) -> None:
        self._record([Removed(self.name, sequence_number)])
        del self._messages[sequence_number]
