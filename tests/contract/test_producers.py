"""The producers of docs/messages.md: run against the broker with the real SDKs, and what they send is a request."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient

from local.component import REPOSITORY, Component, start
from shared.messages import Message, parse
from shared.models import UpgradeRequest
from tests.fakes import NOON

PRODUCERS = REPOSITORY / "examples" / "producers"
PAGE = (REPOSITORY / "docs" / "messages.md").read_text()
CUSTOMERS = ["2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6", "9c5d1f2e-7a3b-4c8d-b6e1-0f2a4b6c8d9e"]
NODE = shutil.which("node") or "node"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Component]:
    (tmp_path / "queues.json").write_text(json.dumps({"upgrades": {}}))
    component = start("local.service_bus", "--queues", str(tmp_path / "queues.json"), log=tmp_path / "log")
    yield component
    assert component.stop() == 0


@pytest.mark.parametrize("command", [[sys.executable, "send.py"], [NODE, "send.mjs"]], ids=["Python", "JavaScript"])
def test_a_producer_sends_requests(command: list[str], broker: Component) -> None:
    connection_string = str(broker.facts["connection_string"])
    for _ in range(2):
        subprocess.run(
            [*command, *CUSTOMERS],
            cwd=PRODUCERS,
            env={**os.environ, "SERVICE_BUS_CONNECTION_STRING": connection_string},
            timeout=40,
            check=True,
        )
    first, second, *again = _requests(connection_string)
    assert [first.customer_id, second.customer_id] == CUSTOMERS
    assert [request.request_id for request in again] == [first.request_id, second.request_id]


@pytest.mark.parametrize("body", re.findall(r"--body '(.+?)'|```json\n(.+?)```", PAGE, re.DOTALL))
def test_a_body_of_the_page_is_a_request(body: tuple[str, str]) -> None:
    assert parse(Message("".join(body).encode(), "message-1", 7, NOON), ("Azure",)).customer_id == CUSTOMERS[0]


def _requests(connection_string: str) -> list[UpgradeRequest]:
    with (
        ServiceBusClient.from_connection_string(connection_string) as bus,
        bus.get_queue_receiver("upgrades") as receiver,
    ):
        bodies = [b"".join(message.body) for message in receiver.peek_messages(10)]
    return [parse(Message(body, None, 7, NOON), ("Azure",)) for body in bodies]
