"""Requests of new customers, a command that meets its end between two batches, and a queue that is emptied."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from azure.servicebus import ServiceBusReceiveMode

from local.component import REPOSITORY
from shared.messages import Message, parse
from shared.models import UpgradeRequest
from tests.fakes import FAMILY, NOON
from tests.upgradectl.system import System

_MOST = 5000
_INTERRUPTION = """
import os, signal, urllib.request
from azure.servicebus import ServiceBusSender
from upgradectl import service_bus

calls, original = 0, ServiceBusSender.send_messages

def act():
    {action}

def send_messages(self, *arguments, **options):
    global calls
    calls += 1
    if (calls, {when!r}) == ({call}, "before"):
        act()
    original(self, *arguments, **options)
    if (calls, {when!r}) == ({call}, "after"):
        act()

ServiceBusSender.send_messages = send_messages
{lines}
"""


class Queued(NamedTuple):
    """A message as it lay on the queue."""

    message_id: str | None
    body: bytes

    @property
    def request(self) -> UpgradeRequest:
        """What the app makes of it."""
        return parse(Message(self.body, self.message_id, 1, NOON), (FAMILY,))


def drain(system: System) -> list[Queued]:
    """Empties the queue."""
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    found: list[Queued] = []
    with (
        system.connect() as connections,
        connections.queue.client.get_queue_receiver(connections.queue.name, receive_mode=mode) as receiver,
    ):
        while messages := receiver.receive_messages(_MOST, max_wait_time=0.5):
            found += [Queued(message.message_id, b"".join(message.body)) for message in messages]
    return found


def customers(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


def body(customer_id: str, **more: object) -> bytes:
    return json.dumps({"customerId": customer_id, "productFamily": FAMILY, **more}).encode()


def request(customer_id: str, request_id: str) -> UpgradeRequest:
    return parse(Message(body(customer_id), request_id, 1, NOON), (FAMILY,))


def write(path: Path, bodies: Iterable[bytes]) -> Path:
    path.write_bytes(b"".join(one + b"\n" for one in bodies))
    return path


def interrupted(folder: Path, action: str, *, when: str, call: int, **limits: object) -> dict[str, str]:
    """An environment in which `action` is executed before or after the n-th batch. `limits`: other ones for sending."""
    lines = "\n".join(f"service_bus.{name} = {value!r}" for name, value in limits.items())
    (folder / "sitecustomize.py").write_text(_INTERRUPTION.format(action=action, when=when, call=call, lines=lines))
    return {"PYTHONPATH": f"{folder}:{REPOSITORY}"}
