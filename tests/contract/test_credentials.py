"""The access token with Key Vault's SDK and MSAL as they are, against the local vault, identity and token endpoint."""

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
import trustme
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12

from local.component import Component, start
from local.tls import Tls
from shared import transport, wiring
from shared.credentials import Credentials, Secret, Vault
from shared.errors import AccessDenied, CallFailed, TokenRefused, TokenUnavailable
from shared.key_vault import KeyVault
from shared.partner_center import PartnerCenterClient
from shared.settings import Settings
from shared.sign_in import Kind, SignIn, certificate
from tests.fakes import FakeClock, settings
from tests.unit import rows
from tests.unit.raw_server import Peer, RawServer, raw_server
from tests.unit.test_sign_in import ERRORS

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT_ID = "22222222-2222-4222-8222-222222222222"
DAY_S = 86_400
NEEDED = {"client_secret_name": "auth.credential_invalid", "refresh_token_secret_name": "auth.consent_required"}
SWITCHED_OFF = {"token_outage": None, "token_error": None, "access_token_lifetime_s": 3600}


class ReplacingVault(KeyVault):
    """A person replaces secrets while the app works: before the n-th read of a secret."""

    replacements: dict[tuple[str, int], Callable[[], object]]

    def __init__(self, client: SecretClient, call_deadline_s: float) -> None:
        super().__init__(client, call_deadline_s)
        self.replacements = {}
        self.reads: list[str] = []

    def get_secret(self, name: str, version_id: str | None = None) -> Secret:
        self.reads.append(name)
        self.replacements.get((name, self.reads.count(name)), lambda: None)()
        return super().get_secret(name, version_id)


class World:
    """An app of its own: two secrets, its clock, and what the token endpoint saw since it was made."""

    def __init__(self, partner_center: Component, secrets: SecretClient, session: requests.Session) -> None:
        self.facts = partner_center.facts
        self.secrets = secrets
        self.session = session
        self.clock = FakeClock(datetime.now(UTC))
        name = uuid4().hex
        self.settings = settings(
            partner_tenant_id=TENANT,
            partner_client_id=CLIENT_ID,
            authority_url=self.facts["authority_url"],
            partner_center_url=self.facts["api_url"],
            client_secret_name=f"client-{name}",
            refresh_token_secret_name=f"refresh-{name}",
            azure_call_deadline_s=5,
        )
        self.put_client_secret(self.facts["client_secret"])
        self.refresh_token = self.put_refresh_token()
        self.vault = ReplacingVault(secrets, 5)
        self._since = self.control("GET", "ledger")["sequence"]

    def credentials(self, **changed: Any) -> Credentials:
        return self._credentials(replace(self.settings, **changed), self.vault)

    def over(self, vault: Vault) -> Credentials:
        """With another vault."""
        return self._credentials(self.settings, vault)

    def _credentials(self, given: Settings, vault: Vault) -> Credentials:
        return Credentials(vault, SignIn(self.session, given), self.clock, given)

    def control(self, method: str, path: str, content: object = None) -> Any:
        response = requests.request(method, f"{self.facts['api_url']}/_fake/{path}", json=content, timeout=5)
        assert response.status_code == 200, response.text
        return response.json()

    def put_client_secret(self, value: str) -> None:
        self.secrets.set_secret(self.settings.client_secret_name, value)

    def put_refresh_token(self, value: str | None = None) -> str:
        """A person consents; or puts what is none there."""
        value = value or str(self.control("POST", "sign-in", {"mfa": True})["refresh_token"])
        self.secrets.set_secret(self.settings.refresh_token_secret_name, value)
        return value

    @property
    def stored(self) -> Any:
        """The current refresh token's secret."""
        return self.secrets.get_secret(self.settings.refresh_token_secret_name)

    @property
    def exchanges(self) -> list[str]:
        return [entry["outcome"] for entry in self.control("GET", f"ledger?since={self._since}")["tokens"]]

    def api_status(self, token: str) -> int:
        """What the API says to it."""
        url = f"{self.facts['api_url']}/v1/productUpgrades/eligibility"
        body = {"customerId": str(uuid4()), "productFamily": "Azure"}
        return requests.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=5).status_code


@pytest.fixture(scope="module")
def partner_center(tls: Tls, component_logs: Path) -> Iterator[Component]:
    arguments = ("--tls", str(tls.folder), "--tenant", TENANT, "--client-id", CLIENT_ID)
    component = start("local.partner_center", *arguments, log=component_logs / "credentials_partner_center.log")
    yield component
    assert component.stop() == 0


@pytest.fixture(scope="module")
def session(tls: Tls) -> Iterator[requests.Session]:
    with transport.new_session(connections=8, ca_file=str(tls.ca)) as session:
        yield session


@pytest.fixture(scope="module")
def secrets(key_vault: Component, credential: DefaultAzureCredential, session: requests.Session) -> SecretClient:
    return SecretClient(key_vault.facts["url"], credential, transport=transport.DeadlineTransport(session))


@pytest.fixture
def world(partner_center: Component, secrets: SecretClient, session: requests.Session) -> Iterator[World]:
    world = World(partner_center, secrets, session)
    yield world
    world.control("PUT", "switches", SWITCHED_OFF)


@pytest.fixture(autouse=True)
def _as_the_wiring_sets_it(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Everything is logged but for what the wiring quietens."""
    loggers = [logging.getLogger(name) for name in ("azure", "urllib3", "msal")]
    levels = [logger.level for logger in loggers]
    caplog.set_level(logging.DEBUG)
    wiring._quieten_libraries()
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    lines = [record.getMessage().partition(" ") for record in caplog.records if record.name == "upgrades"]
    return [(event, json.loads(fields)) for event, _, fields in lines]


def refused(credentials: Credentials) -> TokenRefused:
    with pytest.raises(TokenRefused) as found:
        credentials.get_token()
    return found.value


def unavailable(credentials: Credentials) -> TokenUnavailable:
    with pytest.raises(TokenUnavailable) as found:
        credentials.get_token()
    return found.value


def in_threads(count: int, call: Callable[[], object]) -> list[object]:
    """What each of so many simultaneous calls returned or raised."""
    together = threading.Barrier(count)

    def outcome(_: int) -> object:
        together.wait()
        try:
            return call()
        except CallFailed as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(outcome, range(count)))


# One token


def test_the_token_opens_the_api(world: World) -> None:
    assert world.api_status(world.credentials().get_token()) == 200


def test_fifty_threads_share_one_exchange(world: World) -> None:
    tokens = in_threads(50, world.credentials().get_token)
    assert len(set(tokens)) == 1
    assert isinstance(tokens[0], str)
    assert world.exchanges == ["issued"]


@pytest.mark.parametrize(("lifetime_s", "used_for_s"), [(3600, 3300), (100, 50)])
def test_a_token_is_renewed_before_it_ends(world: World, lifetime_s: float, used_for_s: float) -> None:
    world.control("PUT", "switches", {"access_token_lifetime_s": lifetime_s})
    credentials = world.credentials()
    first = credentials.get_token()
    world.clock.advance(used_for_s - 1)
    assert credentials.get_token() == first
    world.clock.advance(1)
    assert credentials.get_token() != first
    assert world.exchanges == ["issued"] * 2


def test_a_dropped_token_is_made_anew_and_a_newer_one_is_not_dropped(world: World) -> None:
    credentials = world.credentials()
    first = credentials.get_token()
    credentials.drop_token(first)
    second = credentials.get_token()
    assert second != first
    credentials.drop_token(first)
    assert credentials.get_token() == second
    credentials.drop_token()
    assert credentials.get_token() not in (first, second)


def test_the_age_of_the_refresh_token_is_known_after_an_exchange(world: World) -> None:
    credentials = world.credentials()
    assert credentials.refresh_token_age_d is None
    world.clock.advance(3 * DAY_S)
    credentials.get_token()
    assert credentials.refresh_token_age_d == pytest.approx(3, abs=0.01)


# Credentials that are wrong


def test_a_refresh_token_that_is_none_needs_a_persons_consent(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.put_refresh_token("never issued")
    world.clock.advance(DAY_S)
    error = refused(world.credentials())
    assert (error.code, error.aadsts) == ("invalid_grant", 70000)
    ((event, fields),) = events(caplog)
    assert event == "auth.consent_required"
    assert fields == {"oauth_error": "invalid_grant", "aadsts": 70000, "secret_age_d": pytest.approx(1, abs=0.01)}


def test_a_client_secret_that_is_wrong_is_reported_as_such(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.put_client_secret("wrong")
    error = refused(world.credentials())
    assert (error.code, error.aadsts) == ("invalid_client", 7000215)
    ((event, fields),) = events(caplog)
    assert event == "auth.credential_invalid"
    assert (fields["oauth_error"], fields["aadsts"]) == ("invalid_client", 7000215)


@pytest.mark.parametrize(("aadsts", "error", "kind"), ERRORS, ids=str)
def test_every_documented_error_ends_as_it_asks_for_and_is_logged_once(
    world: World, caplog: pytest.LogCaptureFixture, aadsts: int, error: str, kind: Kind
) -> None:
    world.control("PUT", "switches", {"token_error": aadsts})
    if kind is Kind.LATER:
        unavailable(world.credentials())
        assert events(caplog) == []
        return
    found = refused(world.credentials())
    assert (found.code, found.aadsts) == (error, aadsts)
    ((event, fields),) = events(caplog)
    assert event == ("auth.credential_invalid" if kind is Kind.CLIENT else "auth.consent_required")
    assert fields == {"oauth_error": error, "aadsts": aadsts, "secret_age_d": pytest.approx(0, abs=0.01)}


@pytest.mark.parametrize(
    ("error", "event"), [("invalid_grant", "auth.consent_required"), ("invalid_client", "auth.credential_invalid")]
)
def test_an_oauth_error_is_logged_as_what_a_person_must_do(
    world: World, caplog: pytest.LogCaptureFixture, error: str, event: str
) -> None:
    world.control("PUT", "switches", {"token_error": error})
    assert refused(world.credentials()).code == error
    assert [name for name, _ in events(caplog)] == [event]


@pytest.mark.parametrize("secret", ["client", "refresh"])
def test_a_secret_that_was_just_replaced_counts_before_the_error(
    world: World, caplog: pytest.LogCaptureFixture, secret: str
) -> None:
    if secret == "client":
        world.put_client_secret("wrong")
        name = world.settings.client_secret_name
        world.vault.replacements[name, 2] = lambda: world.put_client_secret(world.facts["client_secret"])
    else:
        world.put_refresh_token("never issued")
        world.vault.replacements[world.settings.refresh_token_secret_name, 2] = world.put_refresh_token
    assert world.api_status(world.credentials().get_token()) == 200
    assert [event for event, _ in events(caplog)] == ["auth.renewed"]


def test_a_secret_that_is_replaced_later_is_picked_up_without_a_restart(world: World) -> None:
    world.put_refresh_token("never issued")
    credentials = world.credentials()
    refused(credentials)
    world.put_refresh_token()
    assert world.api_status(credentials.get_token()) == 200


def test_a_secret_that_was_replaced_by_another_wrong_one_is_logged_too(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.put_refresh_token("never issued")
    name = world.settings.refresh_token_secret_name
    world.vault.replacements[name, 2] = lambda: world.put_refresh_token("not this one either")
    assert refused(world.credentials()).code == "invalid_grant"
    assert [event for event, _ in events(caplog)] == ["auth.consent_required"]


def test_where_the_second_look_fails_the_first_refusal_stands(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise TokenUnavailable("out")

    world.put_refresh_token("never issued")
    world.vault.replacements[world.settings.client_secret_name, 2] = fail
    assert refused(world.credentials()).code == "invalid_grant"
    assert [event for event, _ in events(caplog)] == ["auth.consent_required"]


def test_a_secret_that_is_only_put_there_after_the_first_look_is_picked_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.settings = replace(world.settings, client_secret_name=f"late-{uuid4().hex}")
    name = world.settings.client_secret_name
    world.vault.replacements[name, 2] = lambda: world.put_client_secret(world.facts["client_secret"])
    assert world.api_status(world.credentials().get_token()) == 200
    assert [event for event, _ in events(caplog)] == ["auth.renewed"]


def test_a_refusal_is_not_remembered(world: World) -> None:
    credentials = world.credentials()
    world.control("PUT", "switches", {"token_error": "invalid_grant"})
    refused(credentials)
    world.control("PUT", "switches", SWITCHED_OFF)
    assert world.api_status(credentials.get_token()) == 200


# MFA


def test_a_sign_in_without_mfa_is_logged_once_per_exchange_and_the_api_denies_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.put_refresh_token(world.control("POST", "sign-in", {"mfa": False})["refresh_token"])
    credentials = world.credentials()
    credentials.get_token()
    credentials.get_token()
    once = [("auth.consent_required", "no_mfa"), ("auth.renewed", None)]
    assert [(event, fields.get("oauth_error")) for event, fields in events(caplog)] == once
    with pytest.raises(AccessDenied) as denied:
        partner_center_client(world, credentials).get_eligibility(rows.in_flight(customer_id=str(uuid4())))
    assert (denied.value.http_status, denied.value.code) == (401, "900421")
    caplog.clear()
    credentials.drop_token()
    credentials.get_token()
    assert [(event, fields.get("oauth_error")) for event, fields in events(caplog)] == once


def test_a_sign_in_with_mfa_is_no_event(world: World, caplog: pytest.LogCaptureFixture) -> None:
    client = partner_center_client(world, world.credentials())
    assert client.get_eligibility(rows.in_flight(customer_id=str(uuid4()))).is_eligible
    assert [event for event, _ in events(caplog)] == ["auth.renewed"]


def partner_center_client(world: World, tokens: Credentials) -> PartnerCenterClient:
    return PartnerCenterClient(
        session=world.session,
        tokens=tokens,
        base_url=world.facts["api_url"],
        timeouts=transport.Timeouts(5, 5, 5),
        clock=world.clock,
        new_id=lambda: str(uuid4()),
    )


# Certificates


@dataclass(frozen=True)
class Certificates:
    """Two certificates of the app, one after the other, and the authority that issued them."""

    authority: trustme.CA
    old: trustme.LeafCert
    new: trustme.LeafCert


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    old, new = (authority.issue_cert(f"{name}.test", key_type=trustme.KeyType.RSA) for name in ("old", "new"))
    return Certificates(authority, old, new)


def pem(leaf: trustme.LeafCert) -> str:
    return leaf.cert_chain_pems[0].bytes().decode()


def key_pem(leaf: trustme.LeafCert) -> str:
    return leaf.private_key_pem.bytes().decode()


def pkcs12_of(leaf: trustme.LeafCert, *chain: str) -> str:
    """As Key Vault gives it."""
    key = serialization.load_pem_private_key(key_pem(leaf).encode(), None)
    assert isinstance(key, RSAPrivateKey)
    cas = [x509.load_pem_x509_certificate(text.encode()) for text in chain]
    own = x509.load_pem_x509_certificate(pem(leaf).encode())
    encryption = serialization.NoEncryption()
    return base64.b64encode(pkcs12.serialize_key_and_certificates(b"app", key, own, cas, encryption)).decode()


def forms(leaf: trustme.LeafCert, ca: str) -> dict[str, str]:
    key = serialization.load_pem_private_key(key_pem(leaf).encode(), None)
    pkcs8 = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return {
        "PKCS#12": pkcs12_of(leaf),
        "PKCS#12 with chain": pkcs12_of(leaf, ca),
        "PEM, key first": key_pem(leaf) + pem(leaf),
        "PEM, PKCS#8 key first": pkcs8 + pem(leaf),
        "PEM, certificate first": pem(leaf) + key_pem(leaf),
        "PEM, key first, with chain": pkcs8 + pem(leaf) + ca,
        "PEM, certificate first, with chain": pem(leaf) + ca + pkcs8,
        "PEM, with carriage returns": (pkcs8 + pem(leaf)).replace("\n", "\r\n"),
    }


FORMS = (
    *("PKCS#12", "PKCS#12 with chain", "PEM, key first", "PEM, PKCS#8 key first", "PEM, certificate first"),
    *("PEM, key first, with chain", "PEM, certificate first, with chain", "PEM, with carriage returns"),
)


def with_certificate(world: World, value: str) -> Credentials:
    name = f"certificate-{uuid4().hex}"
    world.settings = replace(world.settings, client_certificate_name=name)
    world.secrets.set_secret(name, value)
    return world.credentials()


@pytest.mark.parametrize("form", FORMS)
def test_a_certificate_opens_the_token_endpoint_in_every_form(
    world: World, certificates: Certificates, form: str
) -> None:
    value = forms(certificates.old, certificates.authority.cert_pem.bytes().decode())[form]
    world.control("PUT", "client", {"certificate": pem(certificates.old)})
    world.put_client_secret("not used")
    assert world.api_status(with_certificate(world, value).get_token()) == 200
    shown = x509.load_pem_x509_certificate(certificate(value)["public_certificate"].encode())
    assert shown == x509.load_pem_x509_certificate(pem(certificates.old).encode()), "the leaf, not its issuer"


def test_a_certificate_that_is_replaced_is_picked_up_without_a_restart(
    world: World, caplog: pytest.LogCaptureFixture, certificates: Certificates
) -> None:
    world.control("PUT", "client", {"certificate": pem(certificates.old)})
    credentials = with_certificate(world, pkcs12_of(certificates.old))
    credentials.get_token()
    world.control("PUT", "client", {"certificate": pem(certificates.new)})
    credentials.drop_token()
    error = refused(credentials)
    assert (error.code, error.aadsts) == ("invalid_client", 700027)
    world.secrets.set_secret(str(world.settings.client_certificate_name), pkcs12_of(certificates.new))
    assert world.api_status(credentials.get_token()) == 200
    assert [event for event, _ in events(caplog)] == ["auth.renewed", "auth.credential_invalid", "auth.renewed"]


def test_what_is_no_certificate_is_refused_and_not_shown(world: World, caplog: pytest.LogCaptureFixture) -> None:
    value = "c2VjcmV0LW5vdC1hLWNlcnRpZmljYXRl"
    error = refused(with_certificate(world, value))
    assert error.code == "invalid_certificate"
    ((event, fields),) = events(caplog)
    assert (event, fields["oauth_error"]) == ("auth.credential_invalid", "invalid_certificate")
    assert world.exchanges == []
    told = [f"{record.getMessage()} {record.exc_info}" for record in caplog.records] + [f"{error!r} {vars(error)}"]
    assert not [line for line in told if value in line or "secret-not-a-certificate" in line]


# Outages


@pytest.mark.parametrize("outage", ["unavailable", "reset", "html"])
def test_an_outage_of_the_token_endpoint_passes(world: World, caplog: pytest.LogCaptureFixture, outage: str) -> None:
    credentials = world.credentials()
    world.control("PUT", "switches", {"token_outage": outage})
    unavailable(credentials)
    assert events(caplog) == []
    world.control("PUT", "switches", SWITCHED_OFF)
    assert world.api_status(credentials.get_token()) == 200


def test_all_who_wait_share_the_end_of_an_outage(world: World) -> None:
    with raw_server(lambda peer: peer.wait_until_gone()) as server:
        url = f"https://127.0.0.1:{server.port}"
        credentials = world.credentials(authority_url=url, azure_call_deadline_s=0.4)
        began = time.monotonic()
        outcomes = in_threads(50, credentials.get_token)
        assert time.monotonic() - began < 1
        assert {type(outcome) for outcome in outcomes} == {TokenUnavailable}
        assert server.connections == 1


# Key Vault


@pytest.mark.parametrize("secret", ["client_secret_name", "refresh_token_secret_name"])
def test_a_secret_that_is_missing_needs_a_person(world: World, caplog: pytest.LogCaptureFixture, secret: str) -> None:
    name = f"missing-{uuid4().hex}"
    assert refused(world.credentials(**{secret: name})).code == f"secret:{name}"
    assert events(caplog) == [(NEEDED[secret], {"oauth_error": f"secret:{name}"})]
    assert world.exchanges == []


@pytest.mark.parametrize("secret", ["client_secret_name", "refresh_token_secret_name"])
def test_a_secret_that_is_forbidden_needs_a_person(world: World, caplog: pytest.LogCaptureFixture, secret: str) -> None:
    name = getattr(world.settings, secret)
    world.secrets.update_secret_properties(name, enabled=False)
    assert refused(world.credentials()).code == f"secret:{name}"
    assert events(caplog) == [(NEEDED[secret], {"oauth_error": f"secret:{name}"})]


def vault_at(
    server: RawServer, credential: DefaultAzureCredential, session: requests.Session, deadline_s: float
) -> KeyVault:
    sender = transport.DeadlineTransport(session)
    return KeyVault(SecretClient(f"https://127.0.0.1:{server.port}", credential, transport=sender), deadline_s)


def test_a_vault_that_does_not_answer_is_an_outage_within_its_deadline(
    world: World, credential: DefaultAzureCredential, session: requests.Session
) -> None:
    with raw_server(lambda peer: peer.wait_until_gone()) as server:
        vault = vault_at(server, credential, session, 0.3)
        began = time.monotonic()
        unavailable(world.over(vault))
        assert time.monotonic() - began < 0.6


def ok(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content) + content


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 x\r\n\r\n",
        ok(b"<html>"),
        ok(b"null"),
        ok(b"[]"),
        ok(b'"text"'),
        ok(b""),
        b"",
    ],
)
def test_a_vault_that_answers_nonsense_is_an_outage(
    world: World, credential: DefaultAzureCredential, session: requests.Session, tls: Tls, reply: bytes
) -> None:
    def script(peer: Peer) -> None:
        with tls.server_context().wrap_socket(peer.connection, server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(reply)

    with raw_server(script) as server:
        vault = vault_at(server, credential, session, 0.3)
        unavailable(world.over(vault))


def test_an_identity_that_does_not_answer_is_an_outage_within_the_deadline(
    world: World, key_vault: Component, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = transport.DeadlineTransport(session)
    with raw_server(lambda peer: peer.wait_until_gone()) as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        with DefaultAzureCredential(transport=sender) as credential:
            client = SecretClient(key_vault.facts["url"], credential, transport=sender)
            began = time.monotonic()
            unavailable(world.over(KeyVault(client, 0.3)))
            assert time.monotonic() - began < 0.9
        assert server.connections >= 1


@pytest.mark.parametrize("http_status", [400, 403, 404, 500, 200])
def test_an_identity_that_answers_nonsense_is_an_outage(
    world: World,
    key_vault: Component,
    session: requests.Session,
    monkeypatch: pytest.MonkeyPatch,
    http_status: int,
) -> None:
    sender = transport.DeadlineTransport(session)
    page = b"HTTP/1.1 %d x\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>" % http_status
    with raw_server(lambda peer: peer.answer(page)) as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        with DefaultAzureCredential(transport=sender) as credential:
            client = SecretClient(key_vault.facts["url"], credential, transport=sender)
            unavailable(world.over(KeyVault(client, 0.3)))
        assert server.connections >= 1


# What is logged


def test_no_secret_is_ever_logged_or_told_by_an_error(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.clock.advance(2 * DAY_S)
    credentials = world.credentials()
    told: list[str] = [credentials.get_token(), world.refresh_token, world.stored.value, world.facts["client_secret"]]
    assert told[1] != told[2], "the new refresh token was written back"
    shown: list[object] = []
    world.put_refresh_token("never-issued-but-secret")
    credentials.drop_token()
    shown.append(refused(credentials))
    world.put_client_secret("wrong-but-secret")
    shown.append(refused(credentials))
    world.control("PUT", "switches", {"token_outage": "reset"})
    shown.append(unavailable(credentials))
    told += ["never-issued-but-secret", "wrong-but-secret"]
    lines = [f"{record.getMessage()} {record.args} {record.exc_text} {record.exc_info}" for record in caplog.records]
    assert {"auth.renewed", "auth.consent_required", "auth.credential_invalid"} <= {line.split()[0] for line in lines}
    lines += [f"{error!r} {error} {vars(error)} {error.__cause__}" for error in shown if isinstance(error, CallFailed)]
    assert not [line for line in lines for secret in told if secret in line]


def test_settings_never_hold_a_secret() -> None:
    assert not {name for name in Settings.__dataclass_fields__ if name.endswith(("_secret", "_token", "_key"))}
