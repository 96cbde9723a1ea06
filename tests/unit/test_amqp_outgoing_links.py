"""Links over which the peer receives: credit, windows, large messages and settlement."""

import pytest

from local.amqp.frames import encode_frame
from local.amqp.performatives import (
    RECEIVER,
    SENDER,
    Accepted,
    Attach,
    Detach,
    Disposition,
    Error,
    Flow,
    Modified,
    Outcome,
    Rejected,
    Released,
    Source,
    Target,
    Transfer,
)
from tests.unit.amqp_peer import Peer


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_messages_are_sent_as_credit_allows(peer: Peer) -> None:
    peer.node.to_send = [b"aaaa", b"bbbb", b"cccc"]

    first = peer.begun().attach_receiver(2)
    rest = peer.say(Flow(2, 1000, 0, 1000, 1, 2, 5))

    assert [(frame.performative, frame.payload) for frame in first] == [
        (Transfer(1, 0, b"aaaa", 0, False), b"aaaa"),
        (Transfer(1, 1, b"bbbb", 0, False), b"bbbb"),
    ]
    assert rest == [Transfer(1, 2, b"cccc", 0, False)]


def test_credit_that_crossed_a_message_is_not_counted_twice(peer: Peer) -> None:
    peer.node.to_send = [b"aaaa"]
    peer.begun().attach_receiver(1)
    peer.node.to_send = [b"bbbb"]

    assert peer.say(Flow(0, 1000, 0, 1000, 1, 0, 1)) == []


def test_drain_uses_up_the_credit_and_says_so(peer: Peer) -> None:
    peer.begun().attach_receiver(0)

    (answer,) = peer.say(Flow(0, 1000, 0, 1000, 1, 0, 5, drain=True))

    assert isinstance(answer, Flow)
    assert (answer.handle, answer.delivery_count, answer.link_credit, answer.drain) == (1, 5, 0, True)
    peer.node.to_send = [b"aaaa"]
    peer.node.credit_granted(peer.node.links[0])
    assert peer.hear() == []


def test_a_flow_with_echo_is_answered(peer: Peer) -> None:
    (answer,) = peer.begun().say(Flow(0, 1000, 0, 1000, echo=True))

    assert isinstance(answer, Flow)
    assert answer.handle is None


def test_a_large_message_is_sent_in_frames_that_the_peer_takes(peer: Peer) -> None:
    message = bytes(range(256)) * 10
    peer.node.to_send = [message]

    frames = peer.begun(max_frame_size=512).attach_receiver(1)

    assert b"".join(frame.payload for frame in frames) == message
    performatives = [frame.performative for frame in frames]
    assert [performative.more for performative in performatives if isinstance(performative, Transfer)] == [
        *[True] * (len(frames) - 1),
        False,
    ]
    assert all(len(encode_frame(*frame[1:])) <= 512 for frame in frames)


def test_a_closed_window_holds_transfers_back(peer: Peer) -> None:
    peer.node.to_send = [bytes(1000), b"bbbb"]
    peer.begun(window=0, max_frame_size=512)
    peer.say(Attach("r", 1, RECEIVER, source=Source("queue"), target=Target("me")))

    assert peer.say(Flow(0, 1, 0, 1000, 1, 0, 5)) != []
    assert peer.say(Flow(0, 1, 0, 1000)) == []
    rest = peer.say(Flow(1, 1000, 0, 1000))

    assert [transfer.more for transfer in rest if isinstance(transfer, Transfer)] == [True, False, False]


def test_transfers_held_back_for_a_link_go_with_it(peer: Peer) -> None:
    peer.node.to_send = [b"aaaa" * 500]
    peer.begun(window=1, max_frame_size=512)
    peer.say(Attach("r", 1, RECEIVER, source=Source("queue"), target=Target("me")))
    assert len(peer.say(Flow(0, 1, 0, 1000, 1, 0, 5))) == 1

    peer.say(Detach(1, True))

    assert peer.say(Flow(1, 1000, 1, 1000)) == []


@pytest.mark.parametrize("outcome", [Accepted(), Released(), Modified(True), Rejected(Error("a:b"))])
def test_a_settlement_reaches_the_node_and_is_answered(peer: Peer, outcome: Outcome) -> None:
    peer.node.to_send = [b"aaaa", b"bbbb"]
    peer.begun().attach_receiver(2)

    answers = peer.say(Disposition(RECEIVER, 0, 1, False, outcome))

    assert peer.node.settled == [(b"aaaa", outcome), (b"bbbb", outcome)]
    assert answers == [Disposition(SENDER, 0, 0, True, outcome), Disposition(SENDER, 1, 1, True, outcome)]
    assert peer.say(Disposition(RECEIVER, 0, 1, False, outcome)) == []


def test_a_settlement_that_is_settled_already_is_not_answered(peer: Peer) -> None:
    peer.node.to_send = [b"aaaa", b"bbbb"]
    peer.begun().attach_receiver(2)

    assert peer.say(Disposition(RECEIVER, 0, None, True, Accepted())) == []
    assert peer.say(Disposition(RECEIVER, 1, None, True)) == []

    assert [(tag, type(outcome)) for tag, outcome in peer.node.settled] == [(b"aaaa", Accepted), (b"bbbb", Released)]


def test_a_range_of_four_billion_settlements_costs_nothing(peer: Peer) -> None:
    peer.node.to_send = [b"aaaa"]
    peer.begun().attach_receiver(1)

    assert len(peer.say(Disposition(RECEIVER, 0, 4_294_967_295, False, Accepted()))) == 1


def test_what_is_received_settled_needs_no_settlement(peer: Peer) -> None:
    peer.node.to_send = [b"aaaa"]

    (frame,) = peer.begun().attach_receiver(1, settle_mode=1)

    assert frame.performative == Transfer(1, 0, b"aaaa", 0, True)
    assert peer.say(Disposition(RECEIVER, 0, 0, False, Accepted())) == []
