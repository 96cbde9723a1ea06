"""A received message is locked for its receiver, who settles it once or loses it."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from local.service_bus.queue import LockLostError, Queue
from tests.unit.service_bus_queues import Queues, body


@pytest.fixture
def queues() -> Queues:
    return Queues()


def test_a_locked_message_is_for_one_receiver_only(queues: Queues) -> None:
    queues.send(b"a")

    delivery = queues.receive()

    assert delivery.locked_until == 1060.0
    assert delivery.message.delivery_count == 1
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
