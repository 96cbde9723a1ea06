"""One HTTP call ends in time and within its memory, whatever the server does: all tests that measure either."""

import gzip
import socket
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import requests
from azure.core.exceptions import AzureError, ServiceResponseTimeoutError
from azure.core.pipeline.transport import HttpRequest
from urllib3.util import connection

from local.tls import Tls
from shared.transport import AnswerTooLarge, DeadlineTransport, Timeouts, total_deadline
from tests.unit.raw_calls import answer_with, post, resolving_to, silent
from tests.unit.raw_server import OK, Peer, Script, raw_server

SHORT = Timeouts(connect_s=5, read_s=5, total_s=0.2)
# What a busy machine may take on top; far below what would come next if a bound did not hold.
SLACK_S = 0.15


@contextmanager
def lasts(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    took_s = time.monotonic() - began
    assert seconds - 0.02 <= took_s <= seconds + SLACK_S


def drip(begun: bytes, more: bytes = b"1") -> Script:
    def script(peer: Peer) -> None:
        peer.answer(begun)
        peer.drip(more)

    return script


def pour(head: bytes, piece: bytes) -> Script:
    """As fast as the client reads, without an end."""

    def script(peer: Peer) -> None:
        peer.answer(head)
        while True:
            peer.send(piece)

    return script


@pytest.mark.parametrize(
    ("begun", "more"),
    [
        (b"H", b"1"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n ", b"1"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n", b"1"),
        (b"HTTP/1.1 200 OK\r\n\r\nwithout a length", b"1"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status line", "headers", "body", "chunk", "until the end", "interim answers"],
)
def test_a_server_that_drips_holds_nobody_past_the_deadline(
    session: requests.Session, begun: bytes, more: bytes
) -> None:
    with raw_server(drip(begun, more)) as server, lasts(0.2), pytest.raises(requests.RequestException):
        post(session, server.url, SHORT)


def test_a_server_that_drips_over_tls_holds_nobody(session: requests.Session, tls: Tls) -> None:
    def script(peer: Peer) -> None:
        with tls.server_context().wrap_socket(peer.connection, server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
            while not peer.wait(0.02):
                connection.sendall(b" ")

    timeouts = Timeouts(connect_s=5, read_s=5, total_s=0.4)
    with raw_server(script) as server, lasts(0.4), pytest.raises(requests.RequestException):
        post(session, f"https://127.0.0.1:{server.port}", timeouts)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "timeouts", [SHORT, Timeouts(connect_s=0.2, read_s=0.2, total_s=5)], ids=["total", "single wait"]
)
def test_a_server_that_says_nothing_holds_nobody(session: requests.Session, scheme: str, timeouts: Timeouts) -> None:
    with raw_server(silent) as server, lasts(0.2), pytest.raises(requests.RequestException):
        post(session, f"{scheme}://127.0.0.1:{server.port}", timeouts)


@pytest.fixture
def unreachable() -> Iterator[int]:
    """A port where connection attempts are neither accepted nor refused: its backlog is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(
    "timeouts", [SHORT, Timeouts(connect_s=0.2, read_s=5, total_s=5)], ids=["total", "connection attempt"]
)
def test_a_connection_attempt_is_bounded(session: requests.Session, unreachable: int, timeouts: Timeouts) -> None:
    with lasts(0.2), pytest.raises(requests.RequestException):
        post(session, f"http://127.0.0.1:{unreachable}", timeouts)


def test_all_addresses_of_a_host_together_are_bounded(
    session: requests.Session, unreachable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving_to(monkeypatch, *["127.0.0.1"] * 9)
    with lasts(0.3), pytest.raises(requests.RequestException):
        post(session, f"http://name.invalid:{unreachable}", Timeouts(connect_s=0.1, read_s=5, total_s=0.3))


def test_a_handshake_gets_what_the_connection_attempt_has_left(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = connection.create_connection

    def slowly(*args: Any, **kwargs: Any) -> socket.socket:
        time.sleep(0.25)
        return connect(*args, **kwargs)

    monkeypatch.setattr(connection, "create_connection", slowly)
    timeouts = Timeouts(connect_s=5, read_s=5, total_s=0.3)
    with raw_server(silent) as server, lasts(0.3), pytest.raises(requests.RequestException):
        post(session, f"https://127.0.0.1:{server.port}", timeouts)


def test_the_deadline_covers_a_call_that_is_sent_once_more(session: requests.Session) -> None:
    def dies_late(peer: Peer) -> None:
        peer.answer()
        peer.read_request()
        peer.wait(0.15)

    with raw_server(dies_late, silent) as server:
        post(session, server.url)
        with lasts(0.3), pytest.raises(requests.RequestException):
            post(session, server.url, Timeouts(connect_s=5, read_s=5, total_s=0.3))
        assert server.connections == 2


def test_an_outer_deadline_still_holds(session: requests.Session) -> None:
    with raw_server(silent) as server, lasts(0.2), total_deadline(0.2), pytest.raises(requests.RequestException):
        post(session, server.url)


def test_a_deadline_that_has_passed_lets_nothing_be_sent_and_ends_with_its_block(session: requests.Session) -> None:
    with raw_server(answer_with(OK)) as server:
        with lasts(0), total_deadline(-1), pytest.raises(requests.RequestException):
            post(session, server.url)
        assert server.requests == []
        assert post(session, server.url).content == b"ok"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b" " * 0x8000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b" " * 65536),
    ],
    ids=["body", "chunks", "headers", "body of a redirect"],
)
def test_an_answer_without_an_end_is_given_up_soon(session: requests.Session, head: bytes, piece: bytes) -> None:
    with raw_server(pour(head, piece)) as server, lasts(0), pytest.raises(requests.RequestException):
        post(session, server.url)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\r\n",
        b"\x00" * 10,
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 99999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n: no name\r\nno colon\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate, gzip, br, zstd\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=\xff\xfe\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x00\x00",
    ],
    ids=range(19),
)
@pytest.mark.filterwarnings("ignore:unclosed")  # a connection that requests leaves behind after some of these
def test_any_bytes_are_an_answer_or_a_failed_request(session: requests.Session, reply: bytes) -> None:
    with raw_server(lambda peer: peer.answer(reply)) as server, lasts(0), suppress(requests.RequestException):
        post(session, server.url)


def test_a_small_answer_that_unpacks_to_a_huge_one_is_bounded(session: requests.Session) -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    with raw_server(answer_with(head + bomb)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(AnswerTooLarge):
                post(session, server.url)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak_bytes < 4 * 1024 * 1024


def test_an_sdk_does_not_sleep_past_the_deadline(session: requests.Session) -> None:
    transport = DeadlineTransport(session)
    with lasts(0), total_deadline(0.5), pytest.raises(ServiceResponseTimeoutError):
        transport.sleep(0.6)
    with lasts(0.05), total_deadline(0.5):
        transport.sleep(0.05)


def test_without_a_deadline_an_sdk_sleeps_as_long_as_it_wants(session: requests.Session) -> None:
    with lasts(0.05):
        DeadlineTransport(session).sleep(0.05)


@pytest.mark.parametrize(
    "script",
    [silent, drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n "), drip(b"HTTP/1.1 200 OK\r\nX: ")],
    ids=["silent", "body", "headers"],
)
def test_an_sdks_call_ends_at_the_deadline(session: requests.Session, script: Script) -> None:
    transport = DeadlineTransport(session)
    with raw_server(script) as server, lasts(0.2), total_deadline(0.2), pytest.raises(AzureError):
        transport.send(HttpRequest("GET", server.url))
