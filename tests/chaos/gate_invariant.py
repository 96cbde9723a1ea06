"""Invariant 3: who calls while the gate is not open."""

import heapq
from collections.abc import Iterator, Sequence

from local.ledger_calls import Call, calls_of
from local.truth import Key, correlation_of
from shared.models import Position, State
from shared.upgrade_store import IN_FLIGHT
from tests.chaos.gate_timeline import POLLER, Leases, Stretch, Timeline, instant_s
from tests.chaos.record import Record, Write
from tests.chaos.violation import Violation

INVARIANT = 3


def check(record: Record) -> list[Violation]:
    timeline, leases, calls = Timeline(record), Leases(record.writes), calls_of(record.ledger)
    keys = {correlation_of(sent.key): sent.key for sent in record.sent if sent.key}
    forbidden = ((call, _forbidden(call, timeline, leases)) for call in calls)
    return [
        *(Violation(INVARIANT, text, keys.get(call.correlation_id)) for call, text in forbidden if text),
        *_claims(record, timeline),
        *_crowds(record, timeline, [call for call in calls if leases.holder(call) == POLLER]),
    ]


def _forbidden(call: Call, timeline: Timeline, leases: Leases) -> str | None:
    stretch = timeline.at(call.started_s)
    if stretch is None:
        return None
    is_create, is_forbidden = call.kind == "create", False
    match stretch.position:
        case Position.CLOSED:
            is_forbidden = True
        case Position.PAUSED:
            is_forbidden = is_create or timeline.is_silent(call.started_s)
        case Position.RECOVERING:
            is_forbidden = is_create and leases.holder(call) != POLLER
    if not is_forbidden:
        return None
    whose = leases.holder(call) or "nobody"
    return f"the {call.kind} call {call.sequence} (the row was {whose}'s) started {_since(call.started_s, stretch)}"


def _claims(record: Record, timeline: Timeline) -> Iterator[Violation]:
    """A claim with a lease needs an open gate, by when it was decided: the write may have taken several tries."""
    for write in record.writes:
        if write.table == IN_FLIGHT and write.kind == "insert" and write.fields.get("state") == State.ACCEPTED:
            decided_s = min(write.sent_s, instant_s(write, "claimedAt") or write.sent_s)
            if stretch := timeline.at(decided_s):
                text = f"{write.writer} claimed with a lease {_since(decided_s, stretch)}"
                yield Violation(INVARIANT, text, _key(write))


def _crowds(record: Record, timeline: Timeline, calls: Sequence[Call]) -> Iterator[Violation]:
    """The most calls of PollUpgrade at the same time in each stretch of `recovering`, where they are too many.

    Only calls whose answer found its client: when the others ended for the client, nobody knows.
    """
    worst: dict[Stretch, tuple[int, int]] = {}
    running: list[float] = []  # when each ends
    for call in calls:
        if not call.seen or call.ended_s is None:
            continue
        while running and running[0] <= call.started_s:
            heapq.heappop(running)
        heapq.heappush(running, call.ended_s)
        stretch = timeline.at(call.started_s)
        if stretch and stretch.position is Position.RECOVERING:
            allowed = record.settings.max_parallel_calls * max(1, _pollers(record, call.started_s))
            if len(running) > max(allowed, worst.get(stretch, (0, 0))[0]):
                worst[stretch] = len(running), allowed
    for stretch, (most, allowed) in worst.items():
        text = f"{most} calls of PollUpgrade at the same time, {allowed} are allowed, {_since(stretch.from_s, stretch)}"
        yield Violation(INVARIANT, text)


def _pollers(record: Record, at_s: float) -> int:
    return sum(poller.from_s <= at_s <= (poller.until_s or at_s) for poller in record.pollers)


def _since(at_s: float, stretch: Stretch) -> str:
    return f"{at_s - stretch.from_s:.2f} s after everybody knew that the gate was {stretch.position}"


def _key(write: Write) -> Key:
    fields = write.fields
    return fields["customerId"], fields["productFamily"].lower(), fields["requestId"]
