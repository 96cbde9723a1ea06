"""`results` that cannot be written, or that is broken off: no file is half done, and the old one stays."""

import signal
from uuid import uuid4

import pytest

from tests.upgradectl.export_support import customers, files_in, of
from tests.upgradectl.operator_support import insert
from tests.upgradectl.results_support import result
from tests.upgradectl.system import DEADLINE_S, System, wait_for
from upgradectl.errors import ExitCode
from upgradectl.export import COLUMNS


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
    ended = system.call("results", *arguments)
    assert (ended.code, ended.out, ended.err) == (ExitCode.USAGE, "", f"{message}\n")


@pytest.mark.parametrize("arguments", [["--customer", "x"], ["--status", "Done"], ["--since", "soon"]])
def test_what_cannot_be_read_is_usage(arguments: list[str], system: System) -> None:
    ended = system.call("results", *arguments)
    assert (ended.code, ended.out) == (ExitCode.USAGE, "")
    assert arguments[1] in ended.err


def test_a_place_that_cannot_be_written_to_is_said_before_anything_is_read(system: System) -> None:
    ended = system.call("results", "--output", "nowhere/a.csv", TABLES_URL="https://127.0.0.1:9")
    assert (ended.code, ended.err) == (ExitCode.FAILED, "error: nowhere/a.csv: No such file or directory\n")


@pytest.mark.parametrize("output", [["--output", "a.csv"], []])
def test_where_the_tables_fail_nothing_is_left_and_the_role_is_named(output: list[str], system: System) -> None:
    rule = {"name": "forbidden", "do": "answer", "status": 403, "code": "AuthorizationPermissionMismatch"}
    system.rule("storage_front", {**rule, "path": "UpgradeResults"})
    ended = system.call("results", *output)
    (line,) = ended.err.splitlines()
    assert ended.code == ExitCode.FAILED
    assert line.startswith("error: Table Storage answers 403; ")
    assert "Storage Table Data Reader" in line
    assert files_in(system.folder) == []


@pytest.mark.parametrize(("sig", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGKILL, -signal.SIGKILL)])
def test_who_breaks_it_off_finds_the_old_file(sig: signal.Signals, code: int, system: System) -> None:
    (customer,) = customers(1)
    insert(system, result(customer_id=customer))
    (system.folder / "a.csv").write_text("old")
    system.rule("storage_front", {"name": uuid4().hex, "do": "slow", "delay_s": 4, "path": "UpgradeResults"})
    with system.started("results", *of(customer), "--output", "a.csv") as process:
        wait_for(lambda: len(files_in(system.folder)) == 2)
        process.send_signal(sig)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err.strip()) == (code, "", "")
    assert (system.folder / "a.csv").read_text() == "old"
    beside = [name for name in files_in(system.folder) if name != "a.csv"]
    assert len(beside) == (1 if sig is signal.SIGKILL else 0)
    assert all(name.startswith(".a.csv.") for name in beside)


def test_a_reader_that_has_seen_enough_ends_it_in_silence(system: System) -> None:
    (customer,) = customers(1)
    large = ({"text": "x" * 3000},) * 9
    insert(system, *(result(customer_id=customer, request_id=f"r{n}", line_items=large) for n in range(20)))
    with system.started("results", *of(customer)) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == ",".join(COLUMNS) + "\n"
        process.stdout.close()
        assert (process.wait(DEADLINE_S), process.stderr.read()) == (0, "")
