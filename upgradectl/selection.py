"""Which results a command is about: by customer, by status and by when they were finished."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import typer

from shared.models import Status, UpgradeResult
from upgradectl.figures import counted, instant
from upgradectl.instants import check_order
from upgradectl.store import OperatorStore

_CUSTOMER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True)
class Selection:
    """Finished at or after `since` and before `until`; what is not given does not matter. Customers in lower case."""

    since: datetime | None = None
    until: datetime | None = None
    statuses: frozenset[Status] = frozenset()
    customers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_order(self.since, self.until)

    @property
    def words(self) -> str:
        """For people; nothing where all results are meant."""
        customers = [counted(len(set(self.customers)), "customer")] if self.customers else []
        statuses = [f"status {' or '.join(sorted(self.statuses))}"] if self.statuses else []
        since = [f"finished since {instant(self.since)} UTC"] if self.since else []
        until = [f"finished before {instant(self.until)} UTC"] if self.until else []
        return ", ".join((*customers, *statuses, *since, *until))

    def results(self, store: OperatorStore, *, line_items: bool = True) -> Iterator[UpgradeResult]:
        """Customer after customer, read as they are asked for. `line_items`: whether they matter.

        Raises:
            StoreUnavailable: before or between any two of them.
        """
        if not self.customers:
            yield from store.list_all_results(
                since=self.since, until=self.until, statuses=self.statuses, line_items=line_items
            )
            return
        for customer_id in dict.fromkeys(self.customers):
            yield from filter(self._holds, store.list_customer_results(customer_id))

    def in_flight(self, store: OperatorStore) -> int | None:
        """How many upgrades may still become results of this selection; None: that cannot be told of it."""
        if self.statuses or self.until:
            return None
        if not self.customers:
            return sum(1 for _ in store.list_in_flight())
        return sum(len(store.list_customer_in_flight(customer_id)) for customer_id in dict.fromkeys(self.customers))

    def _holds(self, result: UpgradeResult) -> bool:
        return (
            (not self.since or result.finished_at >= self.since)
            and (not self.until or result.finished_at < self.until)
            and (not self.statuses or result.status in self.statuses)
        )


def customer_id(text: str) -> str:
    """In lower case, as the tables' keys have it.

    Raises:
        typer.BadParameter: it is no customer's id.
    """
    found = text.strip().lower()
    if not _CUSTOMER_ID.fullmatch(found):
        raise typer.BadParameter(f"{text!r}: not a GUID (8-4-4-4-12 hexadecimal digits)")
    return found
