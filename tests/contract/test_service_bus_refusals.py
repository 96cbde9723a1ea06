"""What the broker cannot do, it refuses with the reason that the real SDK understands."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import MessageSizeExceededError, MessagingEntityNotFoundError, ServiceBusError

from local.component import Component
from tests.contract.service_bus import Queue, connected, running_broker

QUEUES: dict[str, object] = {"upgrades": {}, "deferring": {}}
LATER = datetime.now(UTC) + timedelta(hours=1)


def _defer(client: ServiceBusClient) -> None:
    queue = Queue(client, "deferring")
    queue.send(b"a")
    queue.receiver.defer_message(queue.receive())


REFUSALS: dict[str, tuple[Callable[[ServiceBusClient], object], type[ServiceBusError], str]] = {
    "send to an unknown queue": (
        lambda client: client.get_queue_sender("nowhere").send_messages(ServiceBusMessage(b"a")),
        MessagingEntityNotFoundError,
        "amqp:not-found",
    ),
    "receive from an unknown queue": (
        lambda client: client.get_queue_receiver("nowhere").receive_messages(1, max_wait_time=3),
        MessagingEntityNotFoundError,
        "amqp:not-found",
    ),
    "send to the dead letters": (
        lambda client: client.get_queue_sender("upgrades/$deadletterqueue").send_messages(ServiceBusMessage(b"a")),
        ServiceBusError,
        "amqp:not-allowed",
    ),
    "receive in a session": (
        lambda client: client.get_queue_receiver("upgrades", session_id="s").receive_messages(1, max_wait_time=3),
        ServiceBusError,
        "amqp:not-allowed",
    ),
    "send for later": (
        lambda client: client.get_queue_sender("upgrades").send_messages(
            ServiceBusMessage(b"a", scheduled_enqueue_time_utc=LATER)
        ),
        ServiceBusError,
        "amqp:not-implemented",
    ),
    "schedule": (
        lambda client: client.get_queue_sender("upgrades").schedule_messages(ServiceBusMessage(b"a"), LATER),
        ServiceBusError,
        "amqp:not-implemented",
    ),
    "cancel what is scheduled": (
        lambda client: client.get_queue_sender("upgrades").cancel_scheduled_messages(1),
        ServiceBusError,
        "amqp:not-implemented",
    ),
    "receive what is deferred": (
        lambda client: client.get_queue_receiver("upgrades").receive_deferred_messages(1),
        ServiceBusError,
        "amqp:not-implemented",
    ),
    "defer": (_defer, ServiceBusError, "amqp:not-implemented"),
    "send too much": (
        lambda client: client.get_queue_sender("upgrades").send_messages(ServiceBusMessage(bytes(257 * 1024))),
        MessageSizeExceededError,
        "amqp:link:message-size-exceeded",
    ),
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Component]:
    with running_broker(tmp_path_factory.mktemp("service_bus"), QUEUES) as broker:
        yield broker


@pytest.fixture(scope="module")
def refusals(broker: Component) -> dict[str, ServiceBusError]:
    """All at once: after an error the SDK takes a second to come to its senses."""

    def refusal(name: str) -> ServiceBusError:
        with connected(broker) as client, pytest.raises(ServiceBusError) as raised:
            REFUSALS[name][0](client)
        return raised.value

    with ThreadPoolExecutor(len(REFUSALS)) as threads:
        return dict(zip(REFUSALS, threads.map(refusal, REFUSALS), strict=True))


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_done_is_refused_with_the_reason(refusals: dict[str, ServiceBusError], name: str) -> None:
    _, error, condition = REFUSALS[name]

    assert type(refusals[name]) is error
    assert f"Error condition: {condition}." in refusals[name].message
