"""What the tables and the queue of the local cloud hold, seen through the real SDKs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from azure.data.tables import TableServiceClient
from azure.identity import DefaultAzureCredential
from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver, ServiceBusSubQueue

from local.cloud import QUEUE, Cloud
from local.requests_file import Outgoing, send
from shared.entities import result_from_entity
from shared.models import InFlightUpgrade, UpgradeResult
from shared.upgrade_store import RESULTS, TableStore


@dataclass(frozen=True)
class Look:
    """Everything at one moment. `waiting`: whether messages are on the queue. `dead`: the dead letters' bodies."""

    results: list[UpgradeResult]
    in_flight: list[InFlightUpgrade]
    waiting: bool
    dead: list[bytes]


@dataclass(frozen=True)
class Observer:
    """Clients of a running cloud. `store`: for what an operator would write."""

    bus: ServiceBusClient
    tables: TableServiceClient
    store: TableStore
    queue: ServiceBusReceiver
    dead_letters: ServiceBusReceiver

    def look(self) -> Look:
        return Look(
            results=[result_from_entity(e) for e in self.tables.get_table_client(RESULTS).list_entities()],
            in_flight=list(self.store.list_in_flight()),
            waiting=bool(self.queue.peek_messages(1)),
            dead=[b"".join(message.body) for message in self.peek_dead()],
        )

    def peek_dead(self) -> list[ServiceBusReceivedMessage]:
        """All dead letters."""
        return list(_peek_all(self.dead_letters))

    def send(self, messages: list[Outgoing]) -> None:
        with self.bus.get_queue_sender(QUEUE) as sender:
            send(sender, messages)


@contextmanager
def observing(cloud: Cloud) -> Iterator[Observer]:
    """Inside `cloud.environment(cloud.client_environment)`."""
    with ExitStack() as stack:
        credential = DefaultAzureCredential()
        stack.callback(credential.close)
        tables = stack.enter_context(TableServiceClient(cloud.tables_url, credential=credential))
        bus = stack.enter_context(ServiceBusClient.from_connection_string(cloud.service_bus))
        dead_letters = bus.get_queue_receiver(QUEUE, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
        yield Observer(
            bus,
            tables,
            TableStore(tables.get_table_client, call_deadline_s=15),
            stack.enter_context(bus.get_queue_receiver(QUEUE)),
            stack.enter_context(dead_letters),
        )


def _peek_all(receiver: ServiceBusReceiver) -> Iterator[ServiceBusReceivedMessage]:
    first = 1  # 0 would mean to the SDK: where the last look ended
    while messages := receiver.peek_messages(250, sequence_number=first):
        yield from messages
        assert messages[-1].sequence_number is not None
        first = messages[-1].sequence_number + 1
