"""The tables as an operator reads them: more than the app ever asks for at once."""

from collections.abc import Collection, Iterator
from datetime import datetime

from shared.entities import OPEN, result_from_entity
from shared.models import InFlightUpgrade, Status, UpgradeResult
from shared.upgrade_store import TableStore, readable


class OperatorStore(TableStore):
    """All raise StoreUnavailable. What is read comes page by page."""

    def list_all_results(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        statuses: Collection[Status] = (),
    ) -> Iterator[UpgradeResult]:
        """Finished at or after `since` and before `until`; of one of `statuses`, none meaning all. In key order."""
        conditions, parameters = [], dict[str, object]()
        if since:
            conditions.append("finishedAt ge @since")
            parameters["since"] = since
        if until:
            conditions.append("finishedAt lt @until")
            parameters["until"] = until
        if statuses:
            names = {f"status{number}": str(status) for number, status in enumerate(sorted(statuses))}
            conditions.append(f"({' or '.join(f'status eq @{name}' for name in names)})")
            parameters |= names
        yield from self._read_results(" and ".join(conditions) or "PartitionKey ge ''", parameters)

    def list_customer_results(self, customer_id: str) -> list[UpgradeResult]:
        """Of all families."""
        return list(self._read_results("PartitionKey eq @customer", {"customer": customer_id}))

    def list_customer_in_flight(self, customer_id: str) -> list[InFlightUpgrade]:
        """Of all families."""
        # '}' follows '|': all keys that begin with the customer and the separator.
        query = "PartitionKey eq @open and RowKey ge @first and RowKey lt @end"
        parameters = {"open": OPEN, "first": f"{customer_id}|", "end": f"{customer_id}}}"}
        return list(readable(self._query(self._in_flight, query, parameters)))

    def _read_results(self, query: str, parameters: dict[str, object]) -> Iterator[UpgradeResult]:
        yield from map(result_from_entity, self._query(self._results, query, parameters))
