"""The broker's control: connections that are cut and locks that are lost, as the real SDK lives through them."""

import gc
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import (
    MessageLockLostError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from local.amqp.frames import AMQP_HEADER
from local.component import Component, start

QUEUES = {"patient": {}, "impatient": {"lock_s": 0.5}, "fragile": {"max_delivery_count": 2}}
DEADLINE_S = 10


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Component]:
    folder = tmp_path_factory.mktemp("service_bus_control")
    queues = folder / "queues.json"
    queues.write_text(json.dumps(QUEUES))
    component = start("local.service_bus", "--queues", str(queues), log=folder / "broker.log")
    yield component
    assert component.stop() == 0
    assert (folder / "broker.log").read_text() == ""


@pytest.fixture(scope="module")
def client(broker: Component) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(
        broker.facts["connection_string"], retry_backoff_factor=0.05, socket_timeout=0.05, keep_alive=0
    ) as client:
        yield client


@pytest.fixture
def sdk_after_a_reset() -> Iterator[None]:
    """It leaves its socket to the garbage collector."""
    yield
    gc.collect()


LEFT_OPEN = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


def _post(broker: Component, command: str) -> dict[str, int]:
    answer = requests.post(f"{broker.facts['control_url']}/_fake/{command}", timeout=DEADLINE_S)
    assert answer.status_code == 200
    counts: dict[str, int] = answer.json()
    return counts


def _send(client: ServiceBusClient, queue: str, body: bytes) -> None:
    with client.get_queue_sender(queue) as sender:
        sender.send_messages(ServiceBusMessage(body))


def _receive(receiver: ServiceBusReceiver) -> ServiceBusReceivedMessage:
    (message,) = receiver.receive_messages(1, max_wait_time=DEADLINE_S)
    return message


def test_a_cut_resets_every_connection_without_a_word(broker: Component) -> None:
    _post(broker, "cut")
    port = urlsplit(broker.facts["connection_string"].split(";")[0].removeprefix("Endpoint=")).port
    peers = [socket.create_connection(("127.0.0.1", port), DEADLINE_S) for _ in range(2)]
    for peer in peers:
        peer.sendall(AMQP_HEADER)
        assert peer.recv(len(AMQP_HEADER)) == AMQP_HEADER
    assert _post(broker, "cut") == {"connections": 2}
    for peer in peers:
        with peer, pytest.raises(ConnectionResetError):
            peer.recv(1)
    assert _post(broker, "cut") == {"connections": 0}


@LEFT_OPEN
@pytest.mark.usefixtures("sdk_after_a_reset")
def test_senders_and_receivers_connect_again_after_a_cut(broker: Component, client: ServiceBusClient) -> None:
    with client.get_queue_sender("patient") as sender, client.get_queue_receiver("patient") as receiver:
        sender.send_messages(ServiceBusMessage(b"before"))
        receiver.complete_message(_receive(receiver))
        assert _post(broker, "cut")["connections"] >= 2
        sender.send_messages(ServiceBusMessage(b"after"))
        message = _receive(receiver)
        assert b"".join(message.body) == b"after"
        receiver.complete_message(message)


@LEFT_OPEN
@pytest.mark.usefixtures("sdk_after_a_reset")
def test_a_message_that_was_on_its_way_at_a_cut_is_delivered_again_when_its_lock_has_run_out(
    broker: Component, client: ServiceBusClient
) -> None:
    _send(client, "impatient", b"a")
    with client.get_queue_receiver("impatient") as receiver:
        assert _receive(receiver).delivery_count == 0
        _post(broker, "cut")
        again = _receive(receiver)
        assert again.delivery_count == 1
        receiver.complete_message(again)


def test_a_lost_lock_makes_its_message_available_and_its_token_worthless(
    broker: Component, client: ServiceBusClient
) -> None:
    _send(client, "patient", b"a")
    with client.get_queue_receiver("patient") as receiver:
        first = _receive(receiver)
        assert _post(broker, "lose-locks") == {"locks": 1}
        with pytest.raises(MessageLockLostError):
            receiver.renew_message_lock(first)
        with pytest.raises(MessageLockLostError):
            receiver.complete_message(first)
        second = _receive(receiver)
        assert (first.delivery_count, second.delivery_count) == (0, 1)
        assert second.sequence_number == first.sequence_number
        receiver.complete_message(second)
    assert _post(broker, "lose-locks") == {"locks": 0}


def test_lost_locks_are_deliveries_that_count(broker: Component, client: ServiceBusClient) -> None:
    _send(client, "fragile", b"a")
    with client.get_queue_receiver("fragile") as receiver:
        for _ in range(2):
            _receive(receiver)
            assert _post(broker, "lose-locks") == {"locks": 1}
    with client.get_queue_receiver("fragile", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead_letters:
        dead = _receive(dead_letters)
        assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
        dead_letters.complete_message(dead)


@LEFT_OPEN
@pytest.mark.usefixtures("sdk_after_a_reset")
@pytest.mark.parametrize("claim", ["Listen", "Send"])
def test_who_lacks_a_claim_is_refused_with_its_name(broker: Component, client: ServiceBusClient, claim: str) -> None:
    assert _post(broker, f"withhold-{claim.lower()}") == {"withheld": 1}
    receiver = client.get_queue_receiver("patient", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    refused: ServiceBusSender | ServiceBusReceiver = (
        receiver if claim == "Listen" else client.get_queue_sender("patient")
    )
    allowed = client.get_queue_sender("patient") if claim == "Listen" else receiver
    try:
        with allowed, pytest.raises(ServiceBusError) as raised, refused:
            pass
    finally:
        assert _post(broker, "grant-all") == {"withheld": 1}
    assert isinstance(raised.value, ServiceBusAuthenticationError | ServiceBusAuthorizationError)
    assert f"'{claim}' claim(s) are required" in raised.value.message
    assert _post(broker, "grant-all") == {"withheld": 0}


@pytest.mark.parametrize(("method", "path"), [("GET", "cut"), ("POST", "explode")])
def test_there_is_no_other_control(broker: Component, method: str, path: str) -> None:
    url = f"{broker.facts['control_url']}/_fake/{path}"
    assert requests.request(method, url, timeout=DEADLINE_S).status_code == 404
