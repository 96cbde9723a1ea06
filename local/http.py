"""The HTTP/1.1 server under the fakes (RFC 9112), on the standard library; plain or over TLS.

A fake is one function from `Request` to `Response`. It may also take the connection into its own hands (write raw
bytes, drip a body, `reset` it) and return None: then the connection ends with whatever was sent.
"""

import contextlib
import json
import socket
import ssl
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.component import announce, call_when_told_to_stop
from local.tls import Tls


@dataclass(frozen=True)
class Request:
    """One request, read in full. `headers` is looked up without regard to case; `path` is decoded and has no query.

    `target`: path and query as they came, still encoded.
    """

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: bytes
    connection: socket.socket


@dataclass(frozen=True)
class Response:
    """One answer, sent as it stands; only Content-Length is added where it is missing and allowed."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The bytes on the wire, for whoever sends them in pieces."""
        headers = dict(self.headers)
        framed = {"content-length", "transfer-encoding"} & set(map(str.lower, headers))
        if self.status != HTTPStatus.NO_CONTENT and not framed:
            headers["Content-Length"] = str(len(self.body))
        reason = HTTPStatus(self.status).phrase if self.status in HTTPStatus else ""
        lines = [f"HTTP/1.1 {self.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def json_response(status: int, content: object, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(content).encode()
    return Response(status, body, {"Content-Type": "application/json; charset=utf-8", **(headers or {})})


def reset(connection: socket.socket) -> None:
    """Cuts the connection at once: the client sees "connection reset by peer" (RST), not an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # close() would wait for the request handler's own file objects.
    socket.close(connection.detach())


class Calls:
    """How many calls of each kind were answered; a fake shows it at `CALLS_PATH`, where nobody needs to sign in."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, kind: str) -> None:
        with self._lock:
            self._counts[kind] += 1

    def response(self) -> Response:
        with self._lock:
            return json_response(200, self._counts)


CALLS_PATH = "/_fake/calls"
type Answer = Callable[[Request], Response | None]


class Server(ThreadingTCPServer):
    """Listens on 127.0.0.1 from its creation on; answers, each connection in a thread of its own, once it serves."""

    daemon_threads = True
    allow_reuse_address = True  # a part that is started again gets its port back at once
    request_queue_size = 1024

    def __init__(self, answer: Answer, *, port: int = 0, tls: Tls | None = None) -> None:
        self.answer = answer
        self._context = tls.server_context() if tls else None
        super().__init__(("127.0.0.1", port), _Connection)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, client = super().get_request()
        if self._context:
            # The handshake waits for the client, so it must not happen in this loop, which accepts everybody.
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, client

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | ssl.SSLError):  # a client that went away
            super().handle_error(request, client_address)

    def run(self, **facts: object) -> None:
        """In a part, in the main thread: announces itself and serves until told to stop."""
        call_when_told_to_stop(self.shutdown)
        announce(port=self.port, **facts)
        with self:
            self.serve_forever(poll_interval=0.05)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()

    def _answer(self) -> None:
        """Every request to every fake passes through here."""
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self.connection.sendall(Response(411, headers={"Connection": "close"}).encode())
            return
        response = self.server.answer(self._request())
        if response is None:
            self.close_connection = True
            return
        self.connection.sendall(response.encode())
        if response.headers.get("Connection", "").lower() == "close":
            self.close_connection = True

    def _request(self) -> Request:
        target = urlsplit(self.path)
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the client went away in the middle of its request")
        return Request(
            method=self.command,
            target=self.path,
            path=unquote(target.path),
            query=dict(parse_qsl(target.query, keep_blank_values=True)),
            headers=self.headers,
            body=body,
            connection=self.connection,
        )

    # The base class looks for these names.
    do_GET = do_POST = do_PUT = do_PATCH = do_MERGE = do_DELETE = _answer  # noqa: N815

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *args: object) -> None:
        """Nothing: a part's standard error is for what went wrong."""
