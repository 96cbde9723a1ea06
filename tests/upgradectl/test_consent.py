"""`consent`: what is stored when a person has signed in, through the local authority and with MSAL as it is."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from local.component import REPOSITORY
from shared.credentials import PLACEHOLDER
from shared.models import GateReason, GateState, Position
from tests.unit.raw_server import Script, raw_server
from tests.upgradectl.answers_support import answering, forbidden
from tests.upgradectl.consent_support import consent_to, has_refresh_token, opening_a_browser, pasting
from tests.upgradectl.scripted_browser import visit
from tests.upgradectl.system import System
from upgradectl.consent import consent
from upgradectl.errors import CommandError, ExitCode

SCRIPT = REPOSITORY / "tests" / "upgradectl" / "scripted_browser.py"


def put_gate(system: System, state: GateState) -> None:
    with system.connect() as connections:
        connections.store.write_gate(replace(state, etag=connections.store.get_gate().etag))


def gate_of(system: System) -> GateState:
    with system.connect() as connections:
        return connections.store.get_gate()


def test_a_new_system_gets_its_client_secret_and_its_refresh_token(system: System) -> None:
    client_secret = str(system.parts["partner_center"].facts["client_secret"])
    for name in (system.client_secret_name, system.refresh_token_name):
        system.put(name, f"{PLACEHOLDER} replaced by upgradectl consent")
    ended = system.run("consent", "--set-secret", stdin=f"{client_secret}\n", BROWSER=f"{sys.executable} {SCRIPT} %s")
    assert ended.code == 0, ended.err
    stored = system.secrets.get_secret(system.refresh_token_name)
    assert f"refresh token of consent@partner.example, as {system.refresh_token_name}" in ended.out
    assert system.secrets.get_secret(system.client_secret_name).value == client_secret
    assert stored.properties.tags in (None, {})  # a person's version: the app does not write over it
    with system.connect() as connections:
        tokens = connections.sign_in.exchange(client_secret, stored.value or "")
    assert tokens.amr == ("pwd", "mfa")
    for secret in (client_secret, str(stored.value)):
        assert secret not in ended.out + ended.err


def test_the_result_as_json_and_nothing_else_on_standard_output(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.put_client_secret()
    opening_a_browser(monkeypatch)
    ended = system.call("consent", "--json")
    assert ended.document == {
        "secret_name": system.refresh_token_name,
        "signed_in_as": "consent@partner.example",
        "gate": "open",
        "warnings": [],
    }


def test_a_right_client_secret_is_stored_over_one_that_was_there(system: System) -> None:
    system.put(system.client_secret_name, "has run out")
    right = str(system.parts["partner_center"].facts["client_secret"])
    consent_to(system.connect(), new_secret=right)
    assert system.secrets.get_secret(system.client_secret_name).value == right
    assert has_refresh_token(system)


def test_a_certificate_is_used_where_the_system_has_one(system: System) -> None:
    leaf = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("app.test", key_type=trustme.KeyType.RSA)
    pem = leaf.cert_chain_pems[0].bytes().decode()
    system.fake("PUT", "client", {"certificate": pem})
    name = f"certificate-{system.suffix}"
    system.put(name, leaf.private_key_pem.bytes().decode() + pem)
    consent_to(system.connect(CLIENT_CERTIFICATE_NAME=name))
    assert has_refresh_token(system)
    with pytest.raises(CommandError, match="CLIENT_CERTIFICATE_NAME") as error:
        consent_to(system.connect(CLIENT_CERTIFICATE_NAME=name), new_secret="one")
    assert error.value.code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("script", "warnings"),
    [
        (answering("403 Forbidden\r\nisMfaCompliant: true", '{"code": 2032}'), 0),
        (answering("403 Forbidden", '{"code": 2032}'), 1),
        (answering("404 Not Found", '{"code": 900106}'), 1),
        (answering("500 Oops\r\nisMfaCompliant: true", "oops"), 0),
    ],
)
def test_what_is_said_of_a_made_up_customer_does_not_count(system: System, script: Script, warnings: int) -> None:
    system.put_client_secret()
    with raw_server(script) as server:
        consented = consent_to(system.connect(PARTNER_CENTER_URL=server.url))
    assert len(consented.warnings) == warnings
    assert has_refresh_token(system)


def test_a_gate_that_is_closed_for_credentials_opens_the_way_at_once(system: System) -> None:
    system.put_client_secret()
    later = datetime.now(UTC) + timedelta(hours=1)
    put_gate(system, GateState(position=Position.CLOSED, reason=GateReason.CREDENTIALS, until_at=later, closures=3))
    assert consent_to(system.connect()).gate == "mended"
    gate = gate_of(system)
    assert gate.until_at is not None
    assert gate.until_at <= datetime.now(UTC)
    assert (gate.position, gate.closures) == (Position.CLOSED, 3)
    put_gate(system, GateState())


def test_a_throttled_gate_keeps_its_time(system: System) -> None:
    system.put_client_secret()
    later = datetime.now(UTC) + timedelta(hours=1)
    put_gate(system, GateState(position=Position.CLOSED, reason=GateReason.THROTTLED, until_at=later))
    assert consent_to(system.connect()).gate == "closed"
    assert gate_of(system).until_at == later
    put_gate(system, GateState())


def test_who_may_not_write_the_table_is_told_and_has_consented(system: System) -> None:
    system.put_client_secret()
    later = datetime.now(UTC) + timedelta(hours=1)
    put_gate(system, GateState(position=Position.CLOSED, reason=GateReason.CREDENTIALS, until_at=later))
    system.rule("storage_front", forbidden("AuthorizationPermissionMismatch", method="PUT|MERGE|PATCH|POST"))
    consented = consent_to(system.connect())
    assert consented.gate == "not mended"
    assert "403" in consented.warnings[0]
    assert has_refresh_token(system)
    system.rule("storage_front")
    put_gate(system, GateState())


def test_without_a_table_it_has_consented_too(system: System) -> None:
    system.put_client_secret()
    consented = consent_to(system.connect(TABLES_URL=""))
    assert "TABLES_URL" in consented.warnings[0]
    assert has_refresh_token(system)


def test_a_person_may_carry_the_addresses_by_hand(system: System) -> None:
    system.put_client_secret()
    shown: list[str] = []
    with system.connect() as connections:
        consent(connections, pasting(lambda url: f"  {visit(url).headers['Location']}\n", shown))
    assert has_refresh_token(system)
