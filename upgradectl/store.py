"""The tables as an operator reads them: more than the app ever asks for at once.

Source: "Query Entities" for projections, "Query timeout and pagination".
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.data.tables import TableClient

from shared.entities import OPEN, from_entity, result_from_entity
from shared.errors import StoreUnavailable
from shared.models import InFlightUpgrade, Status, UpgradeResult
from shared.upgrade_store import TableStore

_ALL = "PartitionKey ge ''"
_CONDITIONS = {"since": "finishedAt ge @since", "until": "finishedAt lt @until"}
# Instants cost most to read, and line items may be most of a row.
_SUMMARY = [
    *("PartitionKey", "RowKey", "customerId", "productFamily", "requestId", "status", "duplicateOf", "upgradeId"),
    *("requestedAt", "finishedAt", "attempts", "polls", "errorCode", "errorDescription", "correlationId"),
]


class AccessRefused(StoreUnavailable):
    """A role is missing, or a network rule is in the way: waiting does not help."""


class OperatorStore(TableStore):
    """All raise StoreUnavailable, or ClientAuthenticationError. What is read comes page by page.

    `unreadable`: the keys of rows that somebody has spoilt by hand; they are left out wherever rows are listed.
    """

    def __init__(self, open_table: Callable[[str], TableClient], call_deadline_s: float) -> None:
        super().__init__(open_table, call_deadline_s)
        self.unreadable: set[str] = set()

    def list_all_results(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        statuses: Collection[Status] = (),
        line_items: bool = True,
    ) -> Iterator[UpgradeResult]:
        """Finished at or after `since` and before `until`; of one of `statuses`, none meaning all. In key order.

        Without `line_items` in half the time, and also without `adopted`, `claimed_at`, `submitted_at`,
        `server_status` and `ms_request_id`.
        """
        given = {"since": since, "until": until}
        parameters = {name: at for name, at in given.items() if at}
        conditions = [_CONDITIONS[name] for name in parameters]
        if statuses:
            # Not as parameters: the SDK would miss one beside a bracket.
            conditions.append(f"({' or '.join(f"status eq '{status}'" for status in sorted(statuses))})")
        query = " and ".join(conditions) or _ALL
        return self._read_results(query, parameters, select=None if line_items else _SUMMARY)

    def count_results(self) -> Counter[Status]:
        """Ten times as fast as reading them."""
        found = self._query(self._results, _ALL, {}, select=["PartitionKey", "RowKey", "status"])
        return Counter(self._readable(found, lambda entity: Status(str(entity.get("status")))))

    def list_customer_results(self, customer_id: str) -> list[UpgradeResult]:
        """Of all families."""
        return list(self._read_results("PartitionKey eq @customer", {"customer": customer_id}))

    def list_in_flight(self) -> Iterator[InFlightUpgrade]:
        return self._read_in_flight("PartitionKey eq @open", {"open": OPEN})

    def list_customer_in_flight(self, customer_id: str) -> list[InFlightUpgrade]:
        """Of all families."""
        # '}' follows '|': all keys that begin with the customer and the separator.
        query = "PartitionKey eq @open and RowKey ge @first and RowKey lt @end"
        parameters = {"open": OPEN, "first": f"{customer_id}|", "end": f"{customer_id}}}"}
        return list(self._read_in_flight(query, parameters))

    def _read_in_flight(self, query: str, parameters: Mapping[str, object]) -> Iterator[InFlightUpgrade]:
        return self._readable(
            self._query(self._in_flight, query, parameters), lambda found: from_entity(InFlightUpgrade, found)
        )

    def _read_results(
        self, query: str, parameters: Mapping[str, object], *, select: list[str] | None = None
    ) -> Iterator[UpgradeResult]:
        return self._readable(self._query(self._results, query, parameters, select=select), result_from_entity)

    def _readable[Row](
        self, found: Iterable[MutableMapping[str, Any]], load: Callable[[MutableMapping[str, Any]], Row]
    ) -> Iterator[Row]:
        for entity in found:
            try:
                yield load(entity)
            except (TypeError, ValueError):
                self.unreadable.add(f"{entity.get('PartitionKey')}|{entity.get('RowKey')}")

    @contextmanager
    def _call(self) -> Iterator[None]:
        """Who has not signed in, or lacks a role, shall read that, and not that the tables are out."""
        try:
            with super()._call():
                yield
        except StoreUnavailable as error:
            cause = error.__context__
            if isinstance(cause, ClientAuthenticationError):
                raise cause from None
            if isinstance(cause, HttpResponseError) and cause.status_code == 403:
                raise AccessRefused(str(error)) from cause
            raise
