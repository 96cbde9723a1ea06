"""A queue's messages: their order, who sees them, and what the journal hears of them."""

from collections.abc import Sequence

import pytest

from local.service_bus.message import Change, Counted, Message, NewMessage, Removed, Stored
from local.service_bus.queue import Queue, QueueSettings
from tests.unit.service_bus_queues import Clock, Queues, body, content


@pytest.fixture
def queues() -> Queues:
    return Queues()


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


def test_a_completed_message_is_gone(queues: Queues) -> None:
    queues.send(b"a")

    queues.queue.complete(queues.receive().lock_token)

    assert queues.queue.peek(0, 10) == []
    queues.clock.now += 100_000
    assert queues.queue.receive() is None


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
