"""A file of upgrade requests -> the bodies to send: JSON Lines (each line as it is) or CSV (a header line first)."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from azure.servicebus import ServiceBusMessage, ServiceBusSender


@dataclass(frozen=True)
class Outgoing:
    """A message as it will be sent."""

    body: bytes
    message_id: str


def read(path: Path) -> list[Outgoing]:
    """All messages of a file, each under a message id of its own."""
    bodies = _csv_bodies(path) if path.suffix.lower() == ".csv" else _lines(path)
    return [Outgoing(body, str(uuid4())) for body in bodies]


def send(sender: ServiceBusSender, messages: list[Outgoing]) -> None:
    """In batches, as many to a batch as the broker takes."""
    batch = sender.create_message_batch()
    for message in messages:
        outgoing = ServiceBusMessage(message.body, message_id=message.message_id, content_type="application/json")
        try:
            batch.add_message(outgoing)
        except ValueError:  # the batch is full
            sender.send_messages(batch)
            batch = sender.create_message_batch()
            batch.add_message(outgoing)
    if len(batch):
        sender.send_messages(batch)


def _lines(path: Path) -> Iterator[bytes]:
    return (line.rstrip(b"\r") for line in path.read_bytes().split(b"\n") if line.strip())


def _csv_bodies(path: Path) -> Iterator[bytes]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            filled = {name: value for name, value in row.items() if name and value}
            yield json.dumps(filled).encode()
