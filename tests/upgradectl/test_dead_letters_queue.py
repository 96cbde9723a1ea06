"""Taking dead letters out of a queue through which one can only go from the front, without a broker."""

from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceiver
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusConnectionError

from upgradectl import dead_letter_queue
from upgradectl.dead_letter_queue import DeadLetterQueue
from upgradectl.dead_letter_resubmit import Resubmission
from upgradectl.dead_letters import Fate, Outcome

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BATCH = 3


def message(number: int) -> SimpleNamespace:
    return SimpleNamespace(
        sequence_number=number,
        enqueued_time_utc=AT,
        delivery_count=1,
        body_type=AmqpMessageBodyType.DATA,
        body=[b"%d" % number],
        message_id=f"m-{number}",
        dead_letter_reason=None,
        dead_letter_error_description=None,
        content_type=None,
        correlation_id=None,
        subject=None,
        application_properties=None,
    )


class Receiver:
    """A dead-letter queue with peek-lock: what is locked is not handed out. `on_receive`: called before each batch."""

    def __init__(self, count: int) -> None:
        self.there = list(range(1, count + 1))
        self.locked: set[int] = set()
        self.abandoned: list[int] = []
        self.lost: set[int] = set()
        self.broken: set[int] = set()
        self.received = 0
        self.fails_at: int | None = None
        self.on_receive: Callable[[], None] = lambda: None

    def receive_messages(self, count: int, *, max_wait_time: float) -> list[SimpleNamespace]:
        self.on_receive()
        batch = [number for number in self.there if number not in self.locked][: min(count, BATCH)]
        self.locked.update(batch)
        self.received += len(batch)
        return [message(number) for number in batch]

    def peek_messages(self, count: int, *, sequence_number: int, timeout: float) -> list[SimpleNamespace]:
        assert sequence_number < 2**63
        return [message(number) for number in self.there if number >= sequence_number][: min(count, 2)]

    def complete_message(self, found: SimpleNamespace) -> None:
        number = found.sequence_number
        if number in self.lost:
            raise MessageLockLostError
        if number in self.broken:
            raise ServiceBusConnectionError(message="gone")
        self.there.remove(number)
        self.locked.remove(number)

    def abandon_message(self, found: SimpleNamespace) -> None:
        number = found.sequence_number
        if number == self.fails_at:
            raise ServiceBusConnectionError(message="gone")
        if number not in self.locked:
            raise MessageLockLostError
        self.locked.remove(number)
        self.abandoned.append(number)


class Clock:
    def __init__(self, step_s: float = 0) -> None:
        self.now = 0.0
        self.step_s = step_s

    def monotonic(self) -> float:
        self.now += self.step_s
        return self.now


def queue_of(receiver: Receiver, clock: Clock | None = None) -> DeadLetterQueue:
    return DeadLetterQueue(cast(ServiceBusReceiver, receiver), cast(Any, clock or Clock()), 5)


def taken(queue: DeadLetterQueue, numbers: Collection[int], *, complete: bool = True) -> list[int]:
    found = []
    with closing(queue.take(numbers, lambda: False)) as batches:
        for batch in batches:
            for letter in batch:
                found.append(letter.number)
                assert letter.body == b"%d" % letter.number
                if complete:
                    assert queue.complete(letter)
    return found


def test_those_chosen_are_taken_and_all_others_are_there_for_everybody_again() -> None:
    receiver = Receiver(20)
    assert taken(queue_of(receiver), {2, 11}) == [2, 11]
    assert receiver.there == [number for number in range(1, 21) if number not in (2, 11)]
    assert not receiver.locked
    assert receiver.received == 12  # it stops when it has seen both


def test_those_that_are_not_completed_are_given_back_too() -> None:
    receiver = Receiver(4)
    assert taken(queue_of(receiver), {1, 4}, complete=False) == [1, 4]
    assert (len(receiver.there), receiver.locked) == (4, set())


def test_one_that_somebody_else_has_is_looked_for_once() -> None:
    receiver = Receiver(5)
    receiver.locked = {3}
    assert taken(queue_of(receiver), {3, 4}) == [4]
    assert receiver.locked == {3}
    assert receiver.received == 4


def test_locks_that_run_out_on_the_way_do_not_make_it_go_round_for_ever() -> None:
    receiver = Receiver(5)
    elsewhere = {3}
    receiver.locked = {3}

    def run_out() -> None:
        receiver.locked = elsewhere | {number for number in receiver.locked if number > 2}

    receiver.on_receive = run_out
    assert taken(queue_of(receiver), {3}) == []
    assert receiver.received < 20


def test_what_comes_again_does_not_hide_what_lies_behind_it() -> None:
    receiver = Receiver(9)
    receipts = iter(range(100))

    def run_out() -> None:
        if next(receipts) in (1, 3):
            receiver.locked = set()

    receiver.on_receive = run_out
    receiver.there.remove(9)
    queue = queue_of(receiver)
    found = taken(queue, {8})
    assert found == [8]


def test_a_lock_that_was_lost_is_told() -> None:
    receiver = Receiver(1)
    receiver.lost = {1}
    queue = queue_of(receiver)
    with closing(queue.take({1}, lambda: False)) as batches:
        (letter,) = next(batches)
        assert not queue.complete(letter)
    assert receiver.there == [1]


def test_when_it_is_over_nothing_more_is_received_and_all_is_given_back() -> None:
    receiver = Receiver(20)
    over = iter([False, False, True])
    queue = queue_of(receiver)
    with closing(queue.take({1, 19}, lambda: next(over))) as batches:
        assert [letter.number for batch in batches for letter in batch] == [1]
    assert receiver.received == 2 * BATCH
    assert not receiver.locked


def test_an_error_in_between_gives_back_as_well() -> None:
    receiver = Receiver(20)
    queue = queue_of(receiver)
    with suppress(RuntimeError), closing(queue.take({5}, lambda: False)) as batches:
        for _ in batches:
            raise RuntimeError
    assert not receiver.locked
    assert not queue.still_locked


def test_no_more_than_so_many_are_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter_queue, "_HELD_MAX", 4)
    receiver = Receiver(12)
    queue = queue_of(receiver)
    assert taken(queue, {12}) == [12]
    assert receiver.locked == set(range(1, 9))
    assert queue.still_locked == receiver.locked
    assert sorted(receiver.abandoned) == [9, 10, 11]


def test_giving_back_takes_its_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter_queue, "_GIVE_BACK_S", 3.5)
    receiver = Receiver(12)
    queue = queue_of(receiver, Clock(step_s=1))
    taken(queue, {12})
    assert receiver.abandoned == [11, 10, 9]  # the newest first: its lock would last longest
    assert queue.still_locked == receiver.locked == set(range(1, 9))


def test_a_broken_connection_while_giving_back_is_no_error_of_the_command() -> None:
    receiver = Receiver(6)
    receiver.fails_at = 4
    queue = queue_of(receiver)
    assert taken(queue, {6}) == [6]
    assert queue.still_locked == {1, 2, 3}


def test_peeking_goes_on_after_a_short_page() -> None:
    numbers: Sequence[int] = [letter.number for letter in queue_of(Receiver(7)).peek_all()]
    assert numbers == [1, 2, 3, 4, 5, 6, 7]


def test_peeking_at_one_finds_that_one_alone() -> None:
    receiver = Receiver(3)
    receiver.there.remove(2)
    queue = queue_of(receiver)
    letter = queue.peek(3)
    assert letter
    assert (letter.number, letter.message_id) == (3, "m-3")
    assert queue.peek(2) is None
    assert queue.peek(4) is None
    assert queue.peek(2**63) is None  # more than the broker's numbers have room for


def test_what_was_sent_is_told_also_where_it_cannot_be_removed() -> None:
    receiver = Receiver(3)
    receiver.broken = {2}
    body = b'{"customerId": "2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6", "productFamily": "Azure", "requestId": "r"}'
    sent: list[ServiceBusMessage] = []
    again: list[Outcome] = []
    resubmission = Resubmission(queue_of(receiver), sent.append, ("Azure",), body)
    with pytest.raises(ServiceBusConnectionError):
        again.extend(resubmission.send_again([1, 2, 3], lambda: False))
    assert len(sent) == 2
    assert [(one.number, one.fate) for one in again] == [(1, Fate.SENT), (2, Fate.LEFT)]
