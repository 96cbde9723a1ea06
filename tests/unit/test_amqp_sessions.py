"""Sessions and their links: attached, refused, detached, and gone with what carried them."""

import pytest

from local.amqp.performatives import (
    RECEIVER,
    SENDER,
    Accepted,
    Attach,
    Begin,
    Close,
    Coordinator,
    Detach,
    Disposition,
    End,
    Flow,
    Source,
    Target,
    Transfer,
)
from tests.unit.amqp_peer import Peer, condition_of


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_a_second_session_may_begin_on_another_channel(peer: Peer) -> None:
    (begin,) = peer.begun().say(Begin(None, 0, 1, 1), channel=1)

    assert isinstance(begin, Begin)
    assert begin.remote_channel == 1
    assert not peer.connection.closed


@pytest.mark.parametrize(
    ("attach", "condition"),
    [
        (Attach("r", 1, RECEIVER, source=Source("nowhere"), target=Target()), "amqp:not-found"),
        (Attach("s", 1, SENDER, source=Source(), target=Target("nowhere")), "amqp:not-found"),
        (Attach("s", 1, SENDER, source=Source(), target=Target(None)), "amqp:not-found"),
        (Attach("s", 1, SENDER, source=Source(), target=Coordinator()), "amqp:not-implemented"),
    ],
)
def test_a_link_to_nowhere_is_attached_without_terminus_and_detached(
    peer: Peer, attach: Attach, condition: str
) -> None:
    attached, detached = peer.begun().say(attach)

    assert isinstance(attached, Attach)
    assert (attached.role, attached.source, attached.target) == (not attach.role, None, None)
    assert isinstance(detached, Detach)
    assert (detached.handle, detached.closed, condition_of(detached.error)) == (1, True, condition)
    assert peer.say(Transfer(1, 0, b"tag"), b"sent too early") == []
    assert peer.say(Detach(1, True)) == []
    (end,) = peer.say(Transfer(1, 0, b"tag"), b"sent too late")
    assert isinstance(end, End)
    assert condition_of(end.error) == "amqp:session:unattached-handle"


def test_a_detached_link_is_forgotten(peer: Peer) -> None:
    peer.node.to_send = [b"aaaa"]
    peer.begun().attach_receiver(1)

    assert peer.say(Detach(1, True)) == [Detach(1, True)]

    assert peer.node.links == []
    assert peer.say(Disposition(RECEIVER, 0, 0, False, Accepted())) == []
    assert peer.node.settled == []


@pytest.mark.parametrize("last_words", [End(), Close(), None], ids=["end", "close", "silence"])
def test_links_go_with_their_session_and_connection(peer: Peer, last_words: object) -> None:
    peer.begun().attach_receiver(1)

    if last_words is None:
        peer.connection.lost()
    else:
        assert [type(answer) for answer in peer.say(last_words)] == [type(last_words)]

    assert peer.node.links == []


def test_what_comes_after_the_end_of_a_session_is_passed_over(peer: Peer) -> None:
    peer.begun().attach_receiver(0)
    peer.say(End())

    assert peer.say(Detach(1, True)) == []
    assert not peer.connection.closed


def test_a_handle_that_is_taken_ends_the_session(peer: Peer) -> None:
    peer.begun().attach_receiver(0)

    (end,) = peer.say(Attach("r2", 1, RECEIVER, source=Source("queue"), target=Target()))

    assert isinstance(end, End)
    assert condition_of(end.error) == "amqp:session:handle-in-use"
    assert peer.say(Flow(0, 1, 0, 1)) == []
    assert peer.say(End()) == []
    assert [type(answer) for answer in peer.say(Begin(None, 0, 1, 1))] == [Begin]
