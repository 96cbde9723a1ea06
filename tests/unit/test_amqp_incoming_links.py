"""Links over which the peer sends: its messages, their settlement, and the credit that it has."""

import pytest

from local.amqp.link import MAX_MESSAGE_SIZE
from local.amqp.performatives import RECEIVER, Accepted, Disposition, Flow, Rejected, Transfer
from tests.unit.amqp_peer import Peer, condition_of


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_what_is_sent_arrives_and_is_settled(peer: Peer) -> None:
    peer.begun().attach_sender()

    answers = peer.say(Transfer(2, 7, b"tag", 0x80013700), b"message")

    assert peer.node.received == [(b"message", 0x80013700)]
    assert answers == [Disposition(RECEIVER, 7, 7, True, Accepted())]


def test_what_is_sent_settled_is_not_answered(peer: Peer) -> None:
    peer.begun().attach_sender()

    assert peer.say(Transfer(2, 7, b"tag", 0, True), b"message") == []
    assert peer.node.received == [(b"message", 0)]


def test_a_message_may_come_in_several_transfers(peer: Peer) -> None:
    peer.begun().attach_sender()

    assert peer.say(Transfer(2, 7, b"tag", 3, more=True), b"one ") == []
    assert peer.say(Transfer(2, more=True), b"two ") == []
    assert peer.say(Transfer(2), b"three") == [Disposition(RECEIVER, 7, 7, True, Accepted())]

    assert peer.node.received == [(b"one two three", 3)]


def test_an_aborted_message_is_forgotten(peer: Peer) -> None:
    peer.begun().attach_sender()

    peer.say(Transfer(2, 7, b"tag", more=True), b"one ")
    peer.say(Transfer(2, aborted=True))
    peer.say(Transfer(2, 8, b"tag"), b"another")

    assert peer.node.received == [(b"another", 0)]


def test_a_message_that_is_too_large_is_rejected_and_the_link_goes_on(peer: Peer) -> None:
    peer.begun().attach_sender()
    piece = bytes(60_000)

    for number in range(MAX_MESSAGE_SIZE // len(piece)):
        peer.say(Transfer(2, 7, b"tag", more=True), piece + bytes((number,)))
    (refused,) = peer.say(Transfer(2), piece)
    (accepted,) = peer.say(Transfer(2, 8, b"tag"), b"small")

    assert isinstance(refused, Disposition)
    assert isinstance(refused.state, Rejected)
    assert condition_of(refused.state.error) == "amqp:link:message-size-exceeded"
    assert isinstance(accepted, Disposition)
    assert type(accepted.state) is Accepted
    assert peer.node.received == [(b"small", 0)]


def test_credit_is_granted_anew_before_it_runs_out(peer: Peer) -> None:
    peer.begun().attach_sender()

    flows = [
        performative
        for number in range(501)
        for performative in peer.say(Transfer(2, number, b"tag"), b"m")
        if isinstance(performative, Flow)
    ]

    (flow,) = flows
    assert (flow.delivery_count, flow.link_credit, flow.next_incoming_id) == (506, 1000, 501)
