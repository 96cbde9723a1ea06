"""What one HTTP call makes of an answer: a body read whole up to its limit, unpacked, and a redirect not followed."""

import gzip

import pytest
import requests

from shared.transport import AnswerTooLarge
from tests.unit.raw_calls import MAX_BYTES, answer_with, post
from tests.unit.raw_server import raw_server


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


def test_a_compressed_answer_is_unpacked(session: requests.Session) -> None:
    body = gzip.compress(b"unpacked")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with raw_server(answer_with(head + body)) as server:
        assert post(session, server.url).content == b"unpacked"


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
