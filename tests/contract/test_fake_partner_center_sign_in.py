"""The fake Partner Center's token endpoint over sockets, with MSAL as it is; and what outlives a kill."""

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import msal
import pytest
import requests
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from local.component import Component
from local.tls import Tls
from tests.contract.fake_partner_center import SCOPES, Partner, running_fake, signed_in, start_fake


@pytest.fixture(scope="module")
def component(tls: Tls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Component]:
    yield from running_fake(tls, tmp_path_factory.mktemp("partner_center"))


@pytest.fixture
def partner(component: Component, tls: Tls) -> Iterator[Partner]:
    yield from signed_in(component, tls)


def test_msal_exchanges_a_refresh_token_with_the_client_secret(partner: Partner) -> None:
    application = partner.application()
    answer = application.acquire_token_by_refresh_token(partner.sign_in(), scopes=SCOPES)
    again = application.acquire_token_by_refresh_token(answer["refresh_token"], scopes=SCOPES)
    assert answer["refresh_token"] != again["refresh_token"]
    assert again["expires_in"] == 3600


def test_msal_exchanges_a_refresh_token_with_a_certificate(partner: Partner) -> None:
    leaf = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("app.test", key_type=trustme.KeyType.RSA)
    pem = leaf.cert_chain_pems[0].bytes()
    partner.control("PUT", "client", {"certificate": pem.decode()})
    thumbprint = x509.load_pem_x509_certificate(pem).fingerprint(SHA256()).hex()
    credential = {"private_key": leaf.private_key_pem.bytes().decode(), "public_certificate": pem.decode()}
    for named in ({}, {"thumbprint": thumbprint[:40]}):
        application = partner.application(credential | named)
        answer = application.acquire_token_by_refresh_token(partner.sign_in(), scopes=SCOPES)
        assert "access_token" in answer, answer
    other = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("other.test", key_type=trustme.KeyType.RSA)
    application = partner.application(credential | {"private_key": other.private_key_pem.bytes().decode()})
    answer = application.acquire_token_by_refresh_token(partner.sign_in(), scopes=SCOPES)
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700027])


def test_msal_reports_the_errors_of_the_token_endpoint(partner: Partner) -> None:
    refused = partner.application().acquire_token_by_refresh_token("never issued", scopes=SCOPES)
    assert (refused["error"], refused["error_codes"]) == ("invalid_grant", [70000])
    refused = partner.application("a wrong secret").acquire_token_by_refresh_token(partner.sign_in(), scopes=SCOPES)
    assert (refused["error"], refused["error_codes"]) == ("invalid_client", [7000215])
    assert "AADSTS7000215" in refused["error_description"]
    partner.control("PUT", "switches", {"token_error": 50076})
    refused = partner.application().acquire_token_by_refresh_token(partner.sign_in(), scopes=SCOPES)
    assert refused["error_codes"] == [50076]


def test_app_only_and_mfa_less_tokens_are_refused_by_the_api(partner: Partner) -> None:
    scopes = [SCOPES[0].replace("user_impersonation", ".default")]
    app_only = partner.application().acquire_token_for_client(scopes=scopes)
    partner.authorization = f"Bearer {app_only['access_token']}"
    assert (refused := partner.post("productupgrades", partner.customer())).status_code == 403
    assert refused.json()["code"] == 900329
    answer = partner.application().acquire_token_by_refresh_token(partner.sign_in(mfa=False), scopes=SCOPES)
    partner.authorization = f"Bearer {answer['access_token']}"
    assert (refused := partner.post("productupgrades", partner.customer())).status_code == 401
    assert refused.json()["code"] == 900421


def test_revoked_access_tokens_are_refused(partner: Partner) -> None:
    partner.control("POST", "revoke-access-tokens")
    assert partner.post("productupgrades", partner.customer()).status_code == 401
    partner.authorize()
    assert partner.post("productupgrades", partner.customer()).status_code == 202


def test_an_outage_of_the_token_endpoint_ends_when_it_is_lifted(partner: Partner) -> None:
    refresh_token = partner.sign_in()

    def exchange_in(outage: str | None) -> Mapping[str, Any]:
        # An application of its own each: MSAL keeps discovery for a day, and a failed exchange for seconds.
        application = partner.application()
        partner.control("PUT", "switches", {"token_outage": outage})
        answer: Mapping[str, Any] = application.acquire_token_by_refresh_token(refresh_token, scopes=SCOPES)
        return answer

    with pytest.raises(msal.exceptions.MsalServiceError, match="503"):
        exchange_in("unavailable")
    partner.control("PUT", "switches", {"token_outage": None})
    with pytest.raises(requests.ConnectionError):
        exchange_in("reset")
    partner.control("PUT", "switches", {"token_outage": None})
    assert "access_token" in exchange_in(None)
    outcomes = [entry["outcome"] for entry in partner.control("GET", "ledger")["tokens"]]
    assert outcomes[-3:] == ["outage: unavailable", "outage: reset", "issued"]


def test_everything_outlives_a_kill(tls: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
    arguments = (tls, tmp_path / "log", "--state", str(tmp_path / "state"))
    ms_request_id = str(uuid4())
    first = start_fake(*arguments)
    try:
        before = Partner(first)
        before.authorize()
        customer_id = before.customer("completes-slowly")
        created = before.post("productupgrades", customer_id, ms_request_id=ms_request_id)
        before.session.close()
    finally:
        assert first.stop(sig=signal.SIGKILL) == -signal.SIGKILL
    ports = [url.rpartition(":")[2] for url in (first.facts["api_url"], first.facts["authority_url"])]
    second = start_fake(*arguments, "--api-port", ports[0], "--authority-port", ports[1])
    try:
        assert second.facts == first.facts
        after = Partner(second)
        after.authorization = before.authorization
        repeated = after.post("productupgrades", customer_id, ms_request_id=ms_request_id)
        assert (repeated.status_code, repeated.headers["Location"]) == (202, created.headers["Location"])
        assert len(after.ledger(customer_id)[1]) == 1
        after.session.close()
    finally:
        assert second.stop() == 0
