"""How a reply gets onto the wire: whole, without an end, or not at all."""

import socket
import time

from local.http import Response, reset
from local.partner_center.replies import Reply, Stream


def client_gone(connection: socket.socket) -> bool:
    """Whether the client has closed its side: it will not see what is sent now."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def send(reply: Reply, connection: socket.socket) -> Response | None:
    """Sends what is not an ordinary response itself, and returns None; else returns the response."""
    if reply.cut:
        reset(connection)
        return None
    if reply.stream:
        _stream(reply, reply.stream, connection)
        return None
    headers = dict(reply.headers)
    if "Content-Length" in headers:  # a scenario's own, which may promise more than there is
        headers["Connection"] = "close"
    return Response(reply.http, reply.body, headers)


def _stream(reply: Reply, stream: Stream, connection: socket.socket) -> None:
    """Sends chunks until the client goes away (RFC 9112, 7.1)."""
    head = Response(reply.http, headers={**reply.headers, "Transfer-Encoding": "chunked"})
    connection.sendall(head.encode())
    piece = reply.body or stream.chunk
    while True:
        connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        piece = stream.chunk
        time.sleep(stream.interval_s)
