"""`results`: which results it exports, and as what."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.entities import result_columns
from shared.models import State, Status
from tests.unit.rows import in_flight
from tests.upgradectl.export_support import customers, files_in, of
from tests.upgradectl.operator_support import insert
from tests.upgradectl.results_support import result
from tests.upgradectl.system import System
from upgradectl.export import COLUMNS

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)  # other tests' results are of another time
FULL: dict[str, Any] = {
    "status": Status.PARTIALLY_COMPLETED,
    "duplicate_of": None,
    "upgrade_id": "cccccccc-0000-4000-8000-000000000000",
    "adopted": True,
    "claimed_at": NOON,
    "submitted_at": NOON + timedelta(seconds=1, milliseconds=5),
    "finished_at": NOON + timedelta(hours=1),
    "attempts": 2,
    "polls": 3,
    "server_status": "Completed",
    "error_code": "900120",
    "error_description": '=1+1 "quoted", of two\nlines; übermäßig',
    "line_items": ({"status": "Completed"}, {"status": "Failed", "errorDetails": {"code": 1}}),
    "ms_request_id": "dddddddd-0000-4000-8000-000000000000",
}


def texts(document: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(document, newline="")))


def test_csv_has_all_columns_and_nothing_that_a_spreadsheet_would_run(system: System) -> None:
    (customer,) = customers(1)
    insert(system, result(customer_id=customer, request_id="-r1", requested_at=NOON, **FULL))
    ended = system.call("results", *of(customer))
    assert (ended.code, ended.err) == (0, "")
    (row,) = texts(ended.out)
    assert list(row) == list(COLUMNS)
    assert json.loads(row.pop("lineItems")) == list(FULL["line_items"])
    assert row == {
        "customerId": customer,
        "productFamily": "Azure",
        "requestId": "'-r1",
        "status": "PartiallyCompleted",
        "duplicateOf": "",
        "upgradeId": FULL["upgrade_id"],
        "adopted": "true",
        "requestedAt": "2031-05-01T12:00:00Z",
        "claimedAt": "2031-05-01T12:00:00Z",
        "submittedAt": "2031-05-01T12:00:01.005000Z",
        "finishedAt": "2031-05-01T13:00:00Z",
        "attempts": "2",
        "polls": "3",
        "serverStatus": "Completed",
        "errorCode": "900120",
        "errorDescription": f"'{FULL['error_description']}",
        "lineItemsOmitted": "0",
        "correlationId": "bbbbbbbb-0000-4000-8000-000000000000",
        "msRequestId": FULL["ms_request_id"],
    }


def test_json_lines_and_json_have_all_columns_as_they_are(system: System) -> None:
    ids = customers(2)
    insert(system, result(customer_id=ids[0], request_id="-r1", **FULL), result(customer_id=ids[1], finished_at=NOON))
    lines = system.call("results", *of(*ids), "--format", "jsonl")
    array = system.call("results", *of(*ids), "--json")
    assert (lines.code, array.code) == (0, 0)
    full, bare = documents = [json.loads(line) for line in lines.out.splitlines()]
    assert array.document == documents
    assert all(tuple(document) == COLUMNS for document in documents)
    assert (full["requestId"], full["adopted"], full["polls"]) == ("-r1", True, 3)
    assert full["lineItems"] == list(FULL["line_items"])
    assert full["errorDescription"] == FULL["error_description"]
    assert full["submittedAt"] == "2031-05-01T12:00:01.005000Z"
    assert (bare["errorCode"], bare["lineItems"], bare["adopted"]) == (None, [], False)


def test_the_columns_are_the_tables() -> None:
    stored = result_columns(result(**(FULL | {"duplicate_of": "r0"})))
    assert {name for name in COLUMNS if name != "lineItemsOmitted"} == set(stored)


def test_of_all_customers_those_that_are_asked_for(system: System) -> None:
    ids = customers(3)
    at = [NOON + timedelta(days=100 + day) for day in range(3)]
    statuses = (Status.COMPLETED, Status.FAILED, Status.REJECTED)
    insert(
        system,
        *(
            result(customer_id=one, finished_at=when, status=status)
            for one, when, status in zip(ids, at, statuses, strict=True)
        ),
    )

    def found(*arguments: str) -> list[str]:
        ended = system.call("results", "--format", "jsonl", *arguments)
        assert ended.code == 0, ended.err
        return [document["customerId"] for document in map(json.loads, ended.out.splitlines())]

    period = ("--since", f"{at[0]:%Y-%m-%dT%H:%M}", "--until", (at[2] + timedelta(seconds=1)).isoformat())
    assert found(*period) == ids
    assert set(ids) <= set(found())
    assert found(*period, "--status", "failed", "--status", "Rejected") == ids[1:]
    assert found("--since", at[1].isoformat(), "--until", at[2].isoformat()) == ids[1:2]
    assert found(*of(ids[1].upper(), ids[0], ids[0])) == [ids[1], ids[0]]
    assert found(*of(*ids), "--since", at[1].isoformat(), "--until", at[2].isoformat()) == ids[1:2]
    assert found(*of(*ids), "--status", "Completed") == ids[:1]
    assert found("--since", "2099-01-01") == []


def test_where_there_is_nothing_each_format_says_so(system: System) -> None:
    nobody = of(*customers(1))
    assert system.call("results", *nobody).out == ",".join(COLUMNS) + "\n"
    assert system.call("results", *nobody, "--format", "jsonl").out == ""
    assert system.call("results", *nobody, "--json").document == []
    ended = system.call("results", *nobody, "--output", "report.html")
    assert (ended.code, ended.out, ended.err) == (0, "", "0 results in report.html\n")
    assert "No results in this selection" in (system.folder / "report.html").read_text()


def test_a_report_tells_what_became_of_the_customers(system: System) -> None:
    ids = customers(3)
    insert(
        system,
        result(customer_id=ids[0], finished_at=NOON),
        result(customer_id=ids[1], finished_at=NOON),
        result(customer_id=ids[2], **FULL),
    )
    with system.connect() as connections:
        row = connections.store.insert_in_flight(in_flight(customer_id=ids[0], state=State.DEFERRED))
        ended = system.call("results", *of(*ids), "--output", "report.htm")
        connections.store.delete_in_flight(row)
    assert (ended.code, ended.err) == (0, "3 results in report.htm\n")
    text = (system.folder / "report.htm").read_text()
    assert "<h1>2 of 3 customers upgraded</h1>" in text
    assert "Only 3 customers." in text
    assert '<dt>Still under way</dt><dd class="figure">1</dd>' in text
    assert "=1+1 &quot;quoted&quot;, of two lines; übermäßig" in text


@pytest.mark.parametrize(
    ("name", "begin"),
    [("a.csv", "customerId,"), ("a.JSONL", '{"customerId"'), ("a.ndjson", '{"customerId"'), ("a.json", "[\n{")],
)
def test_the_files_name_says_the_format(name: str, begin: str, system: System) -> None:
    (customer,) = customers(1)
    insert(system, result(customer_id=customer))
    ended = system.call("results", *of(customer), "--output", name)
    assert (ended.code, ended.out, ended.err) == (0, "", f"1 result in {name}\n")
    assert (system.folder / name).read_text().startswith(begin)
    assert files_in(system.folder) == [name]


def test_the_format_that_is_asked_for_goes_before_the_files_name(system: System) -> None:
    nobody = of(*customers(1))
    assert system.call("results", *nobody, "--output", "a.csv", "--json").code == 0
    assert (system.folder / "a.csv").read_text() == "[]\n"
    assert system.call("results", *nobody, "--output", "-", "--format", "json").document == []


def test_a_row_that_was_spoilt_by_hand_is_named_and_left_out(system: System) -> None:
    ids = customers(2)
    insert(system, *(result(customer_id=one) for one in ids))
    with system.connect() as connections:
        entity = {"PartitionKey": ids[0], "RowKey": "azure|r1", "status": "Finished"}
        connections.open_table("UpgradeResults").upsert_entity(entity)
    try:
        ended = system.call("results", *of(*ids), "--json")
        assert (ended.code, len(ended.document)) == (0, 1)
        assert ended.err == f"warning: left out, because it cannot be read: 1 row ({ids[0]}|azure|r1)\n"
    finally:
        with system.connect() as connections:
            connections.open_table("UpgradeResults").delete_entity(ids[0], "azure|r1")
