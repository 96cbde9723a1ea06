"""`consent`: what is not accepted, or not answered, is not stored."""

import signal
from collections.abc import Callable, Mapping

import pytest

from shared.credentials import PLACEHOLDER
from shared.errors import TokenRefused, TokenUnavailable
from tests.unit.raw_server import Script, raw_server
from tests.upgradectl.answers_support import answering, forbidden
from tests.upgradectl.consent_support import (
    Screenless,
    consent_to,
    has_refresh_token,
    opening_a_browser,
    pasting,
)
from tests.upgradectl.scripted_browser import visit
from tests.upgradectl.system import DEADLINE_S, System
from upgradectl.connections import Connections
from upgradectl.consent import consent
from upgradectl.errors import CommandError, ExitCode, explained


@pytest.mark.parametrize(
    ("person", "said"),
    [("_mfa=no", "without MFA"), ("_error=access_denied", "declined"), ("_error=server_error", "no token")],
)
def test_a_sign_in_that_is_of_no_use_is_not_stored(
    system: System, monkeypatch: pytest.MonkeyPatch, person: str, said: str
) -> None:
    system.put_client_secret()
    opening_a_browser(monkeypatch, person)
    ended = system.call("consent")
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


def test_who_may_not_write_the_secret_learns_which_role_is_missing(system: System) -> None:
    system.put_client_secret()
    system.rule("key_vault", forbidden("ForbiddenByRbac", method="PUT"))
    with pytest.raises(CommandError, match="answered 403 ForbiddenByRbac") as error:
        consent_to(system.connect())
    assert error.value.remedy == f"grant yourself Key Vault Secrets Officer on the secret {system.refresh_token_name}"


def test_an_authority_that_is_out_is_no_crash(system: System) -> None:
    system.put_client_secret()
    with pytest.raises(TokenUnavailable):
        consent_to(system.connect(AUTHORITY_URL="https://127.0.0.1:9"))


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
    pasted = pasting(lambda url: changed(visit(url).headers["Location"]), shown)
    with system.connect() as connections, pytest.raises(CommandError, match=said):
        consent(connections, pasted)
    assert shown
    assert not has_refresh_token(system)


def test_a_code_of_another_sign_in_is_refused(system: System) -> None:
    """PKCE: it was made for another verifier."""
    system.put_client_secret()
    elsewhere = Screenless()
    with pytest.raises(TokenRefused), system.connect() as connections:
        consent(connections, Injecting(elsewhere, connections))
    assert not has_refresh_token(system)


class Injecting(Screenless):
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


def test_ctrl_c_ends_it_without_a_word(system: System) -> None:
    system.put_client_secret()
    with system.started("consent", BROWSER="true %s") as process:
        assert process.stderr
        assert any("https://" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err.strip()) == (130, "", "")
