"""The queue as an operator sees it (the azure-servicebus SDK's `ServiceBusClient`)."""

from functools import cached_property

from azure.core.credentials import TokenCredential
from azure.servicebus import ServiceBusClient

_LOOPBACK = ("localhost", "127.0.0.1")
AMQPS_PORT = 5671


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
