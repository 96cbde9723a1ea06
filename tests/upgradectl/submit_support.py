"""A queue to look into, requests of new customers, and a `submit` that meets its end in the middle."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from azure.servicebus import ServiceBusReceiveMode

from local.component import REPOSITORY
from shared.messages import Message, parse
from shared.models import InFlightUpgrade, State, Status, UpgradeRequest, UpgradeResult
from tests.fakes import FAMILY, NOON
from tests.upgradectl.conftest import System
from upgradectl.connections import Connections

_MOST = 5000
_INTERRUPTION = """
import os, signal, urllib.request
from azure.servicebus import ServiceBusSender

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


def write(path: Path, bodies: Iterable[bytes]) -> Path:
    path.write_bytes(b"".join(one + b"\n" for one in bodies))
    return path


def interrupted(folder: Path, action: str, *, when: str, call: int) -> dict[str, str]:
    """An environment in which `action` is executed before or after the n-th batch."""
    (folder / "sitecustomize.py").write_text(_INTERRUPTION.format(action=action, when=when, call=call))
    return {"PYTHONPATH": f"{folder}:{REPOSITORY}"}


def finish(connections: Connections, request: UpgradeRequest, status: Status) -> None:
    """Leaves a result, as the app does."""
    connections.store.insert_result(
        UpgradeResult(
            customer_id=request.customer_id,
            product_family=request.product_family,
            request_id=request.request_id,
            status=status,
            requested_at=NOON,
            finished_at=NOON,
            correlation_id=request.correlation_id,
            duplicate_of="another" if status is Status.DUPLICATE else None,
        )
    )


def claim(connections: Connections, request: UpgradeRequest) -> InFlightUpgrade:
    """Leaves a row in flight, as the app does; to be deleted by who asked for it."""
    row = InFlightUpgrade(
        customer_id=request.customer_id,
        product_family=request.product_family,
        request_id=request.request_id,
        state=State.DEFERRED,
        next_attempt_at=NOON,
        ms_request_id=str(uuid4()),
        correlation_id=request.correlation_id,
        outcome_unknown=False,
        requested_at=NOON,
        claimed_at=NOON,
    )
    return connections.store.insert_in_flight(row)


def request(customer_id: str, request_id: str) -> UpgradeRequest:
    return parse(Message(body(customer_id), request_id, 1, NOON), (FAMILY,))
