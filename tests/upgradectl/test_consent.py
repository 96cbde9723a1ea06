"""`consent`: a person signs in through the local authority, with MSAL and Key Vault's SDK as they are."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
import requests
import trustme

from local.component import REPOSITORY
from shared.credentials import PLACEHOLDER
from shared.errors import TokenRefused, TokenUnavailable
from shared.models import GateReason, GateState, Position
from tests.unit.raw_server import Peer, Script, raw_server
from tests.upgradectl.conftest import System
from tests.upgradectl.scripted_browser import Form, visit
from upgradectl.browser import LoopbackBrowser, PastedAnswer
from upgradectl.connections import Connections
from upgradectl.consent import Consented, consent
from upgradectl.errors import CommandError, ExitCode, explained

SCRIPT = REPOSITORY / "tests" / "upgradectl" / "scripted_browser.py"


def browser(*person: str) -> str:
    """For BROWSER of the environment."""
    return " ".join((sys.executable, str(SCRIPT), *person, "%s"))


@dataclass
class Screenless:
    """A `consent.Browser` whose person does what the names and values say."""

    person: tuple[str, ...] = ()
    redirect_uri: str = "http://localhost:4711"
    response_mode: str = "form_post"
    urls: list[str] = field(default_factory=list)

    def __call__(self, url: str, state: str) -> Mapping[str, str]:
        self.urls.append(url)
        return Form(visit(url, *self.person).text).fields


def consent_to(connections: Connections, *person: str, new_secret: str | None = None) -> Consented:
    with connections:
        return consent(connections, Screenless(person), new_secret=new_secret)


def has_refresh_token(system: System) -> bool:
    return any(found.name == system.refresh_token_name for found in system.secrets.list_properties_of_secrets())


def put_gate(system: System, state: GateState) -> None:
    with system.connect() as connections:
        connections.store.write_gate(replace(state, etag=connections.store.get_gate().etag))


def gate_of(system: System) -> GateState:
    with system.connect() as connections:
        return connections.store.get_gate()


def answering(head: str, body: str = '{"code": 1}') -> Script:
    """A Partner Center that says this to every call."""
    answer = f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"

    def script(peer: Peer) -> None:
        peer.answer(answer.encode())

    return script


def test_a_new_system_gets_its_client_secret_and_its_refresh_token(system: System) -> None:
    client_secret = str(system.parts["partner_center"].facts["client_secret"])
    for name in (system.client_secret_name, system.refresh_token_name):
        system.put(name, f"{PLACEHOLDER} replaced by upgradectl consent")
    ended = system.run("consent", "--set-secret", stdin=f"{client_secret}\n", BROWSER=browser())
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


def test_the_result_as_json_and_nothing_else_on_standard_output(system: System) -> None:
    system.put_client_secret()
    ended = system.run("consent", "--json", BROWSER=browser())
    assert ended.document == {
        "secret_name": system.refresh_token_name,
        "signed_in_as": "consent@partner.example",
        "gate": "open",
        "warnings": [],
    }


@pytest.mark.parametrize(
    ("person", "said"),
    [("_mfa=no", "without MFA"), ("_error=access_denied", "declined"), ("_error=server_error", "no token")],
)
def test_a_sign_in_that_is_of_no_use_is_not_stored(system: System, person: str, said: str) -> None:
    system.put_client_secret()
    ended = system.run("consent", BROWSER=browser(person))
    assert (ended.code, ended.out) == (ExitCode.FAILED, "")
    line = ended.err.splitlines()[-1]
    assert line.startswith("error: ")
    assert said in line
    assert "Traceback" not in ended.err
    assert not has_refresh_token(system)


def test_a_placeholder_is_no_client_secret(system: System) -> None:
    system.put(system.client_secret_name, f"{PLACEHOLDER} replaced by upgradectl consent")
    before = len(system.fake("GET", "ledger")["tokens"])
    with pytest.raises(CommandError, match="only a placeholder") as error:
        consent_to(system.connect())
    assert "--set-secret" in error.value.remedy
    assert len(system.fake("GET", "ledger")["tokens"]) == before


def test_a_missing_client_secret_is_asked_for(system: System) -> None:
    with pytest.raises(CommandError, match=r"holds no client-\w+ yet$"):
        consent_to(system.connect())


def test_a_wrong_client_secret_is_not_stored_over_one_that_was_there(system: System) -> None:
    system.put_client_secret()
    with pytest.raises(TokenRefused) as error:
        consent_to(system.connect(), new_secret="wrong")
    assert "client secret or certificate is refused" in explained(error.value).message
    assert system.secrets.get_secret(system.client_secret_name).value != "wrong"
    assert not has_refresh_token(system)


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
    ("script", "said"),
    [
        (answering("200 OK\r\nisMfaCompliant: false", '{"isEligible": true}'), "not MFA compliant"),
        (answering("401 Unauthorized\r\nisMfaCompliant: true", '{"code": 900420}'), "answered 401 900420"),
        (answering("401 Unauthorized", '{"code": 900421}'), "answered 401 900421"),
        (answering("503 Service Unavailable", "<h1>later</h1>"), "MFA is not confirmed"),
        (answering("429 Too Many Requests"), "MFA is not confirmed"),
    ],
)
def test_nothing_is_stored_that_partner_center_does_not_accept(system: System, script: Script, said: str) -> None:
    system.put_client_secret()
    with raw_server(script) as server, pytest.raises(CommandError, match=said) as error:
        consent_to(system.connect(PARTNER_CENTER_URL=server.url))
    assert "nothing was stored" in error.value.remedy
    assert not has_refresh_token(system)
    assert b"validatemfa: true" in server.requests[0].lower()


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
    system.rule("storage_front", _forbidden("AuthorizationPermissionMismatch", method="PUT|MERGE|PATCH|POST"))
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


def test_who_may_not_write_the_secret_learns_which_role_is_missing(system: System) -> None:
    system.put_client_secret()
    system.rule("key_vault", _forbidden("ForbiddenByRbac", method="PUT"))
    with pytest.raises(CommandError, match="answered 403 ForbiddenByRbac") as error:
        consent_to(system.connect())
    assert error.value.remedy == f"grant yourself Key Vault Secrets Officer on the secret {system.refresh_token_name}"


def test_an_authority_that_is_out_is_no_crash(system: System) -> None:
    system.put_client_secret()
    with pytest.raises(TokenUnavailable):
        consent_to(system.connect(AUTHORITY_URL="https://127.0.0.1:9"))


def _pasting(paste: Callable[[str], str], shown: list[str]) -> PastedAnswer:
    return PastedAnswer(read_line=lambda _: paste(shown[-1].split("\n\n")[1]), note=shown.append)


def test_a_person_may_carry_the_addresses_by_hand(system: System) -> None:
    system.put_client_secret()
    shown: list[str] = []
    with system.connect() as connections:
        consent(connections, _pasting(lambda url: f"  {visit(url).headers['Location']}\n", shown))
    assert has_refresh_token(system)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda address: "", "not the address after a sign-in"),
        (lambda address: "http://localhost/", "not the address after a sign-in"),
        (lambda address: address.replace("state=", "state=an-other"), "of another sign-in"),
    ],
)
def test_a_wrong_address_by_hand_is_told(system: System, changed: Callable[[str], str], said: str) -> None:
    system.put_client_secret()
    shown: list[str] = []
    pasted = _pasting(lambda url: changed(visit(url).headers["Location"]), shown)
    with system.connect() as connections, pytest.raises(CommandError, match=said):
        consent(connections, pasted)
    assert shown
    assert not has_refresh_token(system)


def test_a_code_of_another_sign_in_is_refused(system: System) -> None:
    """PKCE: it was made for another verifier."""
    system.put_client_secret()
    elsewhere = Screenless()
    with pytest.raises(TokenRefused), system.connect() as connections:
        consent(connections, _Injecting(elsewhere, connections))
    assert not has_refresh_token(system)


class _Injecting(Screenless):
    """The state is right, the code is another one's."""

    def __init__(self, elsewhere: Screenless, connections: Connections) -> None:
        super().__init__()
        self._elsewhere = elsewhere
        self._connections = connections

    def __call__(self, url: str, state: str) -> Mapping[str, str]:
        app = self._connections.sign_in.application("whatever")
        other = app.initiate_auth_code_flow(
            self._connections.sign_in.scopes, redirect_uri=self.redirect_uri, response_mode="form_post"
        )
        return {**self._elsewhere(other["auth_uri"], other["state"]), "state": state}


def test_nobody_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    with (
        LoopbackBrowser(timeout_s=0.05, note=lambda text: None) as loopback,
        pytest.raises(CommandError, match="nobody signed in"),
    ):
        loopback("https://authority.test", "state")


def test_a_port_that_is_in_use_is_told() -> None:
    with LoopbackBrowser(timeout_s=1, note=lambda text: None) as first:
        port = int(first.redirect_uri.rpartition(":")[2])
        with pytest.raises(CommandError, match=f"port {port} cannot be used"):
            LoopbackBrowser(port=port, timeout_s=1, note=lambda text: None)


def test_the_loopback_listens_on_this_machine_alone_and_shows_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[requests.Response] = []

    def sign_in(url: str) -> bool:
        form = {"state": "right", "code": "<secret>"}
        answers.append(requests.post(loopback.redirect_uri, form, timeout=5))
        return True

    monkeypatch.setattr("webbrowser.open", sign_in)
    with LoopbackBrowser(timeout_s=5, note=lambda text: None) as loopback:
        assert loopback("https://authority.test", "right")["code"] == "<secret>"
        assert loopback._server.server_address[0] == "127.0.0.1"
    assert "secret" not in answers[0].text
    assert answers[0].headers["Cache-Control"] == "no-store"


def test_ctrl_c_ends_it_without_a_word(system: System) -> None:
    system.put_client_secret()
    environment = {"PATH": os.environ["PATH"], "BROWSER": "true %s", **system.environment, **system.settings}
    # What a shell has put into the background ignores the signal, and so would its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "upgradectl", "consent"],
        env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    with process:
        assert process.stdout
        assert process.stderr
        assert any("https://" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err.strip()) == (130, "", "")


def _forbidden(code: str, *, method: str) -> dict[str, object]:
    return {"name": "forbidden", "do": "answer", "status": 403, "code": code, "method": method}
