"""Rows and results of new customers, as the app leaves them; and a command that meets its end in the middle."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from local.component import REPOSITORY
from shared.models import GateState, InFlightUpgrade, State, Status, UpgradeResult
from tests.unit import rows
from tests.upgradectl.system import Ran, System
from upgradectl.connections import Connections

# A real one: the command under test has the machine's clock.
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=30)
STUCK: dict[str, Any] = {
    "outcome_unknown": True,
    "next_attempt_at": NOW - timedelta(hours=1),
    "attempts": 3,
    "last_code": "503",
}
IN_PROGRESS: dict[str, Any] = {"state": State.IN_PROGRESS, "upgrade_id": str(uuid4()), "submitted_at": NOW}


@dataclass
class Customers:
    """Leaves rows, and takes them away in the end."""

    connections: Connections

    def __post_init__(self) -> None:
        self._ids: list[str] = []

    def new(self) -> str:
        self._ids.append(str(uuid4()))
        return self._ids[-1]

    def waiting(self, request_id: str = "r1", **changed: Any) -> InFlightUpgrade:
        """Deferred, and surely not sent."""
        row = {"customer_id": self.new(), "request_id": request_id, "state": State.DEFERRED, "outcome_unknown": False}
        times = {"next_attempt_at": NOW, "requested_at": NOW, "claimed_at": NOW}
        return self.connections.store.insert_in_flight(rows.in_flight(**(row | times | changed)))

    def ended(self, status: Status = Status.FAILED, request_id: str = "r1", **changed: Any) -> UpgradeResult:
        found = {"customer_id": changed.get("customer_id") or self.new(), "request_id": request_id, "status": status}
        times = {"requested_at": NOW, "finished_at": NOW}
        return self.connections.store.insert_result(rows.result(**(found | times | changed)))

    def row_of(self, row: InFlightUpgrade) -> InFlightUpgrade | None:
        return self.connections.store.get_in_flight(row.customer_id, row.product_family)

    def result_of(self, row: InFlightUpgrade) -> UpgradeResult | None:
        return self.connections.store.get_result(row.customer_id, row.product_family, row.request_id)

    def leave(self) -> None:
        for customer in self._ids:
            for row in self.connections.store.list_customer_in_flight(customer):
                self.connections.store.delete_in_flight(row)


def insert(system: System, *rows: InFlightUpgrade | UpgradeResult) -> None:
    with system.connect() as connections:
        for row in rows:
            if isinstance(row, InFlightUpgrade):
                connections.store.insert_in_flight(row)
            else:
                connections.store.insert_result(row)


@contextmanager
def customers_of(system: System) -> Iterator[Customers]:
    with system.connect() as connections:
        customers = Customers(connections)
        yield customers
        customers.leave()


@contextmanager
def gate_of(system: System, state: GateState) -> Iterator[Connections]:
    """The gate as it is given, and open in the end."""
    with system.connect() as connections:
        _put(connections, state)
        yield connections
        _put(connections, GateState())


@contextmanager
def spoilt_result(system: System, customer_id: str) -> Iterator[str]:
    """The key of a row that nobody can read."""
    with system.connect() as connections:
        table = connections.open_table("UpgradeResults")
        table.create_entity({"PartitionKey": customer_id, "RowKey": "azure|spoilt", "status": "Nonsense"})
        yield f"{customer_id}|azure|spoilt"
        table.delete_entity(customer_id, "azure|spoilt")


def outcomes(ended: Ran) -> dict[str, str | None]:
    """What became of the requests, by customer."""
    return {one["customer_id"]: one["outcome"] for one in ended.document["requests"]}


def once(action: str) -> str:
    """For `dying`: the first time alone."""
    return f"globals().get('done') or (globals().update(done=True), {action})"


def dying(folder: Path, method: str, action: str = "os.kill(os.getpid(), signal.SIGKILL)") -> dict[str, str]:
    """An environment in which `action` is executed before a store's method is first called."""
    (folder / "sitecustomize.py").write_text(
        f"import dataclasses, os, signal\n"
        f"from shared.upgrade_store import TableStore\n"
        f"original = TableStore.{method}\n"
        f"def {method}(self, *arguments, **options):\n"
        f"    {action}\n"
        f"    return original(self, *arguments, **options)\n"
        f"TableStore.{method} = {method}\n"
    )
    return {"PYTHONPATH": f"{folder}:{REPOSITORY}"}


def _put(connections: Connections, state: GateState) -> None:
    connections.store.write_gate(replace(state, etag=connections.store.get_gate().etag))
