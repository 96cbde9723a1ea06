"""`check`: eligibility calls to the fake Partner Center, through the real entry point, with the gate in its table."""

import csv
import io
from collections.abc import Iterator, Mapping

import pytest

from local.component import REPOSITORY
from shared.models import GateReason, Position
from shared.upgrade_store import CONTROL
from tests.upgradectl.conftest import System
from tests.upgradectl.submit_support import body, customers, write
from upgradectl.errors import ExitCode

_INTERRUPTION = """
import os, signal
from shared.partner_center import PartnerCenterClient

calls, original = 0, PartnerCenterClient.get_eligibility

def get_eligibility(self, row, **options):
    global calls
    calls += 1
    if calls == 3:
        os.kill(os.getpid(), signal.SIGINT)
    return original(self, row, **options)

PartnerCenterClient.get_eligibility = get_eligibility
"""


@pytest.fixture(autouse=True)
def open_gate(consented: System) -> Iterator[None]:
    """There is one gate for all tests."""
    _remove_gate(consented)
    yield
    consented.rule("storage_front")
    _remove_gate(consented)


def _remove_gate(system: System) -> None:
    with system.connect() as connections, connections.open_table(CONTROL) as table:
        for row in table.list_entities():
            table.delete_entity(row["PartitionKey"], row["RowKey"])


def _calls(system: System) -> list[str]:
    """Customers of this test's calls, in the order in which they were answered."""
    return [str(call["customerId"]) for call in system.fake("GET", "ledger")["calls"] if call["kind"] == "eligibility"]


def _eligibility(system: System, steps: Mapping[str, object]) -> None:
    system.fake("PUT", "scenarios", {customer: {"eligibility": [step]} for customer, step in steps.items()})


def test_each_customer_is_asked_about_once_and_shown_with_what_is_in_place(consented: System) -> None:
    eligible, in_place, refused, lost = asked = customers(4)
    consented.fake("PUT", "scenarios", {in_place: {"existing": "completed"}})
    refusal = {"do": "refuse", "http": 403, "code": 20002, "description": "No relationship."}
    error = {"do": "error", "body": "html"}
    _eligibility(consented, {refused: refusal, lost: error})
    lines = [body(customer) for customer in asked] + [body(eligible.upper(), requestId="another")]
    write(consented.folder / "x.jsonl", lines)
    ended = consented.run("check", "x.jsonl", "--parallel", "2")
    upgrade_id = next(
        upgrade["id"] for upgrade in consented.fake("GET", "ledger")["upgrades"] if upgrade["customerId"] == in_place
    )
    assert ended.code == ExitCode.NOT_OK, ended.err
    header, *rows = ended.out.splitlines()
    assert header.split() == ["CUSTOMER", "FAMILY", "ELIGIBLE", "UPGRADE", "IN", "PLACE", "REASON"]
    assert [row.split(maxsplit=4) for row in rows] == [
        [eligible, "Azure", "yes", "-"],
        [in_place, "Azure", "no", upgrade_id, "The upgrade of this customer is completed."],
        [refused, "Azure", "no", "-", "20002 No relationship."],
        [lost, "Azure", "unknown", "-", "no answer (503)"],
    ]
    assert ended.err == "4 customers: 1 eligible, 2 not, 1 unknown, 0 not asked\n"
    assert sorted(call for call in _calls(consented) if call in asked) == sorted(asked)


def test_where_all_are_eligible_it_ends_with_0(consented: System) -> None:
    (customer,) = customers(1)
    ended = consented.run("check", "--customer", customer.upper(), "--json")
    assert ended.code == 0
    answer = {"eligible": True, "upgrade_id": None, "reason": None}
    assert ended.document == {
        "customers": [{"customer_id": customer, "product_family": "Azure", **answer}],
        "not_asked": 0,
        "stopped": None,
        "invalid": [],
    }


def test_throttling_closes_the_gate_and_a_second_run_goes_on(consented: System) -> None:
    asked = customers(5)
    _eligibility(consented, {asked[2]: {"do": "throttle", "retry_after": 120}})
    write(consented.folder / "x.jsonl", map(body, asked))
    command = ("check", "x.jsonl", "--record", "checked.csv", "--parallel", "1", "--csv")
    first = consented.run(*command)
    with consented.connect() as connections:
        gate = connections.gate.look()
    assert (gate.position, gate.reason, gate.closed_by) == (
        Position.CLOSED,
        GateReason.THROTTLED,
        f"{asked[2]}|azure",
    )
    assert gate.until_at
    assert (first.code, first.err.splitlines()) == (
        ExitCode.FAILED,
        [
            "5 customers: 2 eligible, 0 not, 0 unknown, 3 not asked",
            f"error: the gate is closed (throttled: 429) until {gate.until_at:%Y-%m-%dT%H:%M:%SZ};"
            " run it again when it is open",
        ],
    )
    shown = [row["customerId"] for row in csv.DictReader(io.StringIO(first.out))]
    assert shown == asked[:2]

    second = consented.run(*command)
    assert (second.code, second.out) == (ExitCode.FAILED, first.out)
    assert [call for call in _calls(consented) if call in asked] == asked[:3]

    _remove_gate(consented)
    third = consented.run(*command)
    assert third.code == 0
    rows = list(csv.DictReader(io.StringIO(third.out)))
    assert [(row["customerId"], row["eligible"]) for row in rows] == [(customer, "yes") for customer in asked]
    assert [call for call in _calls(consented) if call in asked] == [*asked[:3], *asked[2:]]
    assert (consented.folder / "checked.csv").read_text() == third.out


def test_a_gate_that_may_not_be_written_is_told(consented: System) -> None:
    (customer,) = customers(1)
    _eligibility(consented, {customer: {"do": "throttle"}})
    forbidden = {"do": "answer", "status": 403, "code": "AuthorizationPermissionMismatch"}
    consented.rule(
        "storage_front", {"name": f"no writer {consented.suffix}", "method": "POST|PUT", "path": CONTROL, **forbidden}
    )
    ended = consented.run("check", "--customer", customer, "--json")
    assert ended.code == ExitCode.FAILED
    assert "Storage Table Data Contributor on the table UpgradeControl" in ended.document["stopped"]
    (line,) = ended.err.splitlines()[1:]
    assert line == f"error: {ended.document['stopped']}"
    assert ended.document["not_asked"] == 1


def test_a_gate_that_may_not_be_read_is_no_open_one(consented: System) -> None:
    (customer,) = customers(1)
    forbidden = {"do": "answer", "status": 403, "code": "AuthorizationPermissionMismatch"}
    consented.rule("storage_front", {"name": f"no reader {consented.suffix}", **forbidden})
    ended = consented.run("check", "--customer", customer)
    assert ended.code == ExitCode.FAILED
    assert ended.err.splitlines()[-1].startswith("error: Table Storage answers 403; grant yourself Storage Table Data")
    assert customer not in _calls(consented)


def test_lines_that_are_no_request_are_shown_first_and_nobody_is_asked(consented: System) -> None:
    (customer,) = customers(1)
    write(consented.folder / "x.jsonl", [b"{", body(customer)])
    ended = consented.run("check", "x.jsonl")
    assert (ended.code, ended.out) == (ExitCode.NOT_OK, "x.jsonl:1: line 1 column 2: not JSON\n")
    assert customer not in _calls(consented)
    ended = consented.run("check", "x.jsonl", "--skip-invalid", "--json")
    assert ended.code == ExitCode.NOT_OK
    assert [checked["eligible"] for checked in ended.document["customers"]] == [True]
    assert ended.document["invalid"] == [{"line": 1, "problem": "line 1 column 2: not JSON"}]


def test_a_sign_in_that_is_refused_is_told_in_one_line(consented: System) -> None:
    consented.fake("PUT", "switches", {"token_error": "invalid_grant"})
    ended = consented.run("check", "--customer", customers(1)[0])
    assert (ended.code, ended.out) == (ExitCode.FAILED, "")
    assert ended.err.splitlines()[-1].startswith("error: the sign-in is refused: invalid_grant")


def test_who_may_not_read_the_secrets_is_told_the_role(consented: System) -> None:
    forbidden = {"do": "answer", "status": 403, "code": "ForbiddenByRbac"}
    consented.rule("key_vault", {"name": f"no reader {consented.suffix}", "method": "GET", **forbidden})
    ended = consented.run("check", "--customer", customers(1)[0])
    assert ended.code == ExitCode.FAILED
    assert ended.err.splitlines()[-1] == (
        "error: Key Vault answered 403 ForbiddenByRbac; grant yourself Key Vault Secrets User on both secrets"
    )


def test_interrupted_it_shows_what_it_has_found(consented: System) -> None:
    asked = customers(5)
    write(consented.folder / "x.jsonl", map(body, asked))
    (consented.folder / "sitecustomize.py").write_text(_INTERRUPTION)
    ended = consented.run(
        *("check", "x.jsonl", "--parallel", "1", "--record", "checked.csv"),
        PYTHONPATH=f"{consented.folder}:{REPOSITORY}",
    )
    assert ended.code == ExitCode.INTERRUPTED, ended.err
    shown = [line.split()[0] for line in ended.out.splitlines()[1:]]
    assert shown == asked[:2]
    assert ended.err == "5 customers: 2 eligible, 0 not, 0 unknown, 3 not asked\n"
    assert [line.split(",")[0] for line in (consented.folder / "checked.csv").read_text().splitlines()[1:]] == asked[:2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either a FILE or --customer"),
        (("--customer", "x", "--csv", "--json"), "give either --csv or --json"),
        (("--customer", "x", "--set", "KEY_VAULT_URL="), "KEY_VAULT_URL is missing; give it with --set NAME=VALUE"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str, consented: System) -> None:
    ended = consented.run("check", *arguments)
    assert (ended.code, ended.out) == (ExitCode.USAGE, "")
    assert ended.err.startswith(f"error: {message}")
