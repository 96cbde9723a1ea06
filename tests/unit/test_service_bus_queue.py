"""The rules of a queue, on a clock that the tests move."""

from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

import pytest

from local.amqp.decoding import decode
from local.amqp.encoding import encode
from local.amqp.messages import APPLICATION_PROPERTIES, DATA, Section, sections
from local.service_bus.message import Change, Counted, Delivery, Message, NewMessage, Removed, Stored
from local.service_bus.queue import CannotDeadLetterError, LockLostError, Queue, QueueSettings


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Queues:
    """A queue, its dead letters, the clock of both, and what the journal heard."""

    def __init__(self, settings: QueueSettings) -> None:
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


@pytest.fixture
def queues() -> Queues:
    return Queues(QueueSettings(lock_s=60, max_delivery_count=3, time_to_live_s=1000))


def test_messages_come_in_the_order_in_which_they_were_sent(queues: Queues) -> None:
    queues.send(b"a", b"b")
    queues.send(b"c")

    assert [body(queues.receive()) for _ in range(3)] == [b"a", b"b", b"c"]
    assert queues.queue.receive() is None


def test_a_message_has_a_number_and_the_time_at_which_it_came(queues: Queues) -> None:
    queues.send(b"a", b"b")

    first, second = queues.queue.peek(0, 10)

    assert (first.sequence_number, second.sequence_number) == (1, 2)
    assert (first.enqueued_at, first.expires_at) == (1000.0, 2000.0)


def test_a_locked_message_is_for_one_receiver_only(queues: Queues) -> None:
    queues.send(b"a")

    delivery = queues.receive()

    assert delivery.locked_until == 1060.0
    assert delivery.message.delivery_count == 1
    assert queues.queue.receive() is None


def test_a_completed_message_is_gone(queues: Queues) -> None:
    queues.send(b"a")

    queues.queue.complete(queues.receive().lock_token)

    assert queues.queue.peek(0, 10) == []
    queues.clock.now += 100_000
    assert queues.queue.receive() is None


def test_an_abandoned_message_is_delivered_again_at_once_and_before_later_ones(queues: Queues) -> None:
    queues.send(b"a", b"b")

    queues.queue.abandon(queues.receive().lock_token)

    again = queues.receive()
    assert (body(again), again.message.delivery_count) == (b"a", 2)


def test_a_released_message_is_delivered_again_and_the_delivery_does_not_count(queues: Queues) -> None:
    queues.send(b"a")

    for _ in range(5):
        delivery = queues.receive()
        assert delivery.message.delivery_count == 1
        queues.queue.release(delivery.lock_token)

    assert queues.dead_letters.peek(0, 10) == []


def test_a_message_whose_lock_ran_out_is_delivered_again(queues: Queues) -> None:
    queues.send(b"a")
    queues.receive()

    queues.clock.now += 59.9
    assert queues.queue.receive() is None
    queues.clock.now += 0.1

    assert queues.receive().message.delivery_count == 2


@pytest.mark.parametrize(
    "settle",
    [
        Queue.complete,
        Queue.abandon,
        Queue.release,
        Queue.renew,
        lambda queue, lock_token: queue.dead_letter(lock_token, {}),
    ],
    ids=["complete", "abandon", "release", "renew", "dead-letter"],
)
def test_nothing_can_be_done_with_a_lock_that_ran_out(queues: Queues, settle: Callable[[Queue, UUID], object]) -> None:
    queues.send(b"a")
    delivery = queues.receive()
    queues.clock.now = delivery.locked_until

    with pytest.raises(LockLostError):
        settle(queues.queue, delivery.lock_token)

    assert body(queues.receive()) == b"a"


def test_a_lock_token_is_good_for_one_settlement(queues: Queues) -> None:
    queues.send(b"a")
    delivery = queues.receive()
    queues.queue.abandon(delivery.lock_token)

    with pytest.raises(LockLostError):
        queues.queue.complete(delivery.lock_token)


def test_an_unknown_lock_token_is_refused(queues: Queues) -> None:
    with pytest.raises(LockLostError):
        queues.queue.renew(uuid4())


def test_a_renewed_lock_holds_longer(queues: Queues) -> None:
    queues.send(b"a")
    delivery = queues.receive()

    queues.clock.now += 50
    assert queues.queue.renew(delivery.lock_token) == queues.clock.now + 60
    queues.clock.now += 59

    assert queues.queue.receive() is None
    queues.queue.complete(delivery.lock_token)


def test_the_last_delivery_that_fails_makes_a_dead_letter(queues: Queues) -> None:
    queues.send(b"a")
    for _ in range(3):
        queues.queue.abandon(queues.receive().lock_token)

    assert queues.queue.receive() is None
    dead = queues.dead_letter()
    assert (body(dead), dead.delivery_count, dead.enqueued_at, dead.sequence_number) == (b"a", 3, 1000.0, 1)
    assert properties(dead) == {
        "DeadLetterReason": "MaxDeliveryCountExceeded",
        "DeadLetterErrorDescription": "Message could not be consumed after 3 delivery attempts.",
    }


def test_locks_that_run_out_count_as_failed_deliveries(queues: Queues) -> None:
    queues.send(b"a")
    for _ in range(3):
        queues.receive()
        queues.clock.now += 60

    queues.queue.sweep()

    assert body(queues.dead_letter()) == b"a"


def test_a_dead_letter_says_why(queues: Queues) -> None:
    queues.send(b"a")

    queues.queue.dead_letter(queues.receive().lock_token, {"DeadLetterReason": "no customer", "attempt": 1})

    assert properties(queues.dead_letter()) == {"DeadLetterReason": "no customer", "attempt": 1}
    assert queues.queue.peek(0, 10) == []


def test_a_dead_letter_stays_until_it_is_completed(queues: Queues) -> None:
    queues.send(b"a")
    queues.queue.dead_letter(queues.receive().lock_token, {})

    for _ in range(10):
        queues.clock.now += 100_000
        delivery = queues.dead_letters.receive()
        assert delivery
        queues.dead_letters.abandon(delivery.lock_token)
    delivery = queues.dead_letters.receive()
    assert delivery
    with pytest.raises(CannotDeadLetterError):
        queues.dead_letters.dead_letter(delivery.lock_token, {})
    queues.dead_letters.complete(delivery.lock_token)

    assert queues.dead_letters.peek(0, 10) == []


def test_a_message_that_lived_long_enough_becomes_a_dead_letter(queues: Queues) -> None:
    queues.send(b"a")

    queues.clock.now += 1000

    assert queues.queue.receive() is None
    assert properties(queues.dead_letter()) == {
        "DeadLetterReason": "TTLExpiredException",
        "DeadLetterErrorDescription": "The message expired and was dead lettered.",
    }


def test_the_shorter_of_the_two_times_to_live_counts(queues: Queues) -> None:
    queues.send(b"short", time_to_live_s=10)
    queues.send(b"long", time_to_live_s=100_000)

    assert [message.expires_at for message in queues.queue.peek(0, 10)] == [1010.0, 2000.0]
    queues.clock.now += 10
    assert body(queues.receive()) == b"long"


def test_without_dead_lettering_on_expiry_a_message_is_dropped() -> None:
    queues = Queues(QueueSettings(time_to_live_s=10, dead_letter_on_expiry=False))
    queues.send(b"a")

    queues.clock.now += 10
    queues.queue.sweep()

    assert queues.queue.peek(0, 10) == queues.dead_letters.peek(0, 10) == []


def test_a_locked_message_does_not_expire_until_it_is_given_back(queues: Queues) -> None:
    queues.send(b"a", time_to_live_s=10)
    delivery = queues.receive()

    queues.clock.now += 20
    queues.queue.sweep()
    assert queues.dead_letters.peek(0, 10) == []
    queues.queue.abandon(delivery.lock_token)

    assert body(queues.dead_letter()) == b"a"


def test_peeking_shows_locked_messages_and_changes_nothing(queues: Queues) -> None:
    queues.send(b"a", b"b", b"c")
    queues.receive()

    assert [body(message) for message in queues.queue.peek(1, 2)] == [b"a", b"b"]
    assert [body(message) for message in queues.queue.peek(2, 10)] == [b"b", b"c"]
    assert body(queues.receive()) == b"b"


def test_a_message_that_is_taken_is_gone(queues: Queues) -> None:
    queues.send(b"a")

    assert body(queues.queue.take()) == b"a"

    assert queues.queue.take() is None
    assert queues.queue.peek(0, 10) == []


def test_the_queue_knows_when_time_will_make_something_due(queues: Queues) -> None:
    assert queues.queue.next_due() is None
    queues.send(b"a")
    assert queues.queue.next_due() == 2000.0
    delivery = queues.receive()
    assert queues.queue.next_due() == 1060.0

    queues.queue.complete(delivery.lock_token)

    assert queues.queue.next_due() is None


def test_the_journal_hears_of_every_change(queues: Queues) -> None:
    queues.send(b"a")
    (message,) = queues.queue.peek(0, 10)
    assert queues.changes == [Stored("q", message)]

    queues.queue.complete(queues.receive().lock_token)

    assert queues.changes[1:] == [Counted("q", 1, 1), Removed("q", 1)]


def test_a_move_to_the_dead_letters_is_one_record() -> None:
    records: list[Sequence[Change]] = []
    dead_letters = Queue("d", QueueSettings(), clock=Clock(), record=records.append)
    queue = Queue("q", QueueSettings(), clock=Clock(), record=records.append, dead_letters=dead_letters)
    queue.enqueue([NewMessage(content(b"a"))])
    delivery = queue.receive()
    assert delivery

    queue.dead_letter(delivery.lock_token, {})

    (dead,) = dead_letters.peek(0, 10)
    assert records[-1] == [Stored("d", dead), Removed("q", 1)]


def test_what_could_not_be_recorded_is_not_in_the_queue() -> None:
    def fail(_: Sequence[Change]) -> None:
        raise OSError

    queue = Queue("q", QueueSettings(), clock=Clock(), record=fail)

    with pytest.raises(OSError):  # noqa: PT011 - it has no text
        queue.enqueue([NewMessage(content(b"a"))])

    assert queue.peek(0, 10) == []


def test_after_a_restart_messages_are_free_and_their_deliveries_count(queues: Queues) -> None:
    kept = [Message(7, 900.0, 1900.0, 2, content(b"a")), Message(8, 900.0, 1900.0, 3, content(b"worn out"))]

    queues.queue.restore(kept, 9)

    assert queues.receive().message.delivery_count == 3
    assert queues.queue.receive() is None
    assert body(queues.dead_letter()) == b"worn out"
    queues.send(b"new")
    assert queues.receive().message.sequence_number == 9
