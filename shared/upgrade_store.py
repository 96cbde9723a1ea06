"""The three tables in Table Storage.

Source: the azure-data-tables SDK's `TableClient`, and "Table service error codes" for what an answer means.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableClient, TableErrorCode, UpdateMode

from shared import entities
from shared.entities import (
    OPEN,
    columns,
    columns_of,
    from_entity,
    in_flight_key,
    result_columns,
    result_from_entity,
    result_key,
)
from shared.errors import RowChanged, RowExists, StoreUnavailable
from shared.events import emit
from shared.models import CensusRow, GateState, InFlightUpgrade, UpgradeResult
from shared.transport import total_deadline

IN_FLIGHT, RESULTS, CONTROL = TABLES = ("UpgradesInFlight", "UpgradeResults", "UpgradeControl")
_GATE = ("gate", "partner-center")
_KEYS = ("PartitionKey", "RowKey")
# A missing row; a missing table is TABLE_NOT_FOUND.
_GONE = (TableErrorCode.RESOURCE_NOT_FOUND, TableErrorCode.ENTITY_NOT_FOUND)


class TableStore:
    """`ports.UpgradeStore` and `gate.GateStore` over Table Storage. Safe to be used by many threads at once."""

    def __init__(self, open_table: Callable[[str], TableClient], call_deadline_s: float) -> None:
        self._in_flight = open_table(IN_FLIGHT)
        self._results = open_table(RESULTS)
        self._control = open_table(CONTROL)
        self._call_deadline_s = call_deadline_s

    def insert_in_flight(self, row: InFlightUpgrade) -> InFlightUpgrade:
        return replace(row, etag=self._insert(self._in_flight, in_flight_key(row), columns(row)))

    def get_in_flight(self, customer_id: str, product_family: str) -> InFlightUpgrade | None:
        entity = self._get(self._in_flight, (OPEN, f"{customer_id}|{product_family.lower()}"))
        return from_entity(InFlightUpgrade, entity) if entity else None

    def update_in_flight(self, row: InFlightUpgrade) -> InFlightUpgrade:
        return replace(row, etag=self._update(self._in_flight, in_flight_key(row), columns(row), row.etag))

    def delete_in_flight(self, row: InFlightUpgrade) -> None:
        partition, key = in_flight_key(row)
        with self._call():
            self._in_flight.delete_entity(partition, key, etag=row.etag, match_condition=MatchConditions.IfNotModified)

    def list_due(self, now: datetime) -> list[InFlightUpgrade]:
        query, parameters = "PartitionKey eq @open and nextAttemptAt le @now", {"open": OPEN, "now": now}
        return list(readable(self._query(self._in_flight, query, parameters), InFlightUpgrade))

    def list_in_flight(self) -> Iterable[InFlightUpgrade]:
        yield from readable(self._query(self._in_flight, "PartitionKey eq @open", {"open": OPEN}), InFlightUpgrade)

    def list_census(self) -> Iterable[CensusRow]:
        """In a third of the time that whole rows take."""
        select = [*_KEYS, *columns_of(CensusRow)]
        found = self._query(self._in_flight, "PartitionKey eq @open", {"open": OPEN}, select=select)
        return readable(found, CensusRow)

    def insert_result(self, result: UpgradeResult) -> UpgradeResult:
        return replace(result, etag=self._insert(self._results, result_key(result), result_columns(result)))

    def get_result(self, customer_id: str, product_family: str, request_id: str) -> UpgradeResult | None:
        key = f"{product_family.lower()}|{entities.escaped(request_id)}"
        entity = self._get(self._results, (customer_id, key))
        return result_from_entity(entity) if entity else None

    def update_result(self, result: UpgradeResult) -> UpgradeResult:
        values = result_columns(result)
        return replace(result, etag=self._update(self._results, result_key(result), values, result.etag))

    def list_results(self, customer_id: str, product_family: str) -> list[UpgradeResult]:
        prefix = product_family.lower()
        # '}' follows '|': all keys that begin with the family and the separator.
        query = "PartitionKey eq @customer and RowKey ge @first and RowKey lt @end"
        parameters = {"customer": customer_id, "first": f"{prefix}|", "end": f"{prefix}}}"}
        return [result_from_entity(e) for e in self._query(self._results, query, parameters)]

    def get_gate(self) -> GateState:
        entity = self._get(self._control, _GATE)
        try:
            return from_entity(GateState, entity) if entity else GateState()
        except (TypeError, ValueError) as error:
            raise StoreUnavailable("the gate's row makes no sense") from error

    def write_gate(self, state: GateState) -> GateState:
        values = columns(state)
        if state.etag:
            return replace(state, etag=self._update(self._control, _GATE, values, state.etag))
        return replace(state, etag=self._insert(self._control, _GATE, values))

    @contextmanager
    def _call(self) -> Iterator[None]:
        """One bounded call, its errors in our words."""
        try:
            with total_deadline(self._call_deadline_s):
                yield
        except HttpResponseError as error:
            if error.status_code == 409:
                raise RowExists from None
            if error.status_code == 412 or getattr(error, "error_code", None) in _GONE:
                raise RowChanged from None
            raise StoreUnavailable(f"Table Storage answers {error.status_code}") from None
        except Exception as error:  # noqa: BLE001  the SDK raises all kinds of errors where an answer is not the service's
            raise StoreUnavailable(f"Table Storage: {type(error).__name__}") from None

    def _get(self, table: TableClient, key: tuple[str, str]) -> Mapping[str, Any] | None:
        query = "PartitionKey eq @partition and RowKey eq @row"
        # A query, not get_entity: that one answers a missing row and a missing table with the same exception.
        return next(iter(self._query(table, query, {"partition": key[0], "row": key[1]})), None)

    def _query(
        self, table: TableClient, query: str, parameters: Mapping[str, Any], *, select: list[str] | None = None
    ) -> Iterator[MutableMapping[str, Any]]:
        """`select`: the columns to read; None means all of them."""
        pages = table.query_entities(query, parameters=dict(parameters), select=select).by_page()
        while True:
            with self._call():
                page = next(pages, None)
                entities = list(page) if page is not None else None
            if entities is None:
                return
            yield from map(_without_nulls, entities) if select else entities

    def _insert(self, table: TableClient, key: tuple[str, str], values: Mapping[str, Any]) -> str:
        try:
            with self._call():
                return str(table.create_entity(entities.entity(key, values))["etag"])
        except RowExists:
            if etag := self._own_write(table, key, values):
                return etag
            raise

    def _update(self, table: TableClient, key: tuple[str, str], values: Mapping[str, Any], etag: str) -> str:
        try:
            with self._call():
                metadata = table.update_entity(
                    entities.entity(key, values),
                    mode=UpdateMode.REPLACE,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                )
                return str(metadata["etag"])
        except RowChanged:
            if own := self._own_write(table, key, values):
                return own
            raise

    def _own_write(self, table: TableClient, key: tuple[str, str], values: Mapping[str, Any]) -> str | None:
        """The SDK sends a write again when its answer is lost: the row that is in the way may be that very write."""
        entity = self._get(table, key)
        if entity is None or {n: v for n, v in entity.items() if n not in _KEYS} != dict(values):
            return None
        return entities.etag(entity)


def _without_nulls(entity: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A column that a row does not have is null where columns are asked for by name."""
    for name in [name for name, value in entity.items() if value is None]:
        del entity[name]
    return entity


def readable[Row: (InFlightUpgrade, CensusRow)](found: Iterable[Mapping[str, Any]], model: type[Row]) -> Iterator[Row]:
    """Leaves out a row that somebody has spoilt by hand: it must not keep the others waiting."""
    for entity in found:
        try:
            yield from_entity(model, entity)
        except (TypeError, ValueError) as error:
            emit(logging.ERROR, "row.failed", row_key=entity.get("RowKey"), error_type=type(error).__name__)
