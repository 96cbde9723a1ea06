"""What a broker that is killed has after its restart."""

import signal
import uuid
from pathlib import Path

from azure.servicebus import ServiceBusMessage

from local.component import start
from tests.contract.service_bus import connected, opened


def test_messages_survive_a_broker_that_is_killed(tmp_path: Path) -> None:
    queues_file = tmp_path / "queues.json"
    queues_file.write_text('{"upgrades": {}}')
    arguments = ("--queues", str(queues_file), "--state", str(tmp_path / "state"))
    marker = str(uuid.uuid4())
    broker = start("local.service_bus", *arguments, log=tmp_path / "broker.log")
    try:
        with connected(broker) as client, opened(client, "upgrades") as queues:
            queue = queues["upgrades"]
            queue.sender.send_messages([ServiceBusMessage(b"%d" % n, message_id=f"{marker}-{n}") for n in range(4)])
            completed, abandoned, dead, _under_way = queue.receiver.receive_messages(4, max_wait_time=3)
            queue.receiver.complete_message(completed)
            queue.receiver.dead_letter_message(dead, reason="why")
            queue.receiver.abandon_message(abandoned)
    finally:
        broker.stop(sig=signal.SIGKILL)

    broker = start("local.service_bus", *arguments, log=tmp_path / "broker.log")
    try:
        with connected(broker) as client, opened(client, "upgrades") as queues:
            queue = queues["upgrades"]
            kept = [queue.receive(), queue.receive()]
            assert [(message.message_id, message.delivery_count) for message in kept] == [
                (f"{marker}-1", 1),
                (f"{marker}-3", 1),
            ]
            assert queue.receive_dead_letter().dead_letter_reason == "why"
    finally:
        assert broker.stop() == 0
