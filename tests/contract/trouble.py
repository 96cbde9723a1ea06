"""Trouble that customers or everybody may have, and what shows of it."""

import pytest

from shared.models import GateReason, GateState, Position
from tests.contract.steps import forever, refusal
from tests.contract.use_cases import UseCases

DENIED = forever(refusal(403, 2032))


def customers(system: UseCases, count: int, scenario: object = None) -> list[str]:
    return [system.partner.customer(scenario) for _ in range(count)]


def in_progress(system: UseCases, customer_ids: list[str]) -> list[bool]:
    return [system.row(customer_id).upgrade_id is not None for customer_id in customer_ids]


def closings(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.getMessage().startswith("gate.closed ") for record in caplog.records)


def close(system: UseCases, reason: GateReason, closed_by: str | None) -> None:
    """The gate, since an earlier trouble whose time is over now."""
    store, now = system.world.store, system.clock.now()
    store.write_gate(
        GateState(
            position=Position.CLOSED,
            reason=reason,
            until_at=now,
            changed_at=now,
            closures=1,
            closed_by=closed_by,
            etag=store.gate.etag,
        )
    )
