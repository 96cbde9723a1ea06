"""The operator's reads, against the local tables and with the SDK as it is."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.data.tables import TableClient

from shared import entities
from shared.entities import result_columns
from shared.errors import StoreUnavailable
from shared.models import Status
from shared.upgrade_store import IN_FLIGHT, RESULTS
from tests.fakes import NOON
from tests.unit.rows import in_flight, result
from tests.upgradectl.conftest import System
from upgradectl.store import AccessRefused, OperatorStore

SECOND, TICK = timedelta(seconds=1), timedelta(milliseconds=1)  # the emulator compares no finer
STATUSES = (Status.COMPLETED, Status.FAILED, Status.REJECTED)


@pytest.fixture
def store(system: System) -> Iterator[OperatorStore]:
    with system.connect() as connections:
        yield connections.store


@pytest.fixture
def customer(store: OperatorStore) -> str:
    """With a result of each of `STATUSES`, a second apart from noon on."""
    customer_id = str(uuid.uuid4())
    for number, status in enumerate(STATUSES):
        at = NOON + number * SECOND
        store.insert_result(
            result(customer_id=customer_id, request_id=f"r{number}", status=status, finished_at=at, line_items=({},))
        )
    return customer_id


def found(store: OperatorStore, customer_id: str, **which: Any) -> list[str]:
    return [one.request_id for one in store.list_all_results(**which) if one.customer_id == customer_id]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, ["r0", "r1", "r2"]),
        ({"since": NOON + SECOND}, ["r1", "r2"]),
        ({"since": NOON + SECOND + TICK}, ["r2"]),
        ({"until": NOON + SECOND}, ["r0"]),
        ({"until": NOON + SECOND + TICK}, ["r0", "r1"]),
        ({"statuses": [Status.FAILED]}, ["r1"]),
        ({"statuses": {Status.COMPLETED, Status.REJECTED, Status.TIMED_OUT}}, ["r0", "r2"]),
        ({"since": NOON + SECOND, "until": NOON + 2 * SECOND, "statuses": STATUSES}, ["r1"]),
        ({"since": NOON + SECOND, "statuses": [Status.COMPLETED]}, []),
    ],
)
def test_results_are_read_by_time_and_by_status(
    store: OperatorStore, customer: str, which: dict[str, Any], expected: list[str]
) -> None:
    assert found(store, customer, **which) == expected


def test_line_items_are_left_out_where_they_are_not_asked_for(store: OperatorStore, customer: str) -> None:
    by_items = {
        line_items: [one for one in store.list_all_results(line_items=line_items) if one.customer_id == customer]
        for line_items in (True, False)
    }
    assert [one.line_items for one in by_items[True]] == [({},)] * 3
    assert [one.line_items for one in by_items[False]] == [()] * 3
    assert [one.status for one in by_items[False]] == list(STATUSES)


def test_a_column_that_is_null_is_one_that_is_not_there() -> None:
    nulls = ("duplicateOf", "upgradeId", "attempts", "polls", "errorCode", "errorDescription")
    entity = entities.entity(("c", "azure|r1"), {**result_columns(result()), **dict.fromkeys(nulls)})
    store = OperatorStore(lambda name: _Table(entity), 5)  # type: ignore[arg-type, return-value]  # all that is used of it
    (one,) = store.list_all_results(line_items=False)
    assert (one.attempts, one.polls, one.upgrade_id, one.status) == (0, 0, None, Status.COMPLETED)


class _Entity(dict[str, Any]):
    metadata = {"etag": "etag-1"}  # noqa: RUF012


class _Table:
    """As the service answers where columns are asked for by name."""

    def __init__(self, entity: dict[str, Any]) -> None:
        self._entity = entity

    def query_entities(self, query: str, **_: object) -> "_Table":
        return self

    def by_page(self) -> Iterator[list[_Entity]]:
        return iter([[_Entity(self._entity)]])


def test_results_are_counted(store: OperatorStore, customer: str) -> None:
    before = store.count_results()
    store.insert_result(result(customer_id=customer, request_id="another", status=Status.FAILED))
    assert store.count_results() - before == {Status.FAILED: 1}


def test_a_customers_rows_are_those_of_all_families_and_of_nobody_else(store: OperatorStore) -> None:
    number = uuid.uuid4().int
    one, other = (str(uuid.UUID(int=number ^ last)) for last in (0, 1))
    for customer_id, family in ((one, "Azure"), (one, "Copilot"), (other, "Azure")):
        store.insert_in_flight(in_flight(customer_id=customer_id, product_family=family))
        store.insert_result(result(customer_id=customer_id, product_family=family))
    assert {row.key for row in store.list_customer_in_flight(one)} == {f"{one}|azure", f"{one}|copilot"}
    assert [row.product_family for row in store.list_customer_results(one)] == ["Azure", "Copilot"]
    assert {f"{one}|azure", f"{other}|azure"} <= {row.key for row in store.list_in_flight()}
    for row in (*store.list_customer_in_flight(one), *store.list_customer_in_flight(other)):
        store.delete_in_flight(row)
    assert store.list_customer_in_flight(one) == []


def test_rows_that_somebody_has_spoilt_are_left_out_and_told_of(
    system: System, store: OperatorStore, customer: str
) -> None:
    spoilt = {"status": "Nonsense", "state": "Nonsense", "customerId": customer, "finishedAt": NOON}
    keys = {RESULTS: (customer, "azure|spoilt"), IN_FLIGHT: ("open", f"{customer}|spoilt")}
    with system.connect() as connections:
        tables: dict[str, TableClient] = {name: connections.open_table(name) for name in keys}
        for name, (partition, row) in keys.items():
            tables[name].create_entity({"PartitionKey": partition, "RowKey": row, **spoilt})
        try:
            assert found(store, customer) == ["r0", "r1", "r2"]
            assert len(store.list_customer_results(customer)) == 3
            assert store.list_customer_in_flight(customer) == []
            assert customer not in {row.customer_id for row in store.list_in_flight()}
            assert store.count_results()[Status.COMPLETED]
        finally:
            for name, (partition, row) in keys.items():
                tables[name].delete_entity(partition, row)
    assert store.unreadable == {f"{partition}|{row}" for partition, row in keys.values()}


def test_a_missing_role_is_no_outage(system: System, store: OperatorStore) -> None:
    rule = {"name": "no", "do": "answer", "path": RESULTS, "code": "AuthorizationPermissionMismatch"}
    system.rule("storage_front", {**rule, "status": 403})
    with pytest.raises(AccessRefused, match="403"):
        list(store.list_all_results())
    system.rule("storage_front", {**rule, "status": 500, "code": "InternalError"})
    with pytest.raises(StoreUnavailable, match="500") as caught:
        list(store.list_all_results())
    assert not isinstance(caught.value, AccessRefused)


def test_who_has_not_signed_in_reads_that(system: System, store: OperatorStore) -> None:
    system.rule("identity", {"name": "out", "do": "answer", "status": 400, "code": "invalid_request"})
    with pytest.raises(ClientAuthenticationError):
        list(store.list_in_flight())
    ended = system.run("status", "--json")
    assert (ended.code, ended.out) == (3, "")
    assert "az login" in ended.err
    assert json.dumps(ended.err).count("\\n") == 1
