"""A table with very many rows in flight, some of which come due: filled by batches, and in memory.

Azurite on disk writes everything that it holds every few seconds, and answers nobody meanwhile.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched
from uuid import uuid4

from azure.core.credentials import TokenCredential
from azure.data.tables import TableClient
from azure.identity import DefaultAzureCredential

from bench.contenders import TEXTBOOK_TABLE
from bench.measured_cloud import MeasuredCloud
from local.azurite import create_missing_tables
from local.component import start
from shared.entities import columns, entity, in_flight_key
from shared.models import InFlightUpgrade, State
from shared.upgrade_store import IN_FLIGHT, TABLES

_BATCH = 100  # the most that an entity group transaction may hold
_SOON_DAYS, _NEVER_DAYS = 1, 100_000


@dataclass
class FilledTables:
    """`rows`: in flight so far. `due_percent`: of any hundred of them so many are due a day after the beginning.

    Those have an upgrade at the fake Partner Center, which is in progress for ever.
    """

    cloud: MeasuredCloud
    url: str
    credential: TokenCredential
    due_percent: int
    rows: int = field(default=0, init=False)
    _began: datetime = field(default_factory=lambda: datetime.now(UTC), init=False)
    _upgrades: dict[str, str] = field(default_factory=dict, init=False)  # by customer

    def fill(self, rows: int) -> None:
        """Adds rows until there are so many."""
        customers = {number: str(uuid4()) for number in range(self.rows, rows)}
        coming_due = [customer for number, customer in customers.items() if is_due(number, self.due_percent)]
        self._upgrades |= _existing_upgrades(self.cloud, coming_due)
        with TableClient(self.url, IN_FLIGHT, credential=self.credential) as table:
            for batch in batched(customers.items(), _BATCH, strict=False):
                found = [self._row(number, customer) for number, customer in batch]
                table.submit_transaction([("create", entity(in_flight_key(row), columns(row))) for row in found])
        self.rows = max(rows, self.rows)

    def fill_textbook(self, rows: int) -> None:
        """As many open rows for the textbook function, of upgrades of their own."""
        upgrades = _existing_upgrades(self.cloud, [str(uuid4()) for _ in range(rows)])
        with TableClient(self.url, TEXTBOOK_TABLE, credential=self.credential) as table:
            for customer, upgrade in upgrades.items():
                key = {"PartitionKey": "upgrades", "RowKey": customer}
                content = {"customerId": customer, "productFamily": "Azure", "upgradeId": upgrade}
                table.create_entity({**key, **content, "status": "InProgress"})

    @property
    def due(self) -> int:
        return sum(is_due(number, self.due_percent) for number in range(self.rows))

    def _row(self, number: int, customer: str) -> InFlightUpgrade:
        days = _SOON_DAYS if is_due(number, self.due_percent) else _NEVER_DAYS
        return InFlightUpgrade(
            customer_id=customer,
            product_family="Azure",
            request_id=str(uuid4()),
            state=State.IN_PROGRESS,
            next_attempt_at=self._began + timedelta(days=days),
            ms_request_id=str(uuid4()),
            correlation_id=str(uuid4()),
            outcome_unknown=False,
            requested_at=self._began,
            claimed_at=self._began,
            answered_ms_request_id=str(uuid4()),
            submitted_at=self._began,
            upgrade_id=self._upgrades.get(customer, str(uuid4())),
            attempts=1,
        )


def is_due(number: int, percent: int) -> bool:
    """Whether the row of that number comes due: so many of every hundred, the first ones."""
    return number % 100 < percent


@contextmanager
def filled_tables(cloud: MeasuredCloud, *, due_percent: int) -> Iterator[FilledTables]:
    """Empty at first, beside the cloud's own; what the app finds in its settings from now on."""
    folder = cloud.cloud.folder
    arguments = ("--tls", str(folder / "tls"), "--in-memory")
    azurite = start("local.azurite", *arguments, log=folder / "logs" / "azurite-in-memory.log")
    try:
        with DefaultAzureCredential() as credential:
            url = str(azurite.facts["url"])
            create_missing_tables(url, [*TABLES, TEXTBOOK_TABLE], credential)
            cloud.cloud.settings = {**cloud.cloud.settings, "TABLES_URL": url}
            yield FilledTables(cloud, url, credential, due_percent)
    finally:
        azurite.stop()


def _existing_upgrades(cloud: MeasuredCloud, customers: Sequence[str]) -> dict[str, str]:
    """Has the fake Partner Center make one for each customer; their ids by customer."""
    scenario = {"existing": "in progress", "course": {"polls": None}}
    cloud.cloud.fake("PUT", "scenarios", dict.fromkeys(customers, scenario))
    upgrades = cloud.cloud.fake("GET", f"ledger?since={cloud.mark()}")["upgrades"]
    ids = {upgrade["customerId"]: upgrade["id"] for upgrade in upgrades}
    return {customer: ids[customer] for customer in customers}
