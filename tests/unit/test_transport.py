"""One HTTP call against servers that do not behave."""

import gzip
import socket
import ssl
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import AzureError, ServiceResponseTimeoutError
from azure.core.pipeline.transport import HttpRequest
from urllib3.util import connection

from local.tls import Tls
from shared.transport import AnswerTooLarge, DeadlineTransport, Timeouts, new_session, send, total_deadline
from tests.unit.raw_server import OK, Peer, Script, raw_server

MAX_BYTES = 100_000
TIMEOUTS = Timeouts(connect_s=5, read_s=5, total_s=5)
SHORT = Timeouts(connect_s=5, read_s=5, total_s=0.2)
# What a busy machine may take on top; far below what would come next if a bound did not hold.
SLACK_S = 0.15


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with new_session(connections=4) as session:
        yield session


def post(session: requests.Session, url: str, timeouts: Timeouts = TIMEOUTS, **kwargs: Any) -> requests.Response:
    options: dict[str, Any] = {"json": {"a": 1}, "headers": {"MS-RequestId": "m1"}} | kwargs
    return send(session, "POST", url, timeouts=timeouts, max_bytes=MAX_BYTES, **options)


@contextmanager
def lasts(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    took_s = time.monotonic() - began
    assert seconds - 0.02 <= took_s <= seconds + SLACK_S


def answer_with(content: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.answer(content)
        peer.wait_until_gone()

    return script


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


def silent(peer: Peer) -> None:
    peer.wait_until_gone()


def cut(*, after: bytes = b"", reset: bool = False) -> Script:
    def script(peer: Peer) -> None:
        peer.answer(after)
        if reset:
            peer.reset()

    return script


def one_answer_then(second: Script) -> Script:
    def script(peer: Peer) -> None:
        peer.answer()
        second(peer)

    return script


# The total deadline


@pytest.mark.parametrize(
    "head",
    [
        b"H",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n ",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nwithout a length",
    ],
    ids=["status line", "headers", "body", "chunk", "until the end"],
)
def test_a_server_that_drips_holds_nobody_past_the_deadline(session: requests.Session, head: bytes) -> None:
    with raw_server(drip(head)) as server, lasts(0.2), pytest.raises(requests.RequestException):
        post(session, server.url, SHORT)


def test_a_server_that_drips_interim_answers_holds_nobody(session: requests.Session) -> None:
    script = drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")
    with raw_server(script) as server, lasts(0.2), pytest.raises(requests.RequestException):
        post(session, server.url, SHORT)


def test_a_server_that_drips_over_tls_holds_nobody(tls: Tls) -> None:
    def script(peer: Peer) -> None:
        with tls.server_context().wrap_socket(peer.connection, server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
            while not peer.wait(0.02):
                connection.sendall(b" ")

    with raw_server(script) as server, new_session(connections=1, ca_file=str(tls.ca)) as session:
        url = f"https://127.0.0.1:{server.port}"
        with lasts(0.4), pytest.raises(requests.RequestException):
            post(session, url, Timeouts(connect_s=5, read_s=5, total_s=0.4))


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


def resolving_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Gives the name `name.invalid` these addresses."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        hosts = addresses if host == "name.invalid" else [host]
        return [found for each in hosts for found in resolve(each, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_all_addresses_of_a_host_together_are_bounded(
    session: requests.Session, unreachable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving_to(monkeypatch, *["127.0.0.1"] * 9)
    with lasts(0.3), pytest.raises(requests.RequestException):
        post(session, f"http://name.invalid:{unreachable}", Timeouts(connect_s=0.1, read_s=5, total_s=0.3))


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


def test_an_outer_deadline_still_holds(session: requests.Session) -> None:
    with raw_server(silent) as server, lasts(0.2), total_deadline(0.2), pytest.raises(requests.RequestException):
        post(session, server.url)


def test_a_deadline_that_has_passed_lets_nothing_be_sent(session: requests.Session) -> None:
    with raw_server(answer_with(OK)) as server, lasts(0):
        with total_deadline(-1), pytest.raises(requests.RequestException):
            post(session, server.url)
        assert server.requests == []


def test_a_deadline_ends_with_its_block(session: requests.Session) -> None:
    with raw_server(answer_with(OK)) as server:
        with total_deadline(-1):
            pass
        assert post(session, server.url).content == b"ok"


# What is read


def test_an_answer_is_read_whole(session: requests.Session) -> None:
    body = bytes(range(256)) * 300
    reply = b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: %d\r\nRetry-After: 7\r\n\r\n" % len(body) + body
    with raw_server(answer_with(reply)) as server:
        answer = post(session, server.url)
    assert (answer.status_code, answer.headers["retry-after"], answer.content) == (418, "7", body)


@pytest.mark.parametrize("framing", ["length", "chunks", "end of connection"])
@pytest.mark.parametrize("size", [MAX_BYTES, MAX_BYTES + 1])
def test_a_body_may_be_as_long_as_the_caller_takes(session: requests.Session, framing: str, size: int) -> None:
    head, body = {
        "length": (b"Content-Length: %d" % size, b"x" * size),
        "chunks": (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)),
        "end of connection": (b"Connection: close", b"x" * size),
    }[framing]
    with raw_server(lambda peer: peer.answer(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body)) as server:
        if size > MAX_BYTES:
            with pytest.raises(AnswerTooLarge):
                post(session, server.url)
        else:
            assert post(session, server.url).content == b"x" * size


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


def test_a_compressed_answer_is_unpacked(session: requests.Session) -> None:
    body = gzip.compress(b"unpacked")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with raw_server(answer_with(head + body)) as server:
        assert post(session, server.url).content == b"unpacked"


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


# What is sent


@pytest.mark.parametrize("http_status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", [b"/elsewhere", b"http://[", b"http://\xff", b"\xc3", b"http://example.com:x/", b"//", b"", b"file:///"]
)
def test_a_redirect_is_an_answer_and_is_never_followed(
    session: requests.Session, http_status: int, location: bytes
) -> None:
    reply = b"HTTP/1.1 %d x\r\nLocation: %b\r\nContent-Length: 2\r\n\r\nok" % (http_status, location)
    with raw_server(answer_with(reply)) as server:
        answer = post(session, server.url)
    assert (answer.status_code, answer.content, len(server.requests)) == (http_status, b"ok", 1)


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


def test_a_certificate_of_a_stranger_is_refused(session: requests.Session, tls: Tls) -> None:
    def script(peer: Peer) -> None:
        try:
            tls.server_context().wrap_socket(peer.connection, server_side=True).recv(1)
        except ssl.SSLError:
            return
        raise AssertionError("the client went on")

    with raw_server(script) as server, pytest.raises(requests.exceptions.SSLError):
        post(session, f"https://127.0.0.1:{server.port}")


# Connections that were kept


def answered_twice(peer: Peer) -> None:
    peer.answer()
    peer.answer()
    peer.wait_until_gone()


def test_a_connection_is_used_again(session: requests.Session) -> None:
    with raw_server(answered_twice) as server:
        post(session, server.url)
        post(session, server.url)
    assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("reset", [False, True])
def test_a_kept_connection_that_turns_out_dead_is_replaced_and_the_call_sent_once_more(
    session: requests.Session, reset: bool
) -> None:
    with raw_server(one_answer_then(cut(reset=reset)), answer_with(OK)) as server:
        post(session, server.url, headers={"MS-RequestId": "m1"})
        answer = post(session, server.url, headers={"MS-RequestId": "m2"})
    assert answer.content == b"ok"
    _, first, second = server.requests
    assert first == second
    assert b"MS-RequestId: m2" in first


def test_the_call_is_sent_once_more_and_not_twice(session: requests.Session) -> None:
    with raw_server(one_answer_then(cut()), cut()) as server:
        post(session, server.url)
        with pytest.raises(requests.ConnectionError):
            post(session, server.url)
    assert (server.connections, len(server.requests)) == (2, 3)


def test_the_deadline_covers_both(session: requests.Session) -> None:
    def dies_late(peer: Peer) -> None:
        peer.answer()
        peer.read_request()
        peer.wait(0.15)

    with raw_server(dies_late, silent) as server:
        post(session, server.url)
        with lasts(0.3), pytest.raises(requests.RequestException):
            post(session, server.url, Timeouts(connect_s=5, read_s=5, total_s=0.3))
        assert server.connections == 2


def test_a_kept_connection_that_is_only_slow_is_no_reason_to_send_again(session: requests.Session) -> None:
    with raw_server(one_answer_then(lambda peer: peer.wait_until_gone()), answer_with(OK)) as server:
        post(session, server.url)
        with pytest.raises(requests.RequestException):
            post(session, server.url, Timeouts(connect_s=5, read_s=0.1, total_s=5))
    assert server.connections == 1


@pytest.mark.parametrize("reset", [False, True])
def test_a_new_connection_that_is_cut_is_no_reason_to_send_again(session: requests.Session, reset: bool) -> None:
    with raw_server(cut(reset=reset), answer_with(OK)) as server, pytest.raises(requests.ConnectionError):
        post(session, server.url)
    assert (server.connections, len(server.requests)) == (1, 1)


@pytest.mark.parametrize(
    "begun",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9"],
)
def test_a_connection_that_is_cut_in_the_middle_of_a_body_is_no_reason_to_send_again(
    session: requests.Session, begun: bytes
) -> None:
    with raw_server(one_answer_then(cut(after=begun)), answer_with(OK)) as server:
        post(session, server.url)
        with pytest.raises(requests.RequestException):
            post(session, server.url)
    assert (server.connections, len(server.requests)) == (1, 2)


# The Azure SDKs' transport


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
def test_an_sdks_call_ends_at_the_deadline(session: requests.Session, script: Callable[[Peer], None]) -> None:
    transport = DeadlineTransport(session)
    with raw_server(script) as server, lasts(0.2), total_deadline(0.2), pytest.raises(AzureError):
        transport.send(HttpRequest("GET", server.url))


def test_an_sdk_leaves_the_session_as_it_is(session: requests.Session) -> None:
    with raw_server(answered_twice) as server:
        with DeadlineTransport(session) as transport:
            transport.send(HttpRequest("GET", server.url))
        post(session, server.url)
    assert (server.connections, session.trust_env) == (1, False)
