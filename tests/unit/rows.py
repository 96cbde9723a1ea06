"""Rows that tests start from."""

from typing import Any

from shared.models import InFlightUpgrade, State, Status, UpgradeResult
from tests.fakes import CUSTOMER, FAMILY, NOON


def in_flight(**changed: Any) -> InFlightUpgrade:
    """A row that was just claimed."""
    row: dict[str, Any] = {
        "customer_id": CUSTOMER,
        "product_family": FAMILY,
        "request_id": "r1",
        "state": State.ACCEPTED,
        "next_attempt_at": NOON,
        "ms_request_id": "aaaaaaaa-0000-4000-8000-000000000000",
        "correlation_id": "bbbbbbbb-0000-4000-8000-000000000000",
        "outcome_unknown": True,
        "requested_at": NOON,
        "claimed_at": NOON,
    }
    return InFlightUpgrade(**(row | changed))


def result(**changed: Any) -> UpgradeResult:
    row: dict[str, Any] = {
        "customer_id": CUSTOMER,
        "product_family": FAMILY,
        "request_id": "r1",
        "status": Status.COMPLETED,
        "requested_at": NOON,
        "finished_at": NOON,
        "correlation_id": "bbbbbbbb-0000-4000-8000-000000000000",
    }
    return UpgradeResult(**(row | changed))
