"""The queue as operators and producers see it (the azure-servicebus SDK's `ServiceBusClient`)."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from azure.core.credentials import TokenCredential
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusMessageBatch, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    OperationTimeoutError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusCommunicationError,
    ServiceBusConnectionError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from upgradectl.errors import CommandError, first_line

_LOOPBACK = ("localhost", "127.0.0.1")
AMQPS_PORT = 5671
# The lower tiers refuse more than 4,500, and do not say so on the link; and a failure leaves fewer in doubt.
_MOST_IN_A_BATCH = 1000
_PASSING = (
    ServiceBusServerBusyError,  # the lower tiers throttle a namespace by the second
    ServiceBusConnectionError,
    ServiceBusCommunicationError,
    OperationTimeoutError,
)
_WAITS_S = (2, 5, 10)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as it will be sent."""

    body: bytes
    message_id: str


class Queue:
    """`namespace`: fully qualified, without a scheme; on loopback with a port and without TLS."""

    def __init__(self, namespace: str, name: str, credential: TokenCredential, call_deadline_s: float) -> None:
        self.name = name
        self.host, _, port = namespace.partition(":")
        self.port = int(port or AMQPS_PORT)
        self._namespace = namespace
        self._credential = credential
        self._call_deadline_s = call_deadline_s

    @cached_property
    def client(self) -> ServiceBusClient:
        return ServiceBusClient(
            self._namespace,
            self._credential,
            use_tls=self.host not in _LOOPBACK,
            retry_total=0,
            try_timeout=self._call_deadline_s,
        )

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()

    def peek(self) -> int:
        """How many messages a look at the first one finds: 0 or 1. Needs Data Receiver."""
        with self.client.get_queue_receiver(self.name) as receiver:
            return len(receiver.peek_messages(1, timeout=self._call_deadline_s))

    def open_sender(self) -> None:
        """Opens a link for sending and sends nothing. Needs Data Sender."""
        with self.client.get_queue_sender(self.name):
            pass

    def send(self, messages: Iterable[Outgoing]) -> Iterator[int]:
        """Sends in batches; after each one how many it held.

        A batch that fails for a while is sent again, so messages may arrive twice. Needs Data Sender.

        Raises:
            CommandError: of the batch that was under way nobody knows whether it arrived.
        """
        with self.in_words("Data Sender"), self.client.get_queue_sender(self.name) as sender:
            for batch in _batches(sender, messages):
                _send(sender, batch)
                yield len(batch)

    @contextmanager
    def in_words(self, role: str) -> Iterator[None]:
        """The broker's errors in an operator's words. `role`: what the calls need."""
        try:
            yield
        except (ServiceBusAuthenticationError, ServiceBusAuthorizationError):
            remedy = f"grant yourself Azure Service Bus {role} on the queue {self.name}"
            raise CommandError("Service Bus refuses", remedy) from None
        except MessagingEntityNotFoundError:
            raise CommandError(f"there is no queue {self.name}", "check UPGRADE_QUEUE") from None
        except ServiceBusQuotaExceededError:
            raise CommandError(f"the queue {self.name} is full", "run it again when it has been worked off") from None
        except MessageSizeExceededError:
            raise CommandError(f"a message is larger than the queue {self.name} takes") from None
        except ServiceBusError as error:
            message = f"no answer from Service Bus: {type(error).__name__}: {first_line(error)}"
            raise CommandError(
                message, "check SERVICE_BUS_NAMESPACE and the network (AMQP over TLS), run it again"
            ) from None


def _batches(sender: ServiceBusSender, messages: Iterable[Outgoing]) -> Iterator[ServiceBusMessageBatch]:
    """As many to a batch as the broker takes; none is empty."""
    batch = sender.create_message_batch()
    for message in messages:
        outgoing = ServiceBusMessage(message.body, message_id=message.message_id, content_type="application/json")
        if not _fits(batch, outgoing):
            if len(batch):
                yield batch
            batch = sender.create_message_batch()
            batch.add_message(outgoing)
    if len(batch):
        yield batch


def _send(sender: ServiceBusSender, batch: ServiceBusMessageBatch) -> None:
    for wait_s in _WAITS_S:
        try:
            sender.send_messages(batch)
        except _PASSING:
            time.sleep(wait_s)
        else:
            return
    sender.send_messages(batch)


def _fits(batch: ServiceBusMessageBatch, message: ServiceBusMessage) -> bool:
    if len(batch) >= _MOST_IN_A_BATCH:
        return False
    try:
        batch.add_message(message)
    except ValueError:
        return False
    return True
