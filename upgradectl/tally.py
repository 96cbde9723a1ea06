"""Results, counted for the report. Nothing that is kept grows with them, but one number per completed request."""

import re
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from shared.models import Status, UpgradeResult

MAX_OPEN = 1000
_MAX_TEXT = 200
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
# Where the service gave no code: what the status itself says.
_OWN_REASONS = {
    Status.TIMED_OUT: "Not final by the deadline",
    Status.CANCELLED: "Withdrawn before it was submitted",
    Status.PARTIALLY_COMPLETED: "Some line items failed, no reason was given",
}
NO_REASON = "No reason was given"


@dataclass
class Reason:
    """Why requests did not complete. `code`: the service's, or none. `description`: of the first one, ids left out."""

    code: str
    description: str
    count: int = 0


@dataclass
class Tally:
    """Of requests: `statuses`, `durations_s` of the completed ones, `reasons` of the others; when they ended, by minute
    since the epoch.

    Of customers: `customers` in all, `upgraded` with every family that has a verdict completed, `answered_elsewhere`
    with duplicates alone. `open`: the last verdict of each customer and family without a completed one, the first
    `MAX_OPEN` of `open_count`.
    """

    statuses: Counter[Status] = field(default_factory=Counter)
    durations_s: array[float] = field(default_factory=lambda: array("d"))
    reasons: dict[str, Reason] = field(default_factory=dict)
    completed_at: Counter[int] = field(default_factory=Counter)
    not_completed_at: Counter[int] = field(default_factory=Counter)
    families: set[str] = field(default_factory=set)
    first_at: datetime | None = None
    last_at: datetime | None = None
    customers: int = 0
    upgraded: int = 0
    answered_elsewhere: int = 0
    open: list[UpgradeResult] = field(default_factory=list)
    open_count: int = 0

    @property
    def requests(self) -> int:
        return self.statuses.total()

    @property
    def not_upgraded(self) -> int:
        """Customers; what is missing to all of them."""
        return self.customers - self.upgraded - self.answered_elsewhere

    @property
    def not_completed(self) -> int:
        """Verdicts other than `Completed`."""
        return self.requests - self.statuses[Status.COMPLETED] - self.statuses[Status.DUPLICATE]


def tally(results: Iterable[UpgradeResult]) -> Tally:
    """`results`: those of a customer one after the other, as the table has them."""
    found = Tally()
    for _, of_customer in groupby(results, key=lambda result: result.customer_id):
        _count_customer(found, of_customer)
    return found


def _count_customer(found: Tally, results: Iterable[UpgradeResult]) -> None:
    standing: dict[str, UpgradeResult] = {}
    for result in results:
        _count(found, result)
        if result.is_verdict:
            family = result.product_family.lower()
            standing[family] = max(standing.get(family, result), result, key=_weight)
    still_open = [result for result in standing.values() if result.status is not Status.COMPLETED]
    found.customers += 1
    found.answered_elsewhere += not standing
    found.upgraded += bool(standing) and not still_open
    found.open_count += len(still_open)
    room = MAX_OPEN - len(found.open)
    found.open += [replace(result, line_items=()) for result in still_open[:room]]


def _weight(result: UpgradeResult) -> tuple[bool, datetime]:
    """A completed upgrade is never undone; else the last word counts."""
    return result.status is Status.COMPLETED, result.finished_at


def _count(found: Tally, result: UpgradeResult) -> None:
    minute = int(result.finished_at.timestamp() // 60)
    found.statuses[result.status] += 1
    found.families.add(result.product_family)
    found.first_at = min(found.first_at or result.finished_at, result.finished_at)
    found.last_at = max(found.last_at or result.finished_at, result.finished_at)
    if result.status is Status.COMPLETED:
        # Never negative: the broker's clock, which says when a request came, may be ahead of ours.
        found.durations_s.append(max(0.0, (result.finished_at - result.requested_at).total_seconds()))
        found.completed_at[minute] += 1
    elif result.is_verdict:
        found.not_completed_at[minute] += 1
        _reason(found, result).count += 1


def _reason(found: Tally, result: UpgradeResult) -> Reason:
    description = reason_text(result)
    return found.reasons.setdefault(result.error_code or description, Reason(result.error_code or "", description))


def reason_text(result: UpgradeResult) -> str:
    """The service's words without the ids that differ from one customer to the next; where there are none, ours."""
    given = " ".join(_ID.sub("…", result.error_description or "").split())
    text = given or ("" if result.error_code else _OWN_REASONS.get(result.status, NO_REASON))
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
