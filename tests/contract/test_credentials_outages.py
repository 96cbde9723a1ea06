"""A token endpoint, a vault or an identity that does not answer, or answers nonsense: an outage, in time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local.component import Component
from local.tls import Tls
from shared.key_vault import KeyVault
from shared.transport import DeadlineTransport
from tests.contract.signed_in_app import SignedInApp, unavailable
from tests.unit.gates import events
from tests.unit.raw_calls import silent
from tests.unit.raw_server import Peer, RawServer, raw_server


@pytest.mark.parametrize("outage", ["unavailable", "reset", "html"])
def test_an_outage_of_the_token_endpoint_passes(
    app: SignedInApp, caplog: pytest.LogCaptureFixture, outage: str
) -> None:
    credentials = app.credentials()
    app.switch(token_outage=outage)
    unavailable(credentials)
    assert events(caplog) == []
    app.switch(token_outage=None)
    assert app.api_status(credentials.get_token()) == 200


def vault_at(server: RawServer, credential: DefaultAzureCredential, session: requests.Session) -> KeyVault:
    client = SecretClient(f"https://127.0.0.1:{server.port}", credential, transport=DeadlineTransport(session))
    return KeyVault(client, 0.3)


@contextmanager
def vault_for_identity_at(server: RawServer, vault_url: str, session: requests.Session) -> Iterator[KeyVault]:
    """A vault that works, for an app whose identity does not."""
    sender = DeadlineTransport(session)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        with DefaultAzureCredential(transport=sender) as credential:
            yield KeyVault(SecretClient(vault_url, credential, transport=sender), 0.3)


def test_a_vault_that_does_not_answer_is_an_outage_within_its_deadline(
    app: SignedInApp, credential: DefaultAzureCredential
) -> None:
    with raw_server(silent) as server:
        vault = vault_at(server, credential, app.session)
        began = time.monotonic()
        unavailable(app.over(vault))
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
    app: SignedInApp, credential: DefaultAzureCredential, tls: Tls, reply: bytes
) -> None:
    def script(peer: Peer) -> None:
        with tls.server_context().wrap_socket(peer.connection, server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(reply)

    with raw_server(script) as server:
        unavailable(app.over(vault_at(server, credential, app.session)))


def test_an_identity_that_does_not_answer_is_an_outage_within_the_deadline(
    app: SignedInApp, key_vault: Component
) -> None:
    with raw_server(silent) as server:
        with vault_for_identity_at(server, key_vault.facts["url"], app.session) as vault:
            began = time.monotonic()
            unavailable(app.over(vault))
            assert time.monotonic() - began < 0.9
        assert server.connections >= 1


@pytest.mark.parametrize("http_status", [400, 403, 404, 500, 200])
def test_an_identity_that_answers_nonsense_is_an_outage(
    app: SignedInApp, key_vault: Component, http_status: int
) -> None:
    page = b"HTTP/1.1 %d x\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>" % http_status
    with raw_server(lambda peer: peer.answer(page)) as server:
        with vault_for_identity_at(server, key_vault.facts["url"], app.session) as vault:
            unavailable(app.over(vault))
        assert server.connections >= 1
