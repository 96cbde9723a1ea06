"""What the tests of `status` and `watch` share."""

from azure.servicebus import ServiceBusReceiveMode, ServiceBusSubQueue

from tests.upgradectl.conftest import QUEUE, System


def emptied(system: System) -> None:
    """No row is in flight, and no message is on the queue or among the dead letters. The gate stays."""
    with system.connect() as connections:
        for row in connections.store.list_in_flight():
            connections.store.delete_in_flight(row)
        for sub_queue in (None, ServiceBusSubQueue.DEAD_LETTER):
            with connections.queue.client.get_queue_receiver(
                QUEUE, sub_queue=sub_queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
            ) as receiver:
                while receiver.peek_messages(1, sequence_number=1):
                    receiver.receive_messages(1000, max_wait_time=1)
