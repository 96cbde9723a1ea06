"""Small records of campaigns that never were, told step by step. Times are seconds after noon."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from local.truth import Key, correlation_of
from shared.entities import result_key
from shared.models import Position, State, Status, UpgradeResult
from tests.chaos.invariants import Violation, check
from tests.chaos.record import MemorySample, Pause, Poller, Record, Sent, Settings, Write
from tests.fakes import CUSTOMER, FAMILY, NOON
from tests.unit import rows

KEY = (CUSTOMER, "azure", "r1")
LATER = (CUSTOMER, "azure", "r2")
CREATOR, POLLER, OPERATOR = "CreateUpgrade-11", "PollUpgrade-12", "campaign"
NOON_S = NOON.timestamp()
CACHE_S, PARALLEL = 0.2, 2
CANARY = "canary-1a2b3c"
LEASE_S = 8.0
ENDS_S = 1000.0


def instant(at_s: float) -> str:
    """As the tables' SDK sends it."""
    return (NOON + timedelta(seconds=at_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def at(at_s: float) -> datetime:
    return NOON + timedelta(seconds=at_s)


class Story:
    """Without anything in it, nothing is wrong. What is told takes `record`'s fields where they are given."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.results: list[UpgradeResult] = []
        self.calls: list[dict[str, Any]] = []
        self.upgrades: list[dict[str, Any]] = []
        self.writes: list[Write] = []
        self.pauses: list[Pause] = []
        self.pollers: list[Poller] = []

    def message(self, key: Key | None = KEY, at_s: float = 0, *, follows: Key | None = None, body: bytes = b"") -> None:
        number = f"m{len(self.sent)}"
        self.sent.append(Sent(body or f"{number} {CANARY}".encode(), number, NOON_S + at_s, key, follows))

    def call(self, kind: str, at_s: float, *, key: Key = KEY, lasts_s: float = 0.1, **changed: Any) -> None:
        self.calls.append(
            {
                "sequence": len(self.calls) + 1,
                "kind": kind,
                "correlationId": correlation_of(key),
                "msRequestId": f"id-{len(self.calls)}",
                "created": False,
                "upgradeId": None,
                "startedS": NOON_S + at_s,
                "endedS": NOON_S + at_s + lasts_s,
                "http": 200,
                "code": None,
                "seen": True,
            }
            | changed
        )

    def create(self, at_s: float, *, of: str | None = None, ms: str = "a", **changed: Any) -> None:
        """A create call, accepted unless told otherwise. `of`: the upgrade that it created."""
        facts: dict[str, Any] = {"http": 202, "msRequestId": ms, "created": bool(of), "upgradeId": of}
        self.call("create", at_s, **facts | changed)

    def status(self, at_s: float, upgrade_id: str = "u1", **changed: Any) -> None:
        self.call("status", at_s, upgradeId=upgrade_id, **changed)

    def lost(self, at_s: float, upgrade_id: str = "u1") -> None:
        """The client finds out that an upgrade is gone."""
        self.status(at_s, upgrade_id, http=404, code=900106)
        self.call("eligibility", at_s + 0.2)

    def upgrade(self, upgrade_id: str = "u1", state: str = "completed") -> None:
        facts = {"id": upgrade_id, "customerId": CUSTOMER, "state": state, "lineItems": [], "createdS": NOON_S}
        self.upgrades.append(facts)

    def write(self, at_s: float, writer: str, table: str, kind: str, key: tuple[str, str], **fields: Any) -> None:
        self.writes.append(Write(NOON_S + at_s - 0.01, NOON_S + at_s, writer, table, kind, key, fields))

    def row(self, at_s: float, writer: str, kind: str = "update", *, key: Key = KEY, **fields: Any) -> None:
        own = {"customerId": key[0], "productFamily": FAMILY, "requestId": key[2], "correlationId": correlation_of(key)}
        given = {} if kind == "delete" else own | fields
        self.write(at_s, writer, "UpgradesInFlight", kind, ("open", f"{key[0]}|{key[1]}"), **given)

    def claim(
        self, at_s: float, state: State = State.ACCEPTED, *, writer: str = CREATOR, decided_s: float | None = None
    ) -> None:
        lease = state is State.ACCEPTED
        claimed = instant(at_s - 0.01 if decided_s is None else decided_s)
        self.row(at_s, writer, "insert", state=state.value, outcomeUnknown=lease, claimedAt=claimed)

    def take(self, at_s: float, writer: str = POLLER, *, key: Key = KEY) -> None:
        self.row(at_s, writer, key=key, state="Deferred", outcomeUnknown=True, nextAttemptAt=instant(at_s + LEASE_S))

    def gate(self, at_s: float, position: Position | None, *, writer: str = POLLER, **fields: Any) -> None:
        """None: the row is deleted."""
        kind = "update" if position else "delete"
        given = {"position": position.value, **fields} if position else {}
        self.write(at_s, writer, "UpgradeControl", kind, ("gate", "partner-center"), **given)

    def result(self, status: Status = Status.COMPLETED, at_s: float = 10, *, key: Key = KEY, **found: Any) -> None:
        """And the write of it."""
        upgrade = {"upgrade_id": "u1"} if status not in (Status.DUPLICATE, Status.REJECTED, Status.CANCELLED) else {}
        facts = {"request_id": key[2], "correlation_id": correlation_of(key), "finished_at": at(at_s)}
        result = rows.result(status=status, **facts | upgrade | found)
        self.results.append(result)
        self.write(at_s + 0.1, POLLER, "UpgradeResults", "insert", result_key(result), status=status.value)

    def completes(self, key: Key = KEY) -> None:
        """A request from its message to the deletion of its row, as it should be."""
        self.message(key)
        self.claim(1)
        self.create(1.5, of="u1")
        self.upgrade()
        self.row(2, CREATOR, state="InProgress", outcomeUnknown=False, upgradeId="u1")
        self.status(5)
        self.result(key=key)

    def record(self, **given: Any) -> Record:
        """Rows that are still there are deleted in the end, unless `in_flight` is given."""
        told: dict[str, Any] = {
            "sent": self.sent,
            "results": self.results,
            "in_flight": [],
            "dead": [(sent.message_id, sent.body) for sent in self.sent if sent.key is None],
            "waiting": False,
            "drained": True,
            "gate": Position.OPEN,
            "ledger": {"upgrades": self.upgrades, "calls": self.calls, "tokens": []},
            "writes": self.writes if "in_flight" in given else [*self.writes, *self._deletions()],
            "pauses": self.pauses,
            "log_lines": [],
            "secrets": frozenset[str](),
            "canary": CANARY,
            "memory": list[MemorySample](),
            "pollers": self.pollers,
            "settings": Settings(gate_cache_s=CACHE_S, max_parallel_calls=PARALLEL),
        }
        return Record(**told | given)

    def check(self, **given: Any) -> list[Violation]:
        return check(self.record(**given))

    def _deletions(self) -> list[Write]:
        end_s = NOON_S + ENDS_S
        inserted = [write for write in self.writes if write.table == "UpgradesInFlight" and write.kind == "insert"]
        return [Write(end_s, end_s, POLLER, write.table, "delete", write.key, {}) for write in inserted]


def expect(violations: Sequence[Violation], invariant: int, text: str, key: Key | None = None) -> None:
    """Exactly this one is found."""
    assert [violation.invariant for violation in violations] == [invariant], violations
    assert text in violations[0].text
    assert violations[0].key == key
