"""Table Storage through its front, with the unmodified `azure-data-tables`: what passes, breaks, and is recorded."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path
from ssl import create_default_context
from typing import Any
from uuid import uuid4

import pytest
import requests
from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.data.tables import TableClient, TableServiceClient, UpdateMode
from azure.identity import DefaultAzureCredential

from local.azurite import create_missing_tables
from local.component import Component, start
from local.http import Request, Response, Server
from local.tls import Tls

SERVICE_BUSY = {"name": "busy", "do": "answer", "status": 503, "code": "ServerBusy"}
LOST = {"name": "lost", "do": "reset", "when": "after", "method": "POST|PUT|PATCH|DELETE"}


class Front:
    """The control of a running front."""

    def __init__(self, component: Component, tls: Tls) -> None:
        self.url: str = component.facts["url"]
        self._control = f"{component.facts['control_url']}/_fake"
        self._ca = str(tls.ca)

    def put(self, *rules: Mapping[str, object]) -> None:
        requests.put(f"{self._control}/faults", json=rules, verify=self._ca, timeout=10).raise_for_status()

    def writes(self, since: object = 0) -> Any:
        return requests.get(f"{self._control}/writes?since={since}", verify=self._ca, timeout=10).json()

    def written(self, table: TableClient) -> list[tuple[str, str, str]]:
        """Kind and keys of the writes to a table."""
        writes = [write for write in self.writes()["writes"] if write["table"] == table.table_name]
        return [(write["kind"], write["partition_key"], write["row_key"]) for write in writes]


def _start(tls: Tls, log: Path, target: str) -> Component:
    return start("local.storage_front", "--tls", str(tls.folder), "--target", target, log=log)


@pytest.fixture(scope="module")
def running(azurite: Component, tls: Tls, component_logs: Path) -> Iterator[Front]:
    component = _start(tls, component_logs / "storage_front.log", azurite.facts["url"])
    yield Front(component, tls)
    assert component.stop() == 0
    assert (component_logs / "storage_front.log").read_text() == ""


@pytest.fixture
def front(running: Front) -> Iterator[Front]:
    yield running
    running.put()


@pytest.fixture
def table(azurite: Component, front: Front, credential: DefaultAzureCredential) -> Iterator[TableClient]:
    """A table of the test's own through the front; the SDK does not try again."""
    name = f"T{uuid4().hex}"
    create_missing_tables(azurite.facts["url"], [name], credential)
    with _client(front.url, name, credential) as table:
        yield table


@pytest.fixture
def behind(azurite: Component, table: TableClient, credential: DefaultAzureCredential) -> Iterator[TableClient]:
    """The same table, without the front."""
    with _client(azurite.facts["url"], table.table_name, credential) as behind:
        yield behind


def _client(url: str, name: str, credential: TokenCredential) -> TableClient:
    return TableClient(url, name, credential=credential, retry_total=0)


def _entity(row_key: str = "row", **columns: object) -> dict[str, object]:
    return {"PartitionKey": "open", "RowKey": row_key, **columns}


def test_everything_passes_through_as_it_is(table: TableClient, behind: TableClient) -> None:
    row_key = "it's 100%|ä~20"
    etag = table.create_entity(_entity(row_key, text="ä", number=7))["etag"]
    assert table.get_entity("open", row_key) == _entity(row_key, text="ä", number=7)
    assert behind.get_entity("open", row_key) == _entity(row_key, text="ä", number=7)
    table.update_entity(
        _entity(row_key, text="b"), UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
    )
    found = list(table.query_entities("RowKey eq @row", parameters={"row": row_key}))
    assert [each["text"] for each in found] == ["b"]
    with pytest.raises(HttpResponseError) as refused:
        table.delete_entity("open", row_key, etag=etag, match_condition=MatchConditions.IfNotModified)
    assert refused.value.status_code == 412
    with pytest.raises(ResourceExistsError):
        table.create_entity(_entity(row_key))
    with pytest.raises(ResourceNotFoundError):
        table.get_entity("open", "no such row")


def test_target_body_and_headers_arrive_and_return_unchanged_but_for_those_of_the_connection(
    tls: Tls, tmp_path: Path
) -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(
            207, b"\x1f\x8b raw", {"Content-Encoding": "gzip", "X-Of-The-Storage": "1", "Keep-Alive": "timeout=1"}
        )

    with Server(answer, tls=tls) as target:
        threading.Thread(target=target.serve_forever, args=(0.01,), daemon=True).start()
        component = _start(tls, tmp_path / "log", f"{target.url}/account")
        try:
            assert component.facts["url"] == f"https://127.0.0.1:{component.facts['port']}/account"
            context = create_default_context(cafile=tls.ca)
            with closing(HTTPSConnection("127.0.0.1", component.facts["port"], timeout=10, context=context)) as client:
                for _ in range(2):
                    headers = {"X-Of-The-Client": "1", "X-Of-The-Hop": "1", "Connection": "keep-alive, X-Of-The-Hop"}
                    client.request("MERGE", "/T%28a%2Fb'%27%29?$filter=a%20b&c+d=%2B", b"\x00body", headers)
                    response = client.getresponse()
                    assert (response.status, response.read()) == (207, b"\x1f\x8b raw")
                    answered = dict(response.getheaders())
        finally:
            assert component.stop() == 0
            target.shutdown()
    assert answered == {"Content-Encoding": "gzip", "X-Of-The-Storage": "1", "Content-Length": "6"}
    assert {(each.method, each.target, each.body) for each in seen} == {
        ("MERGE", "/T%28a%2Fb'%27%29?$filter=a%20b&c+d=%2B", b"\x00body")
    }
    assert {name: value for name, value in seen[0].headers.items() if name != "Host"} == {
        "Accept-Encoding": "identity",  # http.client's
        "Content-Length": "5",
        "X-Of-The-Client": "1",
    }
    assert seen[0].headers["Host"] == f"127.0.0.1:{component.facts['port']}"
    assert len({each.connection for each in seen}) == 1


def test_a_busy_storage_is_an_error_that_the_sdk_understands(front: Front, table: TableClient) -> None:
    front.put(SERVICE_BUSY)
    with pytest.raises(HttpResponseError) as refused:
        list(table.list_entities())
    assert (refused.value.status_code, getattr(refused.value, "error_code", None)) == (503, "ServerBusy")
    with pytest.raises(HttpResponseError) as refused:
        table.create_entity(_entity())
    assert refused.value.status_code == 503
    front.put()
    assert list(table.list_entities()) == []


def test_a_write_whose_answer_is_lost_has_happened_and_is_recorded(
    front: Front, table: TableClient, behind: TableClient
) -> None:
    front.put(LOST)
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        table.create_entity(_entity(text="written"))
    assert behind.get_entity("open", "row")["text"] == "written"
    assert front.written(table) == [("insert", "open", "row")]


def test_a_write_that_was_cut_before_it_arrived_has_not_happened(
    front: Front, table: TableClient, behind: TableClient
) -> None:
    front.put({**LOST, "when": "before"})
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        table.create_entity(_entity())
    assert list(behind.list_entities()) == []
    assert front.written(table) == []


def test_every_write_that_went_through_is_recorded_in_order(front: Front, table: TableClient) -> None:
    before = front.writes()
    began = time.time()
    table.create_entity(_entity("it's", text="a", number=2**30, lineItems="[]", lineItems2="[]"))
    table.update_entity(_entity("it's", text="b"), UpdateMode.REPLACE)
    table.update_entity(_entity("it's", flag=True), UpdateMode.MERGE)
    with pytest.raises(ResourceExistsError):
        table.create_entity(_entity("it's"))
    table.upsert_entity(_entity("new"), UpdateMode.REPLACE)
    table.delete_entity("open", "it's")
    list(table.list_entities())
    since = front.writes(before["next"])
    assert since["next"] == before["next"] + 5
    first, *_, last = since["writes"]
    assert front.written(table) == [
        ("insert", "open", "it's"),
        ("update", "open", "it's"),
        ("update", "open", "it's"),
        ("update", "open", "new"),
        ("delete", "open", "it's"),
    ]
    assert first["fields"] == {"PartitionKey": "open", "RowKey": "it's", "text": "a", "number": 2**30}
    assert [write["fields"].get("text") for write in since["writes"]] == ["a", "b", None, None, None]
    assert (last["pid"], last["fields"]) == (None, {})
    times = [instant for write in since["writes"] for instant in (write["sent_s"], write["answered_s"])]
    assert began <= times[0]
    assert times == sorted(times)
    assert times[-1] <= time.time()
    assert front.writes(since["next"]) == {"next": since["next"], "writes": []}


def test_what_writes_no_entity_is_not_in_the_record(front: Front, credential: DefaultAzureCredential) -> None:
    before = front.writes()
    with TableServiceClient(front.url, credential=credential) as service:
        service.create_table(name := f"T{uuid4().hex}")
        service.delete_table(name)
    assert front.writes() == before


def test_only_numbers_are_a_place_in_the_record(front: Front) -> None:
    assert "error" in front.writes("-1")


def test_a_write_names_the_process_that_the_sdk_ran_in(
    front: Front, table: TableClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_HTTP_USER_AGENT", "pid/4711")
    table.create_entity(_entity())
    assert front.writes()["writes"][-1]["pid"] == 4711


def test_a_storage_that_ends_and_comes_back_looks_like_connection_trouble(
    tls: Tls, tmp_path: Path, credential: DefaultAzureCredential
) -> None:
    options = ("--tls", str(tls.folder), "--state", str(tmp_path / "state"))
    azurite = start("local.azurite", *options, log=tmp_path / "azurite.log")
    component = _start(tls, tmp_path / "front.log", azurite.facts["url"])
    try:
        create_missing_tables(azurite.facts["url"], ["Kept"], credential)
        with _client(component.facts["url"], "Kept", credential) as table:
            table.create_entity(_entity())
            azurite.stop()
            with pytest.raises((ServiceRequestError, ServiceResponseError)):
                table.get_entity("open", "row")
            azurite = start("local.azurite", *options, "--port", str(azurite.facts["port"]), log=tmp_path / "log")
            assert table.get_entity("open", "row")["RowKey"] == "row"
    finally:
        assert component.stop() == 0
        azurite.stop()
    assert (tmp_path / "front.log").read_text() == ""
