"""Queues that survive their process: every change is a JSON line at the end of one file, in one write.

A write() that has returned is kept whatever happens to the process (not: to the machine).
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from local.service_bus.message import Change, Counted, Message, Removed, Stored


@dataclass
class QueueState:
    messages: dict[int, Message] = field(default_factory=dict)
    next_sequence_number: int = 1


class Journal:
    """`queues` is what was there at the start, by queue name."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "journal.jsonl"
        self.queues = _replay(path)
        compacted = path.with_suffix(".new")
        compacted.write_bytes(b"".join([_line(record) for record in _snapshot(self.queues)]))
        compacted.replace(path)
        self._file = path.open("ab", buffering=0)

    def record(self, changes: Sequence[Change]) -> None:
        self._file.write(b"".join([_line(_record(change)) for change in changes]))

    def close(self) -> None:
        self._file.close()


def _replay(path: Path) -> dict[str, QueueState]:
    queues: dict[str, QueueState] = {}
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    for line in lines:
        if not line.endswith(b"\n"):
            break  # the last write was cut off, so nobody was told that it happened
        _apply(queues, json.loads(line))
    return queues


def _apply(queues: dict[str, QueueState], record: dict[str, object]) -> None:
    state = queues.setdefault(str(record["queue"]), QueueState())
    match record:
        case {"next": int(number)}:
            state.next_sequence_number = max(state.next_sequence_number, number)
        case {"removed": int(number)}:
            state.messages.pop(number, None)
        case {"counted": int(number), "deliveries": int(count)}:
            state.messages[number] = replace(state.messages[number], delivery_count=count)
        case {
            "stored": int(number),
            "at": float(at),
            "until": float(until),
            "deliveries": int(count),
            "content": content,
        }:
            state.messages[number] = Message(number, at, until, count, base64.b64decode(str(content)))
            state.next_sequence_number = max(state.next_sequence_number, number + 1)


def _snapshot(queues: dict[str, QueueState]) -> list[dict[str, object]]:
    records: list[dict[str, object]] = []
    for name, state in queues.items():
        records.append({"queue": name, "next": state.next_sequence_number})
        records += [_record(Stored(name, message)) for message in state.messages.values()]
    return records


def _record(change: Change) -> dict[str, object]:
    match change:
        case Stored(queue, message):
            return {
                "queue": queue,
                "stored": message.sequence_number,
                "at": float(message.enqueued_at),
                "until": float(message.expires_at),
                "deliveries": message.delivery_count,
                "content": base64.b64encode(message.content).decode(),
            }
        case Counted(queue, sequence_number, delivery_count):
            return {"queue": queue, "counted": sequence_number, "deliveries": delivery_count}
        case Removed(queue, sequence_number):
            return {"queue": queue, "removed": sequence_number}


def _line(record: dict[str, object]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"
