"""Where the gate stood, and who held which row, by the writes of the tables. Every change goes through the front."""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from local.ledger_calls import Call
from shared.models import Position, State
from shared.upgrade_store import CONTROL, IN_FLIGHT
from tests.chaos.record import Record, Write

# From the last look at the gate to the call's arrival at the fake, on a busy machine. A fault that delays the answers
# to reads of the tables has to be shorter than this.
SLACK_S = 0.5
POLLER, CREATOR = "PollUpgrade", "CreateUpgrade"


@dataclass(frozen=True)
class Stretch:
    """A time in which everybody knew the gate's position."""

    position: Position
    from_s: float
    until_s: float


class Timeline:
    """Stretches in which the gate was not open."""

    def __init__(self, record: Record) -> None:
        self._known_after_s = record.settings.gate_cache_s + SLACK_S
        # Each write is made on what the one before has left, so it was sent later; its answer may have come earlier.
        writes = [write for write in record.writes if write.table == CONTROL]
        changes = sorted(writes, key=lambda write: write.sent_s)
        self.stretches = [stretch for stretch in self._positions(changes) if stretch.position is not Position.OPEN]
        self._starts = [stretch.from_s for stretch in self.stretches]
        self._silences = list(self._ordered_silences(changes))
        self._silence_starts = [stretch.from_s for stretch in self._silences]

    def at(self, at_s: float) -> Stretch | None:
        return _found(self.stretches, self._starts, at_s)

    def is_silent(self, at_s: float) -> bool:
        """Whether the gate was paused, and a trouble had set a time until which nobody calls."""
        return _found(self._silences, self._silence_starts, at_s) is not None

    def _positions(self, changes: Sequence[Write]) -> Iterator[Stretch]:
        """Several writes in a row with one position are one stretch."""
        runs = [(position, next(run)) for position, run in groupby(changes, key=position_of)]
        for (position, first), until_s in _until_next(runs, [first.sent_s for _, first in runs]):
            yield from self._stretch(position, first, until_s)

    def _ordered_silences(self, changes: Sequence[Write]) -> Iterator[Stretch]:
        for write, until_s in _until_next(changes, [write.sent_s for write in changes]):
            told_s = instant_s(write, "untilAt")
            if position_of(write) is Position.PAUSED and told_s is not None:
                yield from self._stretch(Position.PAUSED, write, min(told_s, until_s))

    def _stretch(self, position: Position, write: Write, until_s: float) -> Iterator[Stretch]:
        from_s = write.answered_s + self._known_after_s
        if from_s < until_s:
            yield Stretch(position, from_s, until_s)


class Leases:
    """Which function held a row when a call was made."""

    def __init__(self, writes: Sequence[Write]) -> None:
        self._holders = defaultdict[str, list[tuple[float, str]]](list)
        for write in sorted(writes, key=lambda write: write.answered_s):
            if write.table == IN_FLIGHT and (holder := _holder(write)):
                self._holders[write.fields["correlationId"]].append((write.answered_s, holder))

    def holder(self, call: Call) -> str | None:
        """None: no write says whose the call was."""
        holders = self._holders[call.correlation_id]
        index = bisect_right(holders, call.started_s, key=lambda found: found[0])
        return holders[index - 1][1] if index else None


def is_lease(write: Write) -> bool:
    """Whether a write of a row without an upgrade takes the right to make its create call, or could be one that does.

    A row that is set back after an unknown outcome looks the same, but is taken again before the next call.
    """
    if write.kind == "insert":
        return write.fields.get("state") == State.ACCEPTED
    return write.fields.get("outcomeUnknown") is True


def position_of(write: Write) -> Position:
    """No row means open."""
    return Position(write.fields.get("position", Position.OPEN))


def instant_s(write: Write, column: str) -> float | None:
    value = write.fields.get(column)
    return None if value is None else datetime.fromisoformat(value).timestamp()


def function_of(writer: str) -> str:
    return writer.partition("-")[0]


def _until_next[Item](items: Sequence[Item], starts_s: Sequence[float]) -> Iterator[tuple[Item, float]]:
    """Each with the start of the next one; the last one has no end."""
    return zip(items, [*starts_s[1:], math.inf], strict=False)


def _holder(write: Write) -> str | None:
    """Rows that have their upgrade are PollUpgrade's, whoever has written it down."""
    if "upgradeId" in write.fields:
        return POLLER
    return function_of(write.writer) if is_lease(write) else None


def _found(stretches: Sequence[Stretch], starts: Sequence[float], at_s: float) -> Stretch | None:
    index = bisect_right(starts, at_s)
    return stretches[index - 1] if index and at_s < stretches[index - 1].until_s else None
