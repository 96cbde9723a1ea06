"""The broker as the real SDK sees it: what these tests say holds for the cloud's Service Bus too."""

import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessage

from tests.contract.service_bus import Queue, body, connected, opened, running_broker

QUEUES = {
    "upgrades": {},
    "patient": {},
    "fragile": {"max_delivery_count": 2},
    "fleeting": {"time_to_live_s": 0.2},
}


@pytest.fixture(scope="module")
def queues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Queue]]:
    folder = tmp_path_factory.mktemp("service_bus")
    with running_broker(folder, QUEUES) as broker, connected(broker) as client, opened(client, *QUEUES) as queues:
        yield queues


@pytest.fixture
def upgrades(queues: dict[str, Queue]) -> Iterator[Queue]:
    """The queue that every test leaves empty."""
    yield queues["upgrades"]
    queues["upgrades"].assert_empty()


def test_a_message_arrives_as_it_was_sent(upgrades: Queue) -> None:
    content = random.Random(1).randbytes(200_000)
    sent_at = datetime.now(UTC)
    upgrades.sender.send_messages(
        ServiceBusMessage(
            content,
            message_id="id-1",
            correlation_id="c-1",
            content_type="application/json",
            subject="upgrade",
            application_properties={"text": "ä", "number": 7, "flag": True},
        )
    )

    message = upgrades.receive()
    locked_until = message.locked_until_utc
    upgrades.receiver.complete_message(message)

    assert body(message) == content
    assert (message.message_id, message.correlation_id) == ("id-1", "c-1")
    assert (message.content_type, message.subject) == ("application/json", "upgrade")
    assert message.application_properties == {b"text": "ä".encode(), b"number": 7, b"flag": True}
    assert message.delivery_count == 0
    assert message.enqueued_time_utc
    assert abs(message.enqueued_time_utc - sent_at) < timedelta(seconds=5)
    assert locked_until
    assert timedelta(seconds=50) < locked_until - message.enqueued_time_utc < timedelta(seconds=70)
    assert message.time_to_live == timedelta(days=14)


def test_a_dead_letter_keeps_what_was_sent_and_says_why(upgrades: Queue) -> None:
    upgrades.sender.send_messages(
        ServiceBusMessage(b'{"broken', message_id="dead-1", application_properties={"kept": 1})
    )
    message = upgrades.receive()

    upgrades.receiver.dead_letter_message(message, reason="InvalidRequest", error_description="no JSON")

    dead = upgrades.receive_dead_letter()
    assert (body(dead), dead.message_id) == (b'{"broken', "dead-1")
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("InvalidRequest", "no JSON")
    assert dead.application_properties
    assert dead.application_properties[b"kept"] == 1
    assert dead.enqueued_time_utc == message.enqueued_time_utc


def test_the_last_delivery_makes_a_dead_letter(queues: dict[str, Queue]) -> None:
    fragile = queues["fragile"]
    fragile.send(b"a")

    for _ in range(2):
        fragile.receiver.abandon_message(fragile.receive())

    assert fragile.receive_dead_letter().dead_letter_reason == "MaxDeliveryCountExceeded"


def test_a_message_that_nobody_wants_becomes_a_dead_letter(queues: dict[str, Queue]) -> None:
    queues["fleeting"].send(b"a")

    dead = queues["fleeting"].receive_dead_letter()

    assert (body(dead), dead.dead_letter_reason) == (b"a", "TTLExpiredException")


def test_a_message_may_have_a_shorter_time_to_live(upgrades: Queue) -> None:
    upgrades.sender.send_messages(ServiceBusMessage(b"a", time_to_live=timedelta(milliseconds=100)))

    assert upgrades.receive_dead_letter().dead_letter_reason == "TTLExpiredException"


def test_peeking_shows_what_is_there_and_leaves_it(upgrades: Queue) -> None:
    upgrades.send(b"a", b"b", b"c")

    peeked = upgrades.receiver.peek_messages(10, sequence_number=1)
    assert [body(message) for message in peeked] == [b"a", b"b", b"c"]
    last = peeked[-1].sequence_number
    assert last is not None
    from_last = upgrades.receiver.peek_messages(10, sequence_number=last)
    assert [body(message) for message in from_last] == [b"c"]

    for expected in (b"a", b"b", b"c"):
        message = upgrades.receive()
        assert body(message) == expected
        upgrades.receiver.complete_message(message)


def test_an_answer_to_peeking_holds_what_fits_into_a_message(queues: dict[str, Queue]) -> None:
    patient = queues["patient"]
    for _ in range(2):
        patient.send(*(bytes(80_000) for _ in range(3)))

    first = patient.receiver.peek_messages(6, sequence_number=1)
    last = first[-1].sequence_number
    assert last is not None
    second = patient.receiver.peek_messages(6, sequence_number=last + 1)
    for _ in range(6):
        patient.receiver.complete_message(patient.receive())

    assert (len(first), len(second)) == (3, 3)
    assert first[-1].sequence_number != second[0].sequence_number


def test_receiving_from_an_empty_queue_ends_after_the_wait(upgrades: Queue) -> None:
    started = time.monotonic()

    assert upgrades.receiver.receive_messages(5, max_wait_time=0.3) == []

    assert 0.25 < time.monotonic() - started < 2


def test_a_waiting_receiver_gets_a_message_at_once(upgrades: Queue) -> None:
    sending = threading.Timer(0.2, upgrades.send, args=[b"a"])
    started = time.monotonic()
    sending.start()

    message = upgrades.receive()
    waited_s = time.monotonic() - started
    upgrades.receiver.complete_message(message)
    sending.join()

    assert waited_s < 1
