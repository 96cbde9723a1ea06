"""How many messages wait on the queue, as far as a few looks tell (the azure-servicebus SDK's `peek_messages`).

The true count takes the right to manage the namespace, which no operator has. A peek shows locked messages too.
"""

from dataclasses import dataclass

from azure.servicebus import ServiceBusReceiver, ServiceBusSubQueue
from azure.servicebus.exceptions import ServiceBusAuthenticationError, ServiceBusAuthorizationError

from upgradectl.connections import Connections
from upgradectl.service_bus import Queue

_NEEDED = ("SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE")
_AT_ONCE = 250
_LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """None: not known, and `unknown` says why. A count of `LIMIT` stands for that many or more."""

    waiting: int | None = None
    dead_letters: int | None = None
    unknown: str = ""

    LIMIT = _LOOKED_AT


def queue_depth(connections: Connections) -> QueueDepth:
    """Not known where a setting or the role is missing.

    Raises:
        CommandError: Service Bus does not answer, or there is no such queue.
    """
    missing = [name for name in _NEEDED if not connections.target.has(name)]
    if missing:
        return QueueDepth(unknown=f"{' and '.join(missing)} not set")
    queue = connections.queue
    with queue.in_words("Data Receiver"):
        try:
            return QueueDepth(_count(queue, None), _count(queue, ServiceBusSubQueue.DEAD_LETTER))
        except (ServiceBusAuthenticationError, ServiceBusAuthorizationError):
            return QueueDepth(unknown="needs Data Receiver")


def _count(queue: Queue, sub_queue: ServiceBusSubQueue | None) -> int:
    # Closed at once: an open receiver is given a message now and then, and keeps it for some seconds.
    with queue.client.get_queue_receiver(queue.name, sub_queue=sub_queue) as receiver:
        return _peeked(receiver)


def _peeked(receiver: ServiceBusReceiver) -> int:
    count, number = 0, 1
    while count < _LOOKED_AT:
        messages = receiver.peek_messages(_AT_ONCE, sequence_number=number)
        if not messages:
            break
        count += len(messages)
        number = (messages[-1].sequence_number or 0) + 1
    return count
