"""A store that is out says so, whatever is asked of it, and within its deadline."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from azure.core.credentials import AzureNamedKeyCredential
from azure.identity import DefaultAzureCredential

from local.component import Component
from shared import transport, wiring
from shared.errors import StoreUnavailable
from shared.models import GateState
from shared.upgrade_store import TableStore
from tests.contract.upgrade_stores import NOW, Store, result_of, row_of, table_service
from tests.fakes import InMemoryStore, settings
from tests.unit.raw_server import Peer, raw_server

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


@contextmanager
def _ends_within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


class _Elsewhere(transport.DeadlineTransport):
    """Every table is called otherwise, so that none is found."""

    def send(self, request: Any, **kwargs: Any) -> Any:
        request.url = request.url.replace("devstoreaccount2/Upgrade", "devstoreaccount1/Missing")
        return super().send(request, **kwargs)


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
    with table_service(elsewhere, credential, _Elsewhere(session)) as service, pytest.raises(StoreUnavailable):
        call(TableStore(service.get_table_client, 5))


@calls
def test_storage_that_does_not_answer_is_unavailable_within_the_deadline(
    credential: DefaultAzureCredential, session: requests.Session, call: Callable[[Store], object]
) -> None:
    with (
        raw_server(lambda peer: peer.wait_until_gone()) as server,
        table_service(
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
            table_service(azurite.facts["url"], credential, sender) as service,
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
        table_service(f"{server.url}/account", key, transport.DeadlineTransport(session)) as service,
        _ends_within(2),
        pytest.raises(StoreUnavailable),
    ):
        call(TableStore(service.get_table_client, 1))


def test_the_sdks_own_retries_do_not_sleep_past_the_deadline(
    credential: DefaultAzureCredential, session: requests.Session
) -> None:
    refusing = settings(tables_url="https://127.0.0.1:9/devstoreaccount1")
    open_table = wiring._tables(refusing, credential, transport.DeadlineTransport(session))
    with _ends_within(0.5), pytest.raises(StoreUnavailable):
        TableStore(open_table, 0.3).get_gate()
