"""What the tables alone are measured by, beside what the app does to them."""

import json
from collections.abc import Iterator
from typing import Any

from bench.store_alone import Tables, new_upgrade
from bench.store_limit import length_s
from local.component import REPOSITORY
from shared.entities import columns
from shared.models import InFlightUpgrade, UpgradeResult
from shared.upgrades import claim, submit_claimed
from tests.fakes import InMemoryStore, World, request


class _NotingStore(InMemoryStore):
    """Notes what is asked of it, and the columns that are written."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[str, frozenset[str]]] = []

    def insert_in_flight(self, row: InFlightUpgrade) -> InFlightUpgrade:
        self.noted.append(("insert", frozenset(columns(row))))
        return super().insert_in_flight(row)

    def update_in_flight(self, row: InFlightUpgrade) -> InFlightUpgrade:
        self.noted.append(("update", frozenset(columns(row))))
        return super().update_in_flight(row)

    def list_results(self, customer_id: str, product_family: str) -> list[UpgradeResult]:
        self.noted.append(("query", frozenset()))
        return super().list_results(customer_id, product_family)


class _NotingTable:
    """`TableClient`, as far as it is used; the same notes."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, frozenset[str]]] = []

    def create_entity(self, entity: dict[str, Any]) -> dict[str, Any]:
        self.noted.append(("insert", frozenset(entity) - {"PartitionKey", "RowKey"}))
        return {"etag": "1"}

    def update_entity(self, entity: dict[str, Any], **options: object) -> None:
        assert options["etag"] == "1"
        self.noted.append(("update", frozenset(entity) - {"PartitionKey", "RowKey"}))

    def query_entities(self, query: str, **options: object) -> Iterator[dict[str, Any]]:
        self.noted.append(("query", frozenset()))
        return iter(())


def test_the_tables_alone_are_measured_by_what_an_upgrade_does_to_them() -> None:
    store, table = _NotingStore(), _NotingTable()
    world = World(store=store)
    lease = claim(world.ports, request())
    assert lease
    submit_claimed(world.ports, lease)
    Tables(table, table).create(new_upgrade())  # type: ignore[arg-type]  # a double
    assert table.noted == store.noted
    assert [operation for operation, _ in store.noted] == ["insert", "query", "update"]


def test_processes_that_ran_together_took_from_the_first_beginning_to_the_last_end() -> None:
    assert length_s([(10.0, 12.0), (10.5, 13.0), (11.0, 11.5)]) == 3


def test_the_function_that_makes_one_call_runs_as_the_app_does() -> None:
    for name in ("host.json", "CreateUpgrade/function.json"):
        own = json.loads((REPOSITORY / "bench" / "one_call" / name).read_text())
        assert own == json.loads((REPOSITORY / name).read_text())
