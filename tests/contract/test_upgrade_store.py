"""What every store does, the one in memory and Table Storage alike; and what only a store far away must do."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

import pytest
import requests
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import ServiceResponseError
from azure.data.tables import TableServiceClient
from azure.identity import DefaultAzureCredential

from local.azurite import create_missing_tables
from local.component import Component
from local.tls import Tls
from shared import transport, wiring
from shared.entities import columns, entity, in_flight_key
from shared.errors import RowChanged, RowExists, StoreUnavailable
from shared.gate import GateStore
from shared.models import GateReason, GateState, InFlightUpgrade, Position, Reason, State, Status, UpgradeResult
from shared.ports import UpgradeStore
from shared.upgrade_store import CONTROL, IN_FLIGHT, TABLES, TableStore
from tests.fakes import InMemoryStore, settings
from tests.unit import rows
from tests.unit.raw_server import Peer, raw_server

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)


class Store(UpgradeStore, GateStore, Protocol):
    """Both in one, as both are."""


@pytest.fixture(scope="module")
def session(tls: Tls) -> Iterator[requests.Session]:
    with transport.new_session(connections=16, ca_file=str(tls.ca)) as session:
        yield session


@pytest.fixture(scope="module")
def tables(
    azurite: Component, credential: DefaultAzureCredential, session: requests.Session
) -> Iterator[TableServiceClient]:
    """As the wiring makes it."""
    create_missing_tables(azurite.facts["url"], TABLES, credential)
    with _service(azurite.facts["url"], credential, transport.DeadlineTransport(session)) as service:
        yield service


def _service(url: str, credential: Any, sender: Any) -> TableServiceClient:
    return TableServiceClient(url, credential=credential, transport=sender, retry_total=3, retry_backoff_factor=0.01)


@pytest.fixture
def table_store(tables: TableServiceClient) -> TableStore:
    """Empty, but for results: they are of customers of other tests."""
    for name in (IN_FLIGHT, CONTROL):
        table = tables.get_table_client(name)
        keys = list(table.list_entities(select=["PartitionKey", "RowKey"]))
        for batch in itertools.batched(keys, 100, strict=False):
            table.submit_transaction([("delete", key) for key in batch])
    return TableStore(tables.get_table_client, 5)


@pytest.fixture(params=["in memory", "Table Storage"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "in memory":
        return InMemoryStore()
    found: TableStore = request.getfixturevalue("table_store")
    return found


@pytest.fixture
def customer_id() -> str:
    return str(uuid4())


def row_of(customer_id: str, **changed: Any) -> InFlightUpgrade:
    return rows.in_flight(**{"customer_id": customer_id, "next_attempt_at": NOW, "claimed_at": NOW} | changed)


def result_of(customer_id: str, request_id: str = "r1", **changed: Any) -> UpgradeResult:
    return rows.result(customer_id=customer_id, request_id=request_id, finished_at=NOW, **changed)


# Rows in flight


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


def test_a_row_is_found_by_its_family_in_any_case(store: Store, customer_id: str) -> None:
    inserted = store.insert_in_flight(row_of(customer_id, product_family="Azure"))
    assert store.get_in_flight(customer_id, "AZURE") == inserted


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


# Results


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


def test_the_longest_request_id_has_a_result(store: Store, customer_id: str) -> None:
    inserted = store.insert_result(result_of(customer_id, "/" * 128, product_family="x" * 64))
    assert store.get_result(customer_id, "x" * 64, "/" * 128) == inserted


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


# The gate


def test_no_row_is_an_open_gate(store: Store) -> None:
    assert store.get_gate() == GateState()


CLOSED = GateState(
    position=Position.CLOSED,
    reason=GateReason.THROTTLED,
    detail="429",
    until_at=NOW + timedelta(minutes=1),
    changed_at=NOW,
    closures=3,
    closed_by="a|b",
)


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


# A store that is out

CALLS: dict[str, Callable[[Store], object]] = {
    "insert_in_flight": lambda store: store.insert_in_flight(row_of("c")),
    "get_in_flight": lambda store: store.get_in_flight("c", "Azure"),
    "update_in_flight": lambda store: store.update_in_flight(row_of("c", etag='W/"x"')),
    "list_due": lambda store: store.list_due(NOW),
    "list_in_flight": lambda store: list(store.list_in_flight()),
    "list_census": lambda store: list(store.list_census()),
    "insert_result": lambda store: store.insert_result(result_of("c")),
    "get_result": lambda store: store.get_result("c", "Azure", "r"),
    "update_result": lambda store: store.update_result(result_of("c", etag='W/"x"')),
    "list_results": lambda store: store.list_results("c", "Azure"),
    "get_gate": lambda store: store.get_gate(),
    "write_gate": lambda store: store.write_gate(GateState()),
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@calls
def test_a_fake_that_is_out_says_so(call: Callable[[Store], object]) -> None:
    store = InMemoryStore()
    store.out = True
    with pytest.raises(StoreUnavailable):
        call(store)


@calls
def test_a_missing_table_is_not_a_missing_row(
    azurite: Component,
    credential: DefaultAzureCredential,
    session: requests.Session,
    call: Callable[[Store], object],
) -> None:
    elsewhere = azurite.facts["url"].replace("devstoreaccount1", "devstoreaccount2")
    with _service(elsewhere, credential, _Elsewhere(session)) as service, pytest.raises(StoreUnavailable):
        call(TableStore(service.get_table_client, 5))


class _Elsewhere(transport.DeadlineTransport):
    """Every table is called otherwise, so that none is found."""

    def send(self, request: Any, **kwargs: Any) -> Any:
        request.url = request.url.replace("devstoreaccount2/Upgrade", "devstoreaccount1/Missing")
        return super().send(request, **kwargs)


@contextmanager
def _ends_within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@calls
def test_storage_that_does_not_answer_is_unavailable_within_the_deadline(
    credential: DefaultAzureCredential, session: requests.Session, call: Callable[[Store], object]
) -> None:
    with (
        raw_server(lambda peer: peer.wait_until_gone()) as server,
        _service(
            f"https://127.0.0.1:{server.port}/account", credential, transport.DeadlineTransport(session)
        ) as service,
        _ends_within(0.3),
        pytest.raises(StoreUnavailable),
    ):
        call(TableStore(service.get_table_client, 0.1))


def test_an_identity_that_does_not_answer_makes_storage_unavailable_within_the_deadline(
    azurite: Component,
    cloud_environment: None,
    session: requests.Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with raw_server(lambda peer: peer.wait_until_gone()) as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        sender = transport.DeadlineTransport(session)
        with (
            DefaultAzureCredential(transport=sender) as credential,
            _service(azurite.facts["url"], credential, sender) as service,
            _ends_within(0.6),
            pytest.raises(StoreUnavailable),
        ):
            TableStore(service.get_table_client, 0.2).get_gate()
        assert server.connections >= 1


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 x\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 403 x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull",
        b"",
    ],
    ids=["503", "500 html", "403", "404", "200 html", "200 null", "cut"],
)
@pytest.mark.parametrize("call", [CALLS["get_gate"], CALLS["insert_in_flight"], CALLS["update_in_flight"]])
def test_an_answer_that_is_no_use_makes_storage_unavailable(
    session: requests.Session, call: Callable[[Store], object], reply: bytes
) -> None:
    def script(peer: Peer) -> None:
        while True:
            peer.answer(reply)
            if not reply:
                return

    key = AzureNamedKeyCredential("account", "a2V5")  # a token would insist on https
    with (
        raw_server(script) as server,
        _service(f"{server.url}/account", key, transport.DeadlineTransport(session)) as service,
        _ends_within(2),
        pytest.raises(StoreUnavailable),
    ):
        call(TableStore(service.get_table_client, 1))


# Table Storage far away


def test_more_rows_than_fit_into_a_page_are_all_found(tables: TableServiceClient, table_store: TableStore) -> None:
    inserted = [row_of(str(uuid4())) for _ in range(1001)]
    entities = [entity(in_flight_key(row), columns(row)) for row in inserted]
    table = tables.get_table_client(IN_FLIGHT)
    for batch in itertools.batched(entities, 100, strict=False):
        table.submit_transaction([("create", each) for each in batch])
    keys = {row.key for row in inserted}
    assert {row.key for row in table_store.list_due(NOW)} == keys
    assert {row.key for row in table_store.list_in_flight()} == keys


class LosesAnswers(transport.DeadlineTransport):
    """Lets requests of one method pass, and loses the answer to the first: `how` is what the SDK meets instead."""

    def __init__(self, session: requests.Session, method: str, how: str) -> None:
        super().__init__(session)
        self._method, self._how = method, how
        self.sent = 0

    def send(self, request: Any, **kwargs: Any) -> Any:
        answer = super().send(request, **kwargs)
        if request.method != self._method:
            return answer
        self.sent += 1
        if self.sent > 1:
            return answer
        assert answer.status_code < 300, "the first was to be processed"
        if self._how == "cut":
            raise ServiceResponseError("Connection aborted.")
        answer.internal_response.status_code = answer.status_code = 503
        return answer


@contextmanager
def losing(
    azurite: Component, credential: DefaultAzureCredential, session: requests.Session, method: str, how: str
) -> Iterator[tuple[TableStore, LosesAnswers]]:
    sender = LosesAnswers(session, method, how)
    with _service(azurite.facts["url"], credential, sender) as service:
        yield TableStore(service.get_table_client, 5), sender


def test_an_insert_whose_answer_is_lost_is_recognised_as_our_own(
    azurite: Component,
    credential: DefaultAzureCredential,
    session: requests.Session,
    table_store: TableStore,
    customer_id: str,
) -> None:
    with losing(azurite, credential, session, "POST", "503") as (store, sender):
        inserted = store.insert_in_flight(row_of(customer_id))
        assert sender.sent == 2
        assert table_store.get_in_flight(customer_id, "Azure") == inserted
    with losing(azurite, credential, session, "POST", "503") as (store, sender):
        result = store.insert_result(result_of(customer_id, line_items=({"a": 1},) * 9000))
        assert sender.sent == 2
        assert table_store.get_result(customer_id, "Azure", "r1") == result
    with losing(azurite, credential, session, "POST", "503") as (store, sender):
        gate = store.write_gate(CLOSED)
        assert sender.sent == 2
        assert table_store.get_gate() == gate


@pytest.mark.parametrize("how", ["cut", "503"])
def test_an_update_whose_answer_is_lost_is_recognised_as_our_own(
    azurite: Component,
    credential: DefaultAzureCredential,
    session: requests.Session,
    table_store: TableStore,
    customer_id: str,
    how: str,
) -> None:
    row = table_store.insert_in_flight(row_of(customer_id))
    with losing(azurite, credential, session, "PUT", how) as (store, sender):
        updated = store.update_in_flight(replace(row, attempts=1, last_reason=Reason.GATE, submitted_at=NOW))
        assert sender.sent == 2
        assert table_store.get_in_flight(customer_id, "Azure") == updated
        store.update_in_flight(replace(updated, attempts=2))


@pytest.mark.parametrize("how", ["cut", "503"])
def test_a_delete_whose_answer_is_lost_has_deleted(
    azurite: Component,
    credential: DefaultAzureCredential,
    session: requests.Session,
    table_store: TableStore,
    customer_id: str,
    how: str,
) -> None:
    row = table_store.insert_in_flight(row_of(customer_id))
    with losing(azurite, credential, session, "DELETE", how) as (store, sender):
        store.delete_in_flight(row)
        assert sender.sent == 2
    assert table_store.get_in_flight(customer_id, "Azure") is None


def test_an_insert_whose_connection_is_cut_leaves_its_outcome_to_the_caller(
    azurite: Component,
    credential: DefaultAzureCredential,
    session: requests.Session,
    table_store: TableStore,
    customer_id: str,
) -> None:
    with losing(azurite, credential, session, "POST", "cut") as (store, _), pytest.raises(StoreUnavailable):
        store.insert_in_flight(row_of(customer_id))
    assert table_store.get_in_flight(customer_id, "Azure") is not None


def test_the_largest_result_can_be_stored(table_store: TableStore, customer_id: str) -> None:
    texts = dict.fromkeys(("error_description", "error_code", "server_status"), "\N{PILE OF POO}" * 4096)
    many = ({"status": "Failed", "text": "x" * 4000},) * 300
    inserted = table_store.insert_result(result_of(customer_id, "/" * 128, line_items=many, **texts))
    stored = table_store.get_result(customer_id, "Azure", inserted.request_id)
    assert stored
    assert 0 < len(stored.line_items) == len(many) - stored.line_items_omitted


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


def test_the_sdks_own_retries_do_not_sleep_past_the_deadline(
    credential: DefaultAzureCredential, session: requests.Session
) -> None:
    refusing = settings(tables_url="https://127.0.0.1:9/devstoreaccount1")
    open_table = wiring._tables(refusing, credential, transport.DeadlineTransport(session))
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        TableStore(open_table, 0.3).get_gate()
    assert time.monotonic() - began < 0.5


def test_a_gate_that_somebody_has_spoilt_cannot_be_read(table_store: TableStore, tables: TableServiceClient) -> None:
    spoilt = {"PartitionKey": "gate", "RowKey": "partner-center", "position": "ajar"}
    tables.get_table_client(CONTROL).upsert_entity(spoilt)
    with pytest.raises(StoreUnavailable):
        table_store.get_gate()
