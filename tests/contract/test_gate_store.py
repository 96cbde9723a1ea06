"""What every store does with the gate, the one in memory and Table Storage alike."""

from dataclasses import replace

import pytest
from azure.data.tables import TableServiceClient

from shared.errors import RowChanged, RowExists, StoreUnavailable
from shared.models import GateState
from shared.upgrade_store import CONTROL, TableStore
from tests.contract.upgrade_stores import CLOSED, NOW, Store


def test_no_row_is_an_open_gate(store: Store) -> None:
    assert store.get_gate() == GateState()


def test_the_gate_is_inserted_updated_and_read(store: Store) -> None:
    closed = store.write_gate(CLOSED)
    assert store.get_gate() == closed == replace(CLOSED, etag=closed.etag)
    opened = store.write_gate(GateState(etag=closed.etag, changed_at=NOW))
    assert store.get_gate() == opened
    assert opened.reason is None


def test_of_two_who_insert_the_gate_one_wins(store: Store) -> None:
    first = store.write_gate(CLOSED)
    with pytest.raises(RowExists):
        store.write_gate(replace(CLOSED, closures=4))
    assert store.get_gate() == first


def test_of_two_who_update_the_gate_one_wins(store: Store) -> None:
    read = store.write_gate(CLOSED)
    first = store.write_gate(replace(read, closures=4))
    with pytest.raises(RowChanged):
        store.write_gate(replace(read, closures=5))
    assert store.get_gate() == first


def test_a_gate_that_somebody_has_spoilt_cannot_be_read(table_store: TableStore, tables: TableServiceClient) -> None:
    spoilt = {"PartitionKey": "gate", "RowKey": "partner-center", "position": "ajar"}
    tables.get_table_client(CONTROL).upsert_entity(spoilt)
    with pytest.raises(StoreUnavailable):
        table_store.get_gate()
