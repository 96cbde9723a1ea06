"""All rows in flight, results, gate and queue of a system at an instant; for people, as CSV and as a JSON document."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.text import Text

from shared.entities import columns
from shared.models import GateState, Reason, State, Status
from upgradectl import phrases
from upgradectl.figures import counted, duration
from upgradectl.output import Cell, Output
from upgradectl.overview import InFlight
from upgradectl.queue_depth import QueueDepth

RECORD_COLUMNS = ("what", "which", "reason", "count")
_STATES = list(State)
_REASONS: list[Reason | None] = [None, *Reason]
_COLUMNS_OF_OLDEST = ("customerId", "productFamily", "requestId", "state", "requestedAt", "lastReason")


@dataclass(frozen=True)
class Totals:
    """`deadline_h`: later than that after its create call an upgrade in progress is overdue."""

    at: datetime
    rows: InFlight
    results: Mapping[Status, int]
    gate: GateState
    queue: QueueDepth
    deadline_h: float

    def document(self) -> dict[str, Any]:
        """Names as in the tables."""
        oldest = columns(self.rows.oldest) if self.rows.oldest else {}
        return {
            "at": self.at,
            "inFlight": in_flight_document(self.rows),
            "oldestWaiting": {name: oldest.get(name) for name in _COLUMNS_OF_OLDEST} if oldest else None,
            "results": {status: self.results.get(status, 0) for status in Status},
            "gate": columns(self.gate),
            "queue": queue_document(self.queue),
        }

    def records(self) -> Iterator[tuple[str, str, str, int]]:
        """As `RECORD_COLUMNS` says."""
        for (state, reason), count in _in_order(self.rows):
            yield "inFlight", state, reason or "", count
        yield "overdue", State.IN_PROGRESS, "", self.rows.overdue
        for status in Status:
            yield "results", status, "", self.results.get(status, 0)

    def show(self, output: Output) -> None:
        self._show_in_flight(output)
        output.line("")
        self._show_results(output)
        output.line("")
        for name, text in self._facts():
            output.line(Text.assemble((f"{name:16}", "bold"), text))

    def _show_in_flight(self, output: Output) -> None:
        width = len(f"{self.rows.total:,}")
        rows = [(state, reason or "-", f"{count:>{width},}") for (state, reason), count in _in_order(self.rows)]
        output.table(("in flight", "why it waits", "count"), [*rows, ("all", "", f"{self.rows.total:,}")])

    def _show_results(self, output: Output) -> None:
        total = sum(self.results.values())
        width = len(f"{total:,}")
        rows = [(phrases.status(s), f"{count:>{width},}") for s in Status if (count := self.results.get(s, 0))]
        output.table(("results", "count"), [*rows, (Text("all"), f"{total:,}")])

    def _facts(self) -> Iterator[tuple[str, Cell]]:
        overdue = (
            f"{counted(self.rows.overdue, 'upgrade')} in progress for more than {duration(self.deadline_h * 3600)}"
        )
        yield "Overdue", Text(overdue, "yellow") if self.rows.overdue else "none"
        yield "Oldest waiting", self._oldest()
        yield "Gate", phrases.gate(self.gate, self.at)
        yield "On the queue", phrases.count(self.queue.waiting, self.queue.unknown)
        letters = phrases.count(self.queue.dead_letters, self.queue.unknown)
        yield "Dead letters", Text(letters, "yellow") if self.queue.dead_letters else letters

    def _oldest(self) -> str:
        oldest = self.rows.oldest
        if oldest is None:
            return "none"
        age = duration(max((self.at - oldest.requested_at).total_seconds(), 0))
        return f"{age}: {oldest.customer_id} {oldest.product_family}, {oldest.last_reason or oldest.state}"


def in_flight_document(rows: InFlight) -> dict[str, Any]:
    return {
        "total": rows.total,
        "byState": {state: rows.in_state(state) for state in State},
        "byReason": {reason: rows.waiting_for(reason) for reason in Reason},
        "overdue": rows.overdue,
    }


def queue_document(queue: QueueDepth) -> dict[str, Any]:
    """`waiting` and `deadLetters` are null where they are not known."""
    return {"waiting": queue.waiting, "deadLetters": queue.dead_letters, "unknown": queue.unknown or None}


def _in_order(rows: InFlight) -> list[tuple[tuple[State, Reason | None], int]]:
    return sorted(rows.counts.items(), key=lambda item: (_STATES.index(item[0][0]), _REASONS.index(item[0][1])))
