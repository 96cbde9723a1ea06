"""What every store does with rows in flight, the one in memory and Table Storage alike."""

import itertools
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from azure.data.tables import TableServiceClient

from shared.entities import columns, entity, in_flight_key
from shared.errors import RowChanged, RowExists
from shared.models import Reason, State
from shared.upgrade_store import IN_FLIGHT, TableStore
from tests.contract.upgrade_stores import NOW, Store, row_of
from tests.unit import rows


def test_a_row_comes_back_as_it_was_inserted(store: Store, customer_id: str) -> None:
    full = row_of(
        customer_id,
        state=State.DEFERRED,
        submitted_at=NOW,
        refused_at=NOW,
        upgrade_id="u",
        adopted=True,
        attempts=3,
        polls=2**31 - 1,
        refusals=1,
        refused_code="900130",
        answered_ms_request_id="cccccccc-0000-4000-8000-000000000000",
        setbacks=4,
        unauthorized=True,
        recreated=True,
        last_reason=Reason.THROTTLED,
        last_code="429",
        last_description="äöü \N{PILE OF POO} ' \" \\ \x00\x01\n",
    )
    inserted = store.insert_in_flight(full)
    assert inserted.etag
    assert inserted == replace(full, etag=inserted.etag)
    assert store.get_in_flight(customer_id, "Azure") == inserted


def test_a_row_that_is_not_there_is_none(store: Store, customer_id: str) -> None:
    store.insert_in_flight(row_of(customer_id))
    assert store.get_in_flight(customer_id, "Azure2") is None
    assert store.get_in_flight(str(uuid4()), "Azure") is None


def test_there_is_one_row_per_customer_and_family(store: Store, customer_id: str) -> None:
    first = store.insert_in_flight(row_of(customer_id, request_id="first"))
    with pytest.raises(RowExists):
        store.insert_in_flight(row_of(customer_id, request_id="second", product_family="AZURE"))
    assert store.get_in_flight(customer_id, "Azure") == first
    store.insert_in_flight(row_of(customer_id, product_family="Azure plan"))


def test_a_claim_is_not_taken_for_anothers_though_nothing_but_its_ids_differ(store: Store, customer_id: str) -> None:
    store.insert_in_flight(row_of(customer_id, ms_request_id="one"))
    with pytest.raises(RowExists):
        store.insert_in_flight(row_of(customer_id, ms_request_id="two"))


def test_an_update_writes_the_whole_row(store: Store, customer_id: str) -> None:
    inserted = store.insert_in_flight(row_of(customer_id, last_code="429", upgrade_id="u"))
    updated = store.update_in_flight(replace(inserted, last_code=None, attempts=1))
    assert updated.etag not in ("", inserted.etag)
    assert store.get_in_flight(customer_id, "Azure") == updated
    assert (updated.last_code, updated.upgrade_id, updated.attempts) == (None, "u", 1)


def test_an_update_of_a_row_that_somebody_else_has_written_changes_nothing(store: Store, customer_id: str) -> None:
    read = store.insert_in_flight(row_of(customer_id))
    theirs = store.update_in_flight(replace(read, attempts=1))
    with pytest.raises(RowChanged):
        store.update_in_flight(replace(read, attempts=2))
    assert store.get_in_flight(customer_id, "Azure") == theirs


def test_an_update_of_a_row_that_is_gone_does_not_bring_it_back(store: Store, customer_id: str) -> None:
    read = store.insert_in_flight(row_of(customer_id))
    store.delete_in_flight(read)
    with pytest.raises(RowChanged):
        store.update_in_flight(replace(read, attempts=1))
    assert store.get_in_flight(customer_id, "Azure") is None


def test_a_row_is_deleted_under_its_etag(store: Store, customer_id: str) -> None:
    read = store.insert_in_flight(row_of(customer_id))
    theirs = store.update_in_flight(replace(read, attempts=1))
    with pytest.raises(RowChanged):
        store.delete_in_flight(read)
    assert store.get_in_flight(customer_id, "Azure") == theirs
    store.delete_in_flight(theirs)
    assert store.get_in_flight(customer_id, "Azure") is None


def test_a_row_that_is_gone_counts_as_deleted(store: Store, customer_id: str) -> None:
    read = store.insert_in_flight(row_of(customer_id))
    store.delete_in_flight(read)
    store.delete_in_flight(read)
    assert store.get_in_flight(customer_id, "Azure") is None


def test_a_row_that_was_claimed_anew_is_not_deleted_by_its_old_etag(store: Store, customer_id: str) -> None:
    old = store.insert_in_flight(row_of(customer_id, request_id="old"))
    store.delete_in_flight(old)
    new = store.insert_in_flight(row_of(customer_id, request_id="new"))
    with pytest.raises(RowChanged):
        store.delete_in_flight(old)
    assert store.get_in_flight(customer_id, "Azure") == new


def test_due_are_the_rows_whose_time_has_come(store: Store) -> None:
    short = timedelta(milliseconds=1)  # the emulator does not compare more exactly; the service does
    delays = (-timedelta(days=400), -short, timedelta(0), short, timedelta(days=400))
    inserted = [store.insert_in_flight(row_of(str(uuid4()), next_attempt_at=NOW + delay)) for delay in delays]
    due = {row.customer_id: row for row in store.list_due(NOW)}
    assert due == {row.customer_id: row for row in inserted[:3]}


def test_a_row_that_was_deferred_is_no_longer_due(store: Store, customer_id: str) -> None:
    row = store.insert_in_flight(row_of(customer_id))
    store.update_in_flight(replace(row, next_attempt_at=NOW + timedelta(hours=1)))
    assert store.list_due(NOW) == []


def test_rows_in_flight_are_listed_whether_they_are_due_or_not(store: Store) -> None:
    times = (NOW - timedelta(days=1), NOW + timedelta(days=1))
    inserted = [store.insert_in_flight(row_of(str(uuid4()), next_attempt_at=at)) for at in times]
    assert {row.key: row for row in store.list_in_flight()} == {row.key: row for row in inserted}


def test_a_row_of_the_census_has_what_it_counts_and_no_more(store: Store) -> None:
    waits = store.insert_in_flight(row_of(str(uuid4()), last_reason=Reason.GATE))
    polled = store.insert_in_flight(row_of(str(uuid4()), state=State.IN_PROGRESS, submitted_at=NOW))
    counted = {row.etag: row for row in store.list_census()}
    for row in (waits, polled):
        found = counted[row.etag]
        said = (found.state, found.requested_at, found.submitted_at, found.last_reason)
        assert said == (row.state, row.requested_at, row.submitted_at, row.last_reason)


# Table Storage alone


def test_more_rows_than_fit_into_a_page_are_all_found(tables: TableServiceClient, table_store: TableStore) -> None:
    inserted = [row_of(str(uuid4())) for _ in range(1001)]
    entities = [entity(in_flight_key(row), columns(row)) for row in inserted]
    table = tables.get_table_client(IN_FLIGHT)
    for batch in itertools.batched(entities, 100, strict=False):
        table.submit_transaction([("create", each) for each in batch])
    keys = {row.key for row in inserted}
    assert {row.key for row in table_store.list_due(NOW)} == keys
    assert {row.key for row in table_store.list_in_flight()} == keys


def test_a_row_that_somebody_has_spoilt_does_not_keep_the_others_waiting(
    table_store: TableStore, tables: TableServiceClient, caplog: pytest.LogCaptureFixture
) -> None:
    good = table_store.insert_in_flight(rows.in_flight())
    spoilt = {"PartitionKey": "open", "RowKey": "spoilt|azure", "nextAttemptAt": NOW, "state": "Lost"}
    tables.get_table_client(IN_FLIGHT).create_entity(spoilt)
    assert table_store.list_due(NOW) == [good]
    assert list(table_store.list_in_flight()) == [good]
    assert [row.etag for row in table_store.list_census()] == [good.etag]
    assert '"row_key": "spoilt|azure"' in caplog.text
