"""`doctor`: what it says of a system, and which checks are not tried because of which others."""

import socket
from typing import Any

import pytest

from tests.upgradectl.doctor_support import OF_QUEUE, OF_SIGN_IN, OF_TABLES, OF_VAULT, look, only, without_queue
from tests.upgradectl.system import System
from upgradectl import diagnosis
from upgradectl.diagnosis import Check, Finding, State, ok

NOBODY = "https://127.0.0.1:9"


def test_a_system_in_which_everything_is_as_it_should_be(consented: System) -> None:
    versions = len(list(consented.secrets.list_properties_of_secret_versions(consented.refresh_token_name)))
    ended = consented.run("doctor")
    assert (ended.code, ended.err) == (0, "")
    header, *lines = ended.out.splitlines()
    assert header.split() == ["STATE", "CHECK", "FOUND"]
    assert len(lines) == 19
    assert all(line.startswith("ok  ") for line in lines), ended.out
    assert len(list(consented.secrets.list_properties_of_secret_versions(consented.refresh_token_name))) == versions


def test_what_is_broken_ends_with_1_and_is_named_with_its_remedy(system: System) -> None:
    system.put_client_secret()
    with without_queue():
        ended = system.call("doctor", "--json")
    assert ended.code == 1
    document = ended.document
    assert (document["ok"], document["system"]) == (False, "the environment")
    states = {check["name"]: check["state"] for check in document["checks"]}
    assert [name for name, state in states.items() if state == "failed"] == ["refresh token"]
    broken = next(check for check in document["checks"] if check["state"] == "failed")
    assert broken["detail"] == f"Key Vault holds no {system.refresh_token_name}"
    assert broken["remedy"] == "run `upgradectl consent`"
    assert [name for name, state in states.items() if state == "not tried"] == list(OF_SIGN_IN)


@pytest.mark.parametrize(
    ("changed", "broken", "not_tried"),
    [
        ({"TABLES_URL": ""}, ("settings",), ("reach Table Storage", *OF_TABLES)),
        ({"KEY_VAULT_URL": "nonsense"}, ("settings",), ("reach Key Vault", *OF_VAULT, *OF_SIGN_IN)),
        ({"SERVICE_BUS_NAMESPACE": "sb://x y"}, ("settings",), ("reach Service Bus", *OF_QUEUE)),
        ({"PARTNER_TENANT_ID": ""}, ("settings",), ("reach the sign-in", *OF_SIGN_IN)),
        ({"LEASE_S": "30"}, ("settings",), ()),
        ({"KEY_VAULT_URL": NOBODY}, ("reach Key Vault",), (*OF_VAULT, *OF_SIGN_IN)),
        ({"TABLES_URL": f"{NOBODY}/devstoreaccount1"}, ("reach Table Storage",), OF_TABLES),
        ({"SERVICE_BUS_NAMESPACE": "localhost:9"}, ("reach Service Bus",), OF_QUEUE),
        ({"AUTHORITY_URL": NOBODY}, ("reach the sign-in",), OF_SIGN_IN),
        ({"PARTNER_CENTER_URL": NOBODY}, ("reach Partner Center",), ("Partner Center",)),
        ({"UPGRADE_QUEUE": "nowhere"}, OF_QUEUE, ()),
    ],
)
def test_a_wrong_setting_explains_what_is_not_tried(
    consented: System, changed: dict[str, str], broken: tuple[str, ...], not_tried: tuple[str, ...]
) -> None:
    found = look(consented, queue="UPGRADE_QUEUE" in changed, **changed)
    assert (only(found, State.FAILED), only(found, State.NOT_TRIED)) == (broken, not_tried)
    (name,) = changed
    named = " ".join(found[check].line for check in broken)
    assert (name if changed != {"UPGRADE_QUEUE": "nowhere"} else "there is no queue nowhere") in named
    assert all(found[check].remedy for check in broken)


def test_all_settings_that_are_missing_are_named_at_once(consented: System) -> None:
    found = look(consented, TABLES_URL="", UPGRADE_QUEUE="", CALL_DEADLINE_S="never")
    assert "TABLES_URL is missing; UPGRADE_QUEUE is missing; CALL_DEADLINE_S must be" in found["settings"].detail


def test_without_an_azure_sign_in_nothing_of_azure_is_tried(consented: System) -> None:
    consented.rule("identity", {"name": "out", "do": "answer", "status": 400, "code": "invalid_request"})
    found = look(consented)
    assert only(found, State.FAILED) == ("Azure sign-in",)
    assert "az login" in found["Azure sign-in"].remedy
    assert only(found, State.NOT_TRIED) == (*OF_QUEUE, *OF_TABLES, *OF_VAULT, *OF_SIGN_IN)


def test_a_check_that_hangs_is_given_up_and_one_that_raises_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_GRACE_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def hangs() -> Finding:
            with socket.create_connection(silent.getsockname()) as connection:
                connection.recv(1)
            return ok("it spoke")

        def raises() -> Finding:
            raise ValueError("odd\nand long")

        checks = (Check("hangs", hangs), Check("raises", raises), Check("depends", lambda: ok(""), ("raises",)))
        found: dict[str, Any] = dict(diagnosis.examine(checks, (), 0.03))
    assert found["hangs"].detail == "no answer within 0.03 s"
    assert found["raises"].detail == "unexpected ValueError: odd"
    assert found["depends"] == Finding(State.NOT_TRIED, "needs: raises")
