"""How many messages wait: what a look at the queue finds, and what it says where there is no answer."""

from unittest.mock import patch

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthorizationError, ServiceBusConnectionError

from tests.upgradectl import queue_support
from tests.upgradectl.system import System
from upgradectl import queue_depth
from upgradectl.commands.status import _queue
from upgradectl.queue_depth import QueueDepth


def test_who_may_not_receive_sees_the_rest(system: System) -> None:
    refused = patch.object(ServiceBusClient, "get_queue_receiver", side_effect=ServiceBusAuthorizationError())
    with system.connect() as connections, refused:
        assert queue_depth.queue_depth(connections) == QueueDepth(unknown="needs Data Receiver")


def test_a_queue_that_does_not_answer_hides_nothing_else(system: System) -> None:
    out = patch.object(ServiceBusClient, "get_queue_receiver", side_effect=ServiceBusConnectionError())
    with system.connect() as connections, out:
        found = _queue(connections)
    assert (found.waiting, found.dead_letters) == (None, None)
    assert found.unknown.startswith("no answer from Service Bus: ")


@pytest.mark.usefixtures("own_queue")
def test_a_look_at_the_queue_takes_nothing_from_it(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_depth, "_AT_ONCE", 10)
    queue_support.send(system, *(ServiceBusMessage(b"{}") for _ in range(25)))
    with system.connect() as connections:
        assert queue_depth.queue_depth(connections) == QueueDepth(25, 0)
        monkeypatch.setattr(queue_depth, "_LOOKED_AT", 20)
        assert queue_depth._count(connections.queue, None) == 20
    assert [message.delivery_count for message in queue_support.waiting(system)] == [0] * 25
