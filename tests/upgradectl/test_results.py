"""`results`: what it writes, of which results, and that a run that is broken off leaves nothing half done."""

import csv
import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.component import REPOSITORY
from shared.entities import result_columns
from shared.models import State, Status, UpgradeResult
from tests.unit.rows import in_flight
from tests.upgradectl.conftest import System
from tests.upgradectl.results_support import result
from upgradectl.errors import CommandError, ExitCode
from upgradectl.export import COLUMNS, harmless, write_csv, write_json, write_jsonl
from upgradectl.files import replaced

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)  # other tests' results are of another time
DEADLINE_S = 20
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


def customers(count: int) -> list[str]:
    return sorted(str(uuid4()) for _ in range(count))


def insert(system: System, *results: UpgradeResult) -> None:
    with system.connect() as connections:
        for one in results:
            connections.store.insert_result(one)


def of(*ids: str) -> list[str]:
    return [argument for customer in ids for argument in ("--customer", customer)]


def texts(document: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(document, newline="")))


@contextmanager
def started(system: System, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    # What a shell has put into the background ignores the signal, and so would its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "upgradectl", "results", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **system.environment, **system.settings},
        cwd=system.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_csv_has_all_columns_and_nothing_that_a_spreadsheet_would_run(system: System) -> None:
    (customer,) = customers(1)
    insert(system, result(customer_id=customer, request_id="-r1", requested_at=NOON, **FULL))
    ended = system.run("results", *of(customer))
    assert (ended.code, ended.err) == (0, "")
    assert "\r" not in ended.out
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
    lines = system.run("results", *of(*ids), "--format", "jsonl")
    array = system.run("results", *of(*ids), "--json")
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
        ended = system.run("results", "--format", "jsonl", *arguments)
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
    assert system.run("results", *nobody).out == ",".join(COLUMNS) + "\n"
    assert system.run("results", *nobody, "--format", "jsonl").out == ""
    assert system.run("results", *nobody, "--json").document == []
    ended = system.run("results", *nobody, "--output", "report.html")
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
        ended = system.run("results", *of(*ids), "--output", "report.htm")
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
    ended = system.run("results", *of(customer), "--output", name)
    assert (ended.code, ended.out, ended.err) == (0, "", f"1 result in {name}\n")
    assert (system.folder / name).read_text().startswith(begin)
    assert names(system.folder) == [name]


def test_the_format_that_is_asked_for_goes_before_the_files_name(system: System) -> None:
    nobody = of(*customers(1))
    assert system.run("results", *nobody, "--output", "a.csv", "--json").code == 0
    assert (system.folder / "a.csv").read_text() == "[]\n"
    assert system.run("results", *nobody, "--output", "-", "--format", "json").document == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "html"], "error: a report needs a file; give --output report.html"),
        (["--output", "results.xlsx"], "error: results.xlsx: no format is known by this name; give --format"),
        (["--json", "--format", "csv"], "error: --json and --format say different things; give one of them"),
        (["--since", "2026-02-01", "--until", "2026-01-01"], "error: --since is not before --until"),
        (["--output", "."], "error: .: no format is known by this name; give --format"),
        (["--output", ".", "--format", "csv"], "error: . is no file; name one that may be replaced"),
    ],
)
def test_what_makes_no_sense_is_usage(arguments: list[str], message: str, system: System) -> None:
    ended = system.run("results", *arguments)
    assert (ended.code, ended.out, ended.err) == (ExitCode.USAGE, "", f"{message}\n")


@pytest.mark.parametrize("arguments", [["--customer", "x"], ["--status", "Done"], ["--since", "soon"]])
def test_what_cannot_be_read_is_usage(arguments: list[str], system: System) -> None:
    ended = system.run("results", *arguments)
    assert (ended.code, ended.out) == (ExitCode.USAGE, "")
    assert arguments[1] in ended.err


def test_a_place_that_cannot_be_written_to_is_said_before_anything_is_read(system: System) -> None:
    ended = system.run("results", "--output", "nowhere/a.csv", TABLES_URL="https://127.0.0.1:9")
    assert (ended.code, ended.err) == (ExitCode.FAILED, "error: nowhere/a.csv: No such file or directory\n")


@pytest.mark.parametrize("output", [["--output", "a.csv"], []])
def test_where_the_tables_fail_nothing_is_left_and_the_role_is_named(output: list[str], system: System) -> None:
    rule = {"name": "forbidden", "do": "answer", "status": 403, "code": "AuthorizationPermissionMismatch"}
    system.rule("storage_front", {**rule, "path": "UpgradeResults"})
    ended = system.run("results", *output)
    (line,) = ended.err.splitlines()
    assert ended.code == ExitCode.FAILED
    assert line.startswith("error: Table Storage answers 403; ")
    assert "Storage Table Data Reader" in line
    assert names(system.folder) == []


@pytest.mark.parametrize(("sig", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGKILL, -signal.SIGKILL)])
def test_who_breaks_it_off_finds_the_old_file(sig: signal.Signals, code: int, system: System) -> None:
    (customer,) = customers(1)
    insert(system, result(customer_id=customer))
    (system.folder / "a.csv").write_text("old")
    system.rule("storage_front", {"name": uuid4().hex, "do": "slow", "delay_s": 4, "path": "UpgradeResults"})
    with started(system, *of(customer), "--output", "a.csv") as process:
        wait_for(lambda: len(names(system.folder)) == 2)
        process.send_signal(sig)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err.strip()) == (code, "", "")
    assert (system.folder / "a.csv").read_text() == "old"
    beside = [name for name in names(system.folder) if name != "a.csv"]
    assert len(beside) == (1 if sig is signal.SIGKILL else 0)
    assert all(name.startswith(".a.csv.") for name in beside)


def test_a_reader_that_has_seen_enough_ends_it_in_silence(system: System) -> None:
    (customer,) = customers(1)
    large = ({"text": "x" * 3000},) * 9
    insert(system, *(result(customer_id=customer, request_id=f"r{n}", line_items=large) for n in range(20)))
    with started(system, *of(customer)) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == ",".join(COLUMNS) + "\n"
        process.stdout.close()
        assert (process.wait(DEADLINE_S), process.stderr.read()) == (0, "")


def test_a_row_that_was_spoilt_by_hand_is_named_and_left_out(system: System) -> None:
    ids = customers(2)
    insert(system, *(result(customer_id=one) for one in ids))
    with system.connect() as connections:
        entity = {"PartitionKey": ids[0], "RowKey": "azure|r1", "status": "Finished"}
        connections.open_table("UpgradeResults").upsert_entity(entity)
    try:
        ended = system.run("results", *of(*ids), "--json")
        assert (ended.code, len(ended.document)) == (0, 1)
        assert ended.err == f"warning: left out, because it cannot be read: 1 row ({ids[0]}|azure|r1)\n"
    finally:
        with system.connect() as connections:
            connections.open_table("UpgradeResults").delete_entity(ids[0], "azure|r1")


@pytest.mark.parametrize("write", [write_csv, write_jsonl, write_json])
def test_each_result_is_written_before_the_next_is_read(write: Callable[..., None]) -> None:
    file = io.StringIO()

    def results() -> Iterator[UpgradeResult]:
        for number in range(50):
            assert file.getvalue().count("customer-") == number
            yield result(customer_id=f"customer-{number}")

    write(results(), file)
    assert file.getvalue().count("customer-") == 50


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\n=1", "＝1"])  # noqa: RUF001
def test_a_formula_becomes_a_text(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "1", "a=b", "[]", " =1", "2031-05-01"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_an_instant_of_another_zone_is_written_as_utc() -> None:
    file = io.StringIO()
    write_jsonl([replace(result(), finished_at=datetime.fromisoformat("2031-05-01T12:00+02:00"))], file)
    assert json.loads(file.getvalue())["finishedAt"] == "2031-05-01T10:00:00Z"


def test_a_file_replaces_what_a_link_points_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    with replaced(tmp_path / "link") as file:
        file.write("new")
        assert not (tmp_path / "there" / "file").exists()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "file").read_text() == "new"


def test_a_new_file_is_its_owners_alone_and_another_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for mode in (0o600, 0o640, 0o444):
        with replaced(path) as file:
            file.write("new")
            (beside,) = (one for one in tmp_path.iterdir() if one != path)
            assert stat.S_IMODE(beside.stat().st_mode) == mode
        assert stat.S_IMODE(path.stat().st_mode) == mode
        path.chmod({0o600: 0o640, 0o640: 0o444}.get(mode, mode))


def test_what_is_no_file_is_never_replaced() -> None:
    with pytest.raises(CommandError, match="/dev/null is no file"), replaced(Path("/dev/null")):
        pass
    assert Path("/dev/null").is_char_device()
