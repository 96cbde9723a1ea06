"""What the tests of the stores share: rows of one moment, and a client of Table Storage."""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from azure.data.tables import TableServiceClient

from shared.gate import GateStore
from shared.models import GateReason, GateState, InFlightUpgrade, Position, UpgradeResult
from shared.ports import UpgradeStore
from tests.unit import rows

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)
CLOSED = GateState(
    position=Position.CLOSED,
    reason=GateReason.THROTTLED,
    detail="429",
    until_at=NOW + timedelta(minutes=1),
    changed_at=NOW,
    closures=3,
    closed_by="a|b",
)


class Store(UpgradeStore, GateStore, Protocol):
    """Both in one, as both are."""


def row_of(customer_id: str, **changed: Any) -> InFlightUpgrade:
    return rows.in_flight(**{"customer_id": customer_id, "next_attempt_at": NOW, "claimed_at": NOW} | changed)


def result_of(customer_id: str, request_id: str = "r1", **changed: Any) -> UpgradeResult:
    return rows.result(customer_id=customer_id, request_id=request_id, finished_at=NOW, **changed)


def table_service(url: str, credential: Any, sender: Any) -> TableServiceClient:
    """`sender`: the transport, which must be able to end a call at its deadline."""
    return TableServiceClient(url, credential=credential, transport=sender, retry_total=3, retry_backoff_factor=0.01)
