"""Results as a partner has them after some weeks: every status, hostile texts, customers with several requests."""

import math
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.models import Status, UpgradeResult

START = datetime(2026, 11, 2, 7, 30, tzinfo=UTC)
HOSTILE = "</title><script>document.body.innerHTML='';alert(1)</script>\"'&\u202e"
_REFUSALS = (
    ("900105", "The customer's subscriptions are suspended."),
    ("20002", "Customer {id} has no commerce relationship with this partner."),
    ("13605", "The customer has to accept the Microsoft Customer Agreement first."),
    ("900108", "The customer has no Azure subscription."),
)
_SHARES = {
    Status.COMPLETED: 78,
    Status.PARTIALLY_COMPLETED: 4,
    Status.FAILED: 5,
    Status.REJECTED: 8,
    Status.TIMED_OUT: 2,
    Status.CANCELLED: 2,
}


def many(customers: int, *, seed: int = 7) -> Iterator[UpgradeResult]:
    """The same ones for the same seed. As the table has them: customer after customer."""
    draw = random.Random(seed)
    for number in range(customers):
        customer = str(uuid.UUID(int=(number << 96) | draw.getrandbits(64), version=4))
        yield from _of_customer(customer, number, draw)


def result(**changed: Any) -> UpgradeResult:
    given: dict[str, Any] = {
        "customer_id": "2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6",
        "product_family": "Azure",
        "request_id": "r1",
        "status": Status.COMPLETED,
        "requested_at": START,
        "finished_at": START + timedelta(hours=2),
        "correlation_id": "bbbbbbbb-0000-4000-8000-000000000000",
    }
    return UpgradeResult(**(given | changed))


def _of_customer(customer: str, number: int, draw: random.Random) -> Iterator[UpgradeResult]:
    status = draw.choices(list(_SHARES), list(_SHARES.values()))[0]
    asked = START + timedelta(hours=draw.uniform(0, 9) + 24 * draw.choice((0, 0, 0, 1, 1, 2, 3, 4, 7, 8, 9)))
    took = timedelta(hours=72 if status is Status.TIMED_OUT else math.exp(draw.gauss(0.6, 0.9)))
    request = "x" * 128 if number == 3 else f"wave-{number % 3 + 1}/{number:06d}"
    first = result(
        customer_id=customer,
        request_id=request,
        status=status,
        requested_at=asked,
        finished_at=asked + took,
        attempts=1,
        **_words(status, customer, number, draw),
    )
    yield first
    if status is Status.COMPLETED and draw.random() < 0.03:
        again = asked + took + timedelta(hours=1)
        yield result(
            customer_id=customer,
            request_id=f"{request}/again",
            status=Status.DUPLICATE,
            duplicate_of=request,
            requested_at=again,
            finished_at=again,
        )


def _words(status: Status, customer: str, number: int, draw: random.Random) -> dict[str, str]:
    if number == 11:
        return {"error_code": HOSTILE, "error_description": HOSTILE}
    if status is Status.REJECTED:
        code, text = draw.choices(_REFUSALS, (4, 3, 2, 1))[0]
        return {"error_code": code, "error_description": text.format(id=customer)}
    if status in (Status.FAILED, Status.PARTIALLY_COMPLETED):
        return {"error_code": "900120", "error_description": "The subscription could not be moved to the Azure plan."}
    return {}
