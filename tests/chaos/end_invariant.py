"""Invariant 5: in the end nothing is left, and a pause is left by whoever has made it."""

from collections import Counter
from collections.abc import Iterator

from local.truth import Key
from shared.entities import in_flight_key
from shared.models import InFlightUpgrade, Position
from shared.upgrade_store import CONTROL, IN_FLIGHT
from tests.chaos.gate_timeline import position_of
from tests.chaos.record import Record
from tests.chaos.violation import Violation, at_most

INVARIANT = 5
OPERATOR = "campaign"
_MOST_ROWS = 20


def check(record: Record) -> list[Violation]:
    left = [Violation(INVARIANT, f"a row is left in flight: {_shown(row)}", _key(row)) for row in record.in_flight]
    return [
        *_not_drained(record),
        *at_most(_MOST_ROWS, left),
        *at_most(_MOST_ROWS, _orphans(record)),
        *_pauses(record),
    ]


def _not_drained(record: Record) -> Iterator[Violation]:
    if not record.drained:
        yield Violation(INVARIANT, "not everything had ended in time")
    if record.waiting:
        yield Violation(INVARIANT, "messages are still waiting")
    if record.gate is not Position.OPEN:
        yield Violation(INVARIANT, f"the gate is {record.gate}")


def _orphans(record: Record) -> Iterator[Violation]:
    """Counted, not followed: of an insertion and a deletion at the same time nobody knows the order."""
    balance = Counter[tuple[str, str]]()
    for write in record.writes:
        if write.table == IN_FLIGHT:
            balance[write.key] += {"insert": 1, "delete": -1}.get(write.kind, 0)
    there = {in_flight_key(row) for row in record.in_flight}
    for key, count in balance.items():
        if count > 0 and key not in there:
            yield Violation(INVARIANT, f"the claim {key[1]} was never deleted, and its row is gone")


def _pauses(record: Record) -> Iterator[Violation]:
    others = [write for write in record.writes if write.table == CONTROL and write.writer != OPERATOR]
    moves = [write for write in others if position_of(write) is not Position.PAUSED]
    for pause in record.pauses:
        if pause.found is not Position.PAUSED:
            yield Violation(INVARIANT, f"a pause ended as {pause.found}")
        for write in moves:
            if pause.from_s < write.sent_s < pause.until_s:
                yield Violation(INVARIANT, f"{write.writer} moved a paused gate to {position_of(write)}")


def _shown(row: InFlightUpgrade) -> str:
    reason = f" ({row.last_reason})" if row.last_reason else ""
    return f"{row.state}{reason}, due at {row.next_attempt_at:%H:%M:%S.%f}, {row.attempts} create calls"


def _key(row: InFlightUpgrade) -> Key:
    return row.customer_id, row.product_family.lower(), row.request_id
