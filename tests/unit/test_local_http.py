"""The server under the fakes, over real sockets."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection, IncompleteRead, RemoteDisconnected
from pathlib import Path

import pytest

from local.http import Answer, Request, Response, Server, json_response, reset
from local.tls import Tls, ensure

DEADLINE_S = 10


@contextlib.contextmanager
def _serving(answer: Answer, *, tls: Tls | None = None) -> Iterator[Server]:
    with Server(answer, tls=tls) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@contextlib.contextmanager
def _client(server: Server, tls: Tls | None = None) -> Iterator[HTTPConnection]:
    plain = HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE_S)
    context = ssl.create_default_context(cafile=tls.ca if tls else None)
    secure = HTTPSConnection("127.0.0.1", server.port, timeout=DEADLINE_S, context=context)
    with contextlib.closing(secure if tls else plain) as connection:
        yield connection


def _get(connection: HTTPConnection, target: str = "/") -> tuple[int, bytes]:
    connection.request("GET", target)
    response = connection.getresponse()
    return response.status, response.read()


def test_a_request_arrives_decoded_and_its_answer_as_it_was_given() -> None:
    requests: list[Request] = []

    def answer(request: Request) -> Response:
        requests.append(request)
        return json_response(202, {"id": 1}, {"Location": "here"})

    with _serving(answer) as server, _client(server) as connection:
        connection.request("PUT", "/a%20b?c=%2F&d=", body=b"{}", headers={"X-Some": "thing"})
        response = connection.getresponse()
        assert (response.status, response.getheader("location"), response.read()) == (202, "here", b'{"id": 1}')
    (request,) = requests
    assert (request.method, request.path, request.query) == ("PUT", "/a b", {"c": "/", "d": ""})
    assert request.target == "/a%20b?c=%2F&d="
    assert (request.headers["x-some"], request.body) == ("thing", b"{}")


def test_a_connection_is_kept_until_an_answer_closes_it() -> None:
    ports = []

    def answer(request: Request) -> Response:
        ports.append(request.connection.getpeername()[1])
        return Response(204, headers={"Connection": "close"} if request.path == "/last" else {})

    with _serving(answer) as server, _client(server) as connection:
        for target in ("/", "/", "/last", "/"):
            assert _get(connection, target) == (204, b"")
    assert len(ports) == 4
    assert ports[0] == ports[1] == ports[2] != ports[3]


def test_any_status_goes_out() -> None:
    with _serving(lambda _: Response(599, b"?")) as server, _client(server) as connection:
        assert _get(connection) == (599, b"?")


@pytest.mark.parametrize("secure", [False, True])
def test_a_fake_can_reset_the_connection(tmp_path: Path, capsys: pytest.CaptureFixture[str], secure: bool) -> None:
    tls = ensure(tmp_path) if secure else None
    with _serving(lambda request: reset(request.connection), tls=tls) as server, _client(server, tls) as connection:
        with pytest.raises(ConnectionResetError) as cut:
            _get(connection)
        assert not isinstance(cut.value, RemoteDisconnected)  # that is what an orderly end looks like
    assert capsys.readouterr().err == ""


def test_a_fake_can_send_its_answer_in_pieces_and_leave_it_unfinished() -> None:
    def answer(request: Request) -> None:
        whole = Response(200, b"0123456789").encode()
        for end in range(len(whole) - 3):
            request.connection.sendall(whole[end : end + 1])

    with _serving(answer) as server, _client(server) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.status == 200
        with pytest.raises(IncompleteRead) as unfinished:
            response.read()
        assert unfinished.value.partial == b"0123456"


def test_a_body_without_a_length_is_refused() -> None:
    with _serving(lambda _: Response(200)) as server, _client(server) as connection:
        # The head alone: of a body the server would read nothing, and a client that goes on sending it breaks its pipe.
        connection.putrequest("POST", "/")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        assert connection.getresponse().status == 411


def test_a_client_that_leaves_in_the_middle_of_its_request_is_not_answered(capsys: pytest.CaptureFixture[str]) -> None:
    requests: list[Request] = []

    def answer(request: Request) -> Response:
        requests.append(request)
        return Response(200)

    with _serving(answer) as server:
        with socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as client:
            client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
        with socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
        with _client(server) as connection:
            assert _get(connection)[0] == 200
    assert [request.method for request in requests] == ["GET"]
    assert capsys.readouterr().err == ""


def test_a_client_that_never_shakes_hands_keeps_nobody_waiting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tls = ensure(tmp_path)
    with (
        _serving(lambda _: Response(200, b"ok"), tls=tls) as server,
        socket.create_connection(("127.0.0.1", server.port)),
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        _client(server, tls) as connection,
    ):
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert _get(connection) == (200, b"ok")
    assert capsys.readouterr().err == ""


def test_a_mistake_in_a_fake_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(_: Request) -> Response:
        raise LookupError("a mistake")

    with _serving(answer) as server, _client(server) as connection, pytest.raises(RemoteDisconnected):
        _get(connection)
    assert "LookupError: a mistake" in capsys.readouterr().err
