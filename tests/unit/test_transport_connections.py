"""A connection that was kept alive: it is used again, and a call is sent once more only where it turns out dead."""

import pytest
import requests
from azure.core.pipeline.transport import HttpRequest

from shared.transport import DeadlineTransport, Timeouts
from tests.unit.raw_calls import answer_with, post, silent
from tests.unit.raw_server import OK, Peer, Script, raw_server


def answered_twice(peer: Peer) -> None:
    peer.answer()
    peer.answer()
    peer.wait_until_gone()


def one_answer_then(second: Script) -> Script:
    def script(peer: Peer) -> None:
        peer.answer()
        second(peer)

    return script


def cut(*, after: bytes = b"", reset: bool = False) -> Script:
    def script(peer: Peer) -> None:
        peer.answer(after)
        if reset:
            peer.reset()

    return script


def test_a_connection_is_used_again(session: requests.Session) -> None:
    with raw_server(answered_twice) as server:
        post(session, server.url)
        post(session, server.url)
    assert (server.connections, len(server.requests)) == (1, 2)


def test_an_sdk_leaves_the_session_as_it_is(session: requests.Session) -> None:
    with raw_server(answered_twice) as server:
        with DeadlineTransport(session) as transport:
            transport.send(HttpRequest("GET", server.url))
        post(session, server.url)
    assert (server.connections, session.trust_env) == (1, False)


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


def test_a_kept_connection_that_is_only_slow_is_no_reason_to_send_again(session: requests.Session) -> None:
    with raw_server(one_answer_then(silent), answer_with(OK)) as server:
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
