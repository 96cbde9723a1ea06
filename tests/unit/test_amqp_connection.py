"""A connection from its header to its close, without a socket."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.amqp.frames import AMQP_HEADER, SASL_FRAME, SASL_HEADER, Frame, FrameReader, encode_frame
from local.amqp.performatives import (
    RECEIVER,
    SENDER,
    Accepted,
    Attach,
    Close,
    Detach,
    Disposition,
    Flow,
    Open,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Source,
    Target,
    Transfer,
)
from tests.unit.amqp_peer import Peer, condition_of


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_sasl_offers_mechanisms_lets_in_and_starts_over(peer: Peer) -> None:
    peer.connection.receive(SASL_HEADER)
    output = peer.connection.take_output()
    reader = FrameReader()
    reader.feed(output.removeprefix(SASL_HEADER))
    assert reader.next_frame() == Frame(SASL_FRAME, 0, SaslMechanisms(["MSSBCBS", "PLAIN", "ANONYMOUS"]), b"")

    peer.connection.receive(encode_frame(0, SaslInit("ANONYMOUS"), kind=SASL_FRAME))
    assert peer.hear() == [Frame(SASL_FRAME, 0, SaslOutcome(0), b"")]

    peer.connection.receive(AMQP_HEADER)
    assert peer.connection.take_output() == AMQP_HEADER


def test_an_unknown_mechanism_is_not_let_in(peer: Peer) -> None:
    peer.connection.receive(SASL_HEADER + encode_frame(0, SaslInit("SCRAM"), kind=SASL_FRAME))

    assert peer.connection.closed


def test_another_protocol_gets_our_header_and_nothing_else(peer: Peer) -> None:
    peer.connection.receive(b"GET / HTTP/1.1\r\n\r\n")

    assert peer.connection.take_output() == AMQP_HEADER
    assert peer.connection.closed


def test_an_open_is_answered_with_our_limits(peer: Peer) -> None:
    (answer,) = peer.greeted().say(Open("me"))

    assert isinstance(answer, Open)
    assert (answer.max_frame_size, answer.idle_time_out) == (65_536, 240_000)


def test_a_peer_that_takes_no_frames_is_refused(peer: Peer) -> None:
    _, close = peer.greeted().say(Open("me", max_frame_size=511))

    assert isinstance(close, Close)
    assert condition_of(close.error) == "amqp:invalid-field"


def test_heartbeats_come_twice_in_the_time_that_the_peer_lets_pass(peer: Peer) -> None:
    peer.greeted().say(Open("me", idle_time_out=10_000))

    for _ in range(3):
        delay_s, beat = peer.timers.pop()
        assert delay_s == 5
        beat()
        assert [frame.performative for frame in peer.hear()] == [None]


def test_a_closed_connection_sends_no_heartbeat(peer: Peer) -> None:
    peer.greeted().say(Open("me", idle_time_out=10_000))
    peer.say(Close())

    peer.timers.pop()[1]()

    assert peer.hear() == []
    assert peer.timers == []


def test_a_heartbeat_of_the_peer_is_no_frame_to_answer(peer: Peer) -> None:
    peer.begun()

    peer.connection.receive(b"\x00\x00\x00\x08\x02\x00\x00\x00")

    assert peer.hear() == []
    assert not peer.connection.closed


@pytest.mark.parametrize(
    "performative", [Flow(0, 1, 0, 1), Open("again"), SaslInit("PLAIN")], ids=["no session", "a second open", "SASL"]
)
def test_what_is_out_of_place_closes_the_connection(peer: Peer, performative: object) -> None:
    (close,) = peer.begun().say(performative, channel=1)

    assert peer.connection.closed
    assert isinstance(close, Close)
    assert condition_of(close.error) == "amqp:not-allowed"


@given(st.binary(min_size=1, max_size=300), st.booleans())
@example(b"@", True)
def test_garbage_closes_the_connection_or_waits_for_more_and_never_raises(garbage: bytes, framed: bool) -> None:
    peer = Peer().begun()
    if framed:
        garbage = (len(garbage) + 8).to_bytes(4) + b"\x02\x00\x00\x00" + garbage

    peer.connection.receive(garbage)

    assert not framed or peer.connection.closed
    if peer.connection.closed:
        close = peer.hear()[-1].performative
        assert isinstance(close, Close)
        assert condition_of(close.error) in (
            "amqp:decode-error",
            "amqp:connection:framing-error",
            "amqp:not-implemented",
        )


@given(st.data())
def test_a_performative_with_flipped_bits_never_raises(data: st.DataObject) -> None:
    peer = Peer().begun()
    peer.attach_receiver(1)
    performative = data.draw(
        st.sampled_from(
            [
                Attach("x", 5, SENDER, source=Source("queue"), target=Target("queue")),
                Flow(0, 1000, 0, 1000, 1, 0, 5),
                Transfer(1, 0, b"tag", 0),
                Disposition(RECEIVER, 0, 0, False, Accepted()),
                Detach(1, True),
            ]
        )
    )
    frame = bytearray(encode_frame(0, performative, b"payload"))
    for position in data.draw(st.lists(st.integers(8, len(frame) - 1), min_size=1, max_size=4)):
        frame[position] ^= data.draw(st.integers(1, 255))

    peer.connection.receive(bytes(frame))

    closes = [heard.performative.error for heard in peer.hear() if isinstance(heard.performative, Close)]
    assert "amqp:internal-error" not in [condition_of(error) for error in closes if error]
