"""Table Storage with the unmodified `azure-data-tables` and Entra tokens, and how the part ends."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from azure.core import MatchConditions
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.data.tables import TableClient, UpdateMode
from azure.identity import DefaultAzureCredential

from local.azurite import create_missing_tables
from local.component import REPOSITORY, Component, start
from local.tls import Tls

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
def table(azurite: Component, credential: DefaultAzureCredential) -> Iterator[TableClient]:
    name = f"T{uuid4().hex}"
    create_missing_tables(azurite.facts["url"], [name], credential)
    with TableClient(azurite.facts["url"], name, credential=credential) as table:
        yield table


def _entity(row_key: str = "row", **columns: object) -> dict[str, object]:
    return {"PartitionKey": "open", "RowKey": row_key, **columns}


def test_an_entity_comes_back_as_it_was_created(table: TableClient) -> None:
    table.create_entity(_entity("a|b~20", text="ä", number=7, flag=True, instant=NOW))
    read = table.get_entity("open", "a|b~20")
    assert (read["text"], read["number"], read["flag"], read["instant"]) == ("ä", 7, True, NOW)


def test_an_entity_is_created_once(table: TableClient) -> None:
    table.create_entity(_entity(text="first"))
    with pytest.raises(ResourceExistsError) as refused:
        table.create_entity(_entity(text="second"))
    assert refused.value.status_code == 409
    assert table.get_entity("open", "row")["text"] == "first"


def test_a_conditional_write_fails_where_the_entity_has_changed(table: TableClient) -> None:
    table.create_entity(_entity(text="first"))
    old = table.get_entity("open", "row").metadata["etag"]
    written = table.update_entity(
        _entity(text="second"), UpdateMode.REPLACE, etag=old, match_condition=MatchConditions.IfNotModified
    )
    with pytest.raises(HttpResponseError) as refused:
        table.update_entity(
            _entity(text="third"), UpdateMode.REPLACE, etag=old, match_condition=MatchConditions.IfNotModified
        )
    assert refused.value.status_code == 412
    read = table.get_entity("open", "row")
    assert (read["text"], read.metadata["etag"]) == ("second", written["etag"])


def test_a_conditional_delete_fails_where_the_entity_has_changed(table: TableClient) -> None:
    table.create_entity(_entity())
    old = table.get_entity("open", "row").metadata["etag"]
    new = table.upsert_entity(_entity(text="changed"))["etag"]
    with pytest.raises(HttpResponseError) as refused:
        table.delete_entity("open", "row", etag=old, match_condition=MatchConditions.IfNotModified)
    assert refused.value.status_code == 412
    table.delete_entity("open", "row", etag=new, match_condition=MatchConditions.IfNotModified)
    assert list(table.list_entities()) == []


def test_an_upsert_creates_merges_and_replaces(table: TableClient) -> None:
    table.upsert_entity(_entity(a="1"))
    table.upsert_entity(_entity(b="2"), UpdateMode.MERGE)
    merged = table.get_entity("open", "row")
    assert (merged["a"], merged["b"]) == ("1", "2")
    table.upsert_entity(_entity(c="3"), UpdateMode.REPLACE)
    assert set(table.get_entity("open", "row")) == {"PartitionKey", "RowKey", "c"}


def test_due_rows_of_a_partition_are_found_by_a_filter(table: TableClient) -> None:
    for minutes in (-2, -1, 0, 1):
        table.create_entity(_entity(f"{minutes}", nextAttemptAt=NOW + timedelta(minutes=minutes)))
    table.create_entity({"PartitionKey": "other", "RowKey": "-1", "nextAttemptAt": NOW - timedelta(minutes=1)})
    due = table.query_entities(
        "PartitionKey eq @partition and nextAttemptAt le @now", parameters={"partition": "open", "now": NOW}
    )
    assert sorted(each["RowKey"] for each in due) == ["-1", "-2", "0"]


class _NoToken:
    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        return AccessToken("none", 2**31)


@pytest.mark.filterwarnings("ignore:Testing an element's truth value")  # in the SDK, where the error's body is XML
def test_whoever_has_no_token_is_refused(azurite: Component, table: TableClient) -> None:
    with (
        TableClient(azurite.facts["url"], table.table_name, credential=_NoToken()) as stranger,
        pytest.raises(HttpResponseError) as refused,
    ):
        stranger.create_entity(_entity())
    assert refused.value.status_code == 403
    assert list(table.list_entities()) == []


def test_tables_that_exist_are_left_as_they_are(
    azurite: Component, table: TableClient, credential: DefaultAzureCredential
) -> None:
    table.create_entity(_entity())
    create_missing_tables(azurite.facts["url"], [table.table_name], credential)
    assert len(list(table.list_entities())) == 1


def _on_disk(tmp_path: Path, tls: Tls, port: int = 0) -> Component:
    arguments = ("--tls", str(tls.folder), "--state", str(tmp_path / "state"), "--port", str(port))
    return start("local.azurite", *arguments, log=tmp_path / "log")


def _wait_for_count(count: int, text: str, log: Path) -> None:
    deadline = time.monotonic() + 10
    while log.read_text().count(text) < count:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


def _row_keys(azurite: Component, credential: DefaultAzureCredential, *, add: str) -> set[str]:
    """The rows found, before one more is added."""
    create_missing_tables(azurite.facts["url"], ["Kept"], credential)
    with TableClient(azurite.facts["url"], "Kept", credential=credential) as table:
        found = {each["RowKey"] for each in table.list_entities()}
        table.create_entity(_entity(add))
    return found


def test_no_write_is_lost_when_the_part_ends_even_when_it_is_killed(
    tmp_path: Path, tls: Tls, credential: DefaultAzureCredential
) -> None:
    before = set(REPOSITORY.iterdir())
    first = _on_disk(tmp_path, tls)
    try:
        assert _row_keys(first, credential, add="first") == set()
    finally:
        assert first.stop() == 0
    second = _on_disk(tmp_path, tls, port=first.facts["port"])
    try:
        assert _row_keys(second, credential, add="second") == {"first"}
    finally:
        assert second.stop(sig=signal.SIGKILL) == -signal.SIGKILL
    _wait_for_count(2, "successfully closed", tmp_path / "log")
    stored = "".join(each.read_text() for each in (tmp_path / "state").iterdir())
    assert '"first"' in stored
    assert '"second"' in stored
    assert {each.name for each in tmp_path.iterdir()} == {"log", "state"}
    assert set(REPOSITORY.iterdir()) == before


def test_the_part_ends_when_its_node_dies(tmp_path: Path, tls: Tls) -> None:
    component = start("local.azurite", "--tls", str(tls.folder), "--in-memory", log=tmp_path / "log")
    os.kill(component.facts["node_pid"], signal.SIGKILL)
    try:
        assert component.process.wait(10) == 1
    finally:
        component.stop()
    assert "ended by itself" in (tmp_path / "log").read_text()


def test_where_node_is_missing_one_line_says_what_to_do(tls: Tls) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "local.azurite", "--tls", str(tls.folder), "--in-memory"],
        cwd=REPOSITORY,
        env={"PATH": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r".*run `make setup`.*\n", ended.stderr)
