"""Which messages become dead letters, and what those say and do."""

import pytest

from local.service_bus.queue import CannotDeadLetterError, QueueSettings
from tests.unit.service_bus_queues import Queues, body, properties


@pytest.fixture
def queues() -> Queues:
    return Queues()


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
