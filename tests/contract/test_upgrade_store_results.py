"""What every store does with results, the one in memory and Table Storage alike."""

from dataclasses import replace
from uuid import uuid4

import pytest
from azure.data.tables import TableServiceClient

from shared.errors import RowChanged, RowExists
from shared.models import Status
from shared.upgrade_store import TableStore
from tests.contract.upgrade_stores import NOW, Store, result_of
from tests.fakes import InMemoryStore


def test_a_result_comes_back_as_it_was_inserted(store: Store, customer_id: str) -> None:
    full = result_of(
        customer_id,
        status=Status.PARTIALLY_COMPLETED,
        attempts=1,
        polls=2,
        upgrade_id="u",
        adopted=True,
        claimed_at=NOW,
        submitted_at=NOW,
        server_status="Completed",
        error_code="900120",
        error_description="\N{PILE OF POO}" * 4000,
        line_items=tuple({"status": "Failed", "name": f"{number} ä \ud800", "n": None} for number in range(1000)),
        ms_request_id="m",
    )
    inserted = store.insert_result(full)
    assert inserted == replace(full, etag=inserted.etag)
    assert store.get_result(customer_id, "AZURE", "r1") == inserted


def test_a_result_is_inserted_once(store: Store, customer_id: str) -> None:
    first = store.insert_result(result_of(customer_id, status=Status.FAILED))
    with pytest.raises(RowExists):
        store.insert_result(result_of(customer_id, status=Status.COMPLETED))
    assert store.list_results(customer_id, "Azure") == [first]


@pytest.mark.parametrize("character", [chr(code) for code in range(0x21, 0x7F)])
def test_every_request_id_has_a_result_of_its_own(tables: TableServiceClient, customer_id: str, character: str) -> None:
    for store in (InMemoryStore(), TableStore(tables.get_table_client, 5)):
        one = store.insert_result(result_of(customer_id, f"a{character}b"))
        other = store.insert_result(result_of(customer_id, f"a{character}{character}b"))
        assert store.get_result(customer_id, "Azure", f"a{character}b") == one
        assert store.get_result(customer_id, "Azure", f"a{character}c") is None
        assert {each.request_id: each for each in store.list_results(customer_id, "Azure")} == {
            one.request_id: one,
            other.request_id: other,
        }


def test_request_ids_that_differ_in_case_alone_are_two(store: Store, customer_id: str) -> None:
    upper, lower = (store.insert_result(result_of(customer_id, request_id)) for request_id in ("ABC", "abc"))
    assert store.get_result(customer_id, "Azure", "ABC") == upper
    assert store.get_result(customer_id, "Azure", "abc") == lower


def test_results_are_listed_by_customer_and_family(store: Store, customer_id: str) -> None:
    families = ("Azure", "Azure2", "Azure plan", "Azure-x", "Azur", "Azure.", "Azurf")
    for family in families:
        for request_id in ("!", "r1", "~"):
            store.insert_result(result_of(customer_id, request_id, product_family=family))
    store.insert_result(result_of(str(uuid4())))
    for family in families:
        found = store.list_results(customer_id, family.upper())
        assert {(each.product_family, each.request_id) for each in found} == {(family, r) for r in ("!", "r1", "~")}
    assert store.list_results(str(uuid4()), "Azure") == []


def test_a_duplicate_gives_way_to_a_verdict_under_its_etag(store: Store, customer_id: str) -> None:
    duplicate = store.insert_result(result_of(customer_id, status=Status.DUPLICATE, duplicate_of="r0"))
    verdict = store.update_result(replace(duplicate, status=Status.FAILED, duplicate_of=None))
    assert store.get_result(customer_id, "Azure", "r1") == verdict
    with pytest.raises(RowChanged):
        store.update_result(replace(duplicate, status=Status.COMPLETED, duplicate_of=None))
    assert store.list_results(customer_id, "Azure") == [verdict]


def test_the_largest_result_with_the_longest_key_can_be_stored(table_store: TableStore, customer_id: str) -> None:
    texts = dict.fromkeys(("error_description", "error_code", "server_status"), "\N{PILE OF POO}" * 4096)
    many = ({"status": "Failed", "text": "x" * 4000},) * 300
    family, request_id = "x" * 64, "/" * 128
    table_store.insert_result(result_of(customer_id, request_id, product_family=family, line_items=many, **texts))
    stored = table_store.get_result(customer_id, family, request_id)
    assert stored
    assert (stored.product_family, stored.request_id) == (family, request_id)
    assert 0 < len(stored.line_items) == len(many) - stored.line_items_omitted
