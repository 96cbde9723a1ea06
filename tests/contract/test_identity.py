"""The managed identity endpoint with the unmodified `azure-identity`, and what it refuses."""

import time
from contextlib import closing
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential

from local import access_token
from local.component import Component, start

VAULT = "https://vault.azure.net"
PARAMETERS = {"resource": VAULT, "api-version": "2019-08-01", "client_id": access_token.CLIENT_ID}


def _ask(identity: Component, *, header: str | None = None, **changes: str | None) -> requests.Response:
    environment = identity.facts["environment"]
    headers = {"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"] if header is None else header}
    return requests.get(environment["IDENTITY_ENDPOINT"], {**PARAMETERS, **changes}, headers=headers, timeout=10)


def _calls(identity: Component) -> dict[str, int]:
    counts: dict[str, int] = requests.get(f"http://127.0.0.1:{identity.facts['port']}/_fake/calls", timeout=10).json()
    return counts


def test_the_default_credential_gets_a_token_for_the_resource_of_its_scope(credential: DefaultAzureCredential) -> None:
    token = credential.get_token(f"{VAULT}/.default")
    access_token.check(token.token, audience=VAULT, now=time.time())
    assert token.expires_on == pytest.approx(time.time() + 3600, abs=30)


def test_the_answer_is_that_of_app_service(identity: Component) -> None:
    content = _ask(identity).json()
    assert (content["resource"], content["token_type"]) == (VAULT, "Bearer")
    assert content["client_id"] == access_token.CLIENT_ID
    assert isinstance(content["expires_on"], str)


@pytest.mark.parametrize("header", ["", "wrong"])
def test_a_request_without_the_secret_header_is_refused(identity: Component, header: str) -> None:
    assert _ask(identity, header=header).status_code == 401


@pytest.mark.parametrize("changes", [{"resource": None}, {"api-version": "2017-09-01"}, {"client_id": None}])
def test_a_request_that_is_not_complete_is_refused(identity: Component, changes: dict[str, str | None]) -> None:
    refusal = _ask(identity, **changes)
    assert refusal.status_code == 400
    assert refusal.json()["message"]


@pytest.mark.usefixtures("cloud_environment")
def test_an_identity_that_does_not_exist_gets_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000000")
    with closing(DefaultAzureCredential()) as credential, pytest.raises(ClientAuthenticationError):
        credential.get_token(f"{VAULT}/.default")


def test_calls_are_counted_by_kind(identity: Component) -> None:
    before = _calls(identity)
    _ask(identity)
    _ask(identity, header="wrong")
    after = _calls(identity)
    assert {kind: after[kind] - before.get(kind, 0) for kind in after} == {"token": 1, "refused": 1}


def test_header_and_lifetime_are_settings(tmp_path: Path) -> None:
    component = start("local.identity", "--header", "chosen", "--lifetime-s", "5", log=tmp_path / "log")
    try:
        assert component.facts["environment"]["IDENTITY_HEADER"] == "chosen"
        content = _ask(component).json()
        assert int(content["expires_on"]) == pytest.approx(time.time() + 5, abs=2)
        with pytest.raises(access_token.InvalidTokenError):
            access_token.check(content["access_token"], audience=VAULT, now=time.time() + 6)
    finally:
        assert component.stop() == 0
