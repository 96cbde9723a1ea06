"""The session that every HTTP call shares: where it connects to, whom it trusts, and what it reads and keeps."""

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import requests

from local.tls import Tls
from shared.transport import new_session
from tests.unit.raw_calls import answer_with, post, resolving_to
from tests.unit.raw_server import OK, Peer, raw_server


def test_the_next_address_is_tried_where_one_does_not_answer(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving_to(monkeypatch, "::1", "127.0.0.1")
    with raw_server(answer_with(OK)) as server:
        assert post(session, f"http://name.invalid:{server.port}").content == b"ok"
        assert b"Host: name.invalid:" in server.requests[0]


def test_a_name_that_nobody_knows_is_a_failed_request(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(requests.ConnectionError):
        post(session, "http://name.invalid")


def test_a_certificate_of_a_stranger_is_refused(tls: Tls) -> None:
    def script(peer: Peer) -> None:
        try:
            tls.server_context().wrap_socket(peer.connection, server_side=True).recv(1)
        except ssl.SSLError:
            return
        raise AssertionError("the client went on")

    with (
        raw_server(script) as server,
        new_session(connections=1) as session,
        pytest.raises(requests.exceptions.SSLError),
    ):
        post(session, f"https://127.0.0.1:{server.port}")


def test_the_environment_is_not_read(
    session: requests.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with raw_server(answer_with(OK)) as server:
        post(session, server.url, headers={"Authorization": "Bearer mine"})
    assert b"Authorization: Bearer mine\r\n" in server.requests[0]


def test_cookies_are_not_kept(session: requests.Session) -> None:
    reply = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\nok"

    def script(peer: Peer) -> None:
        peer.answer(reply)
        peer.answer()

    with raw_server(script) as server:
        post(session, server.url)
        post(session, server.url)
    assert len(server.requests) == 2
    assert not any(b"cookie" in request.lower() for request in server.requests)
