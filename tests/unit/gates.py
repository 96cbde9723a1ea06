"""A gate at every position, and a table that others write to, or that hangs."""

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import StoreUnavailable
from shared.gate import Gate, Trouble
from shared.models import GateReason, GateState, Position
from tests.fakes import NOON, FakeClock, InMemoryStore, settings

LATER, PAST = NOON + timedelta(minutes=5), NOON - timedelta(minutes=5)
OUTAGE = Trouble(GateReason.UNAVAILABLE, "unknown outcomes", row_key="a row")
SETTINGS = settings()

STARTS = {
    "no row": GateState(),
    "open": GateState(changed_at=PAST),
    "closed": GateState(position=Position.CLOSED, reason=GateReason.THROTTLED, until_at=LATER, changed_at=PAST),
    "past T": GateState(position=Position.CLOSED, reason=GateReason.THROTTLED, until_at=NOON, changed_at=PAST),
    "recovering": GateState(
        position=Position.RECOVERING, reason=GateReason.CREDENTIALS, until_at=PAST, changed_at=PAST, closures=1
    ),
    "paused": GateState(position=Position.PAUSED, reason=GateReason.OPERATOR, changed_at=PAST),
    "paused until T": GateState(
        position=Position.PAUSED, reason=GateReason.OPERATOR, until_at=LATER, changed_at=PAST, closures=2
    ),
}
TRANSITIONS: dict[str, Callable[[Gate], object]] = {
    "close": lambda gate: gate.close(OUTAGE),
    "recover": Gate.recover,
    "open": Gate.open,
    "pause": lambda gate: gate.pause("maintenance"),
    "resume": Gate.resume,
    "mend": Gate.mend,
}


class Table(InMemoryStore):
    """Counts; lets others write just before a write; hangs until told to go on, and then answers or does not."""

    def __init__(self, start: str = "no row") -> None:
        super().__init__()
        self.gate = STARTS[start] if start == "no row" else replace(STARTS[start], etag="etag-0")
        self.reads = self.writes = 0
        self.unwritable = False
        self.meanwhile: deque[Callable[[], object]] = deque()
        self.goes_on: threading.Event | None = None

    def get_gate(self) -> GateState:
        self.reads += 1
        if self.goes_on:
            assert self.goes_on.wait(10)
        return super().get_gate()

    def write_gate(self, state: GateState) -> GateState:
        if self.meanwhile:
            self.meanwhile.popleft()()
        if self.unwritable:
            raise StoreUnavailable
        written = super().write_gate(state)
        self.writes += 1
        return written


def new_gate(table: Table, clock: FakeClock, random: float = 0.0) -> Gate:
    """As one process has it."""
    return Gate(table, clock, SETTINGS, lambda: random)


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    lines = [record.getMessage().partition(" ") for record in caplog.records if record.name == "upgrades"]
    return [(event, json.loads(fields)) for event, _, fields in lines]


def names(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [event for event, _ in events(caplog)]
