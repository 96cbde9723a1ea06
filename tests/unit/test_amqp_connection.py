"""The protocol without a socket: frames in, frames out, on a container of two nodes."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.amqp.connection import Connection
from local.amqp.errors import NOT_FOUND, LinkError
from local.amqp.frames import AMQP_HEADER, SASL_FRAME, SASL_HEADER, Frame, FrameReader, encode_frame
from local.amqp.link import MAX_MESSAGE_SIZE, IncomingLink, OutgoingLink
from local.amqp.nodes import SourceNode, TargetNode
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
    Error,
    Flow,
    Modified,
    Open,
    Outcome,
    Rejected,
    Released,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Source,
    Target,
    Transfer,
)


class Node:
    """Keeps what it gets, sends what it has, and settles as it is told."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, int]] = []
        self.settled: list[tuple[bytes, Outcome]] = []
        self.to_send: list[bytes] = []
        self.links: list[OutgoingLink] = []

    def receive(self, message: bytes, message_format: int, link: IncomingLink) -> Outcome:
        self.received.append((message, message_format))
        return Accepted()

    def credit_granted(self, link: OutgoingLink) -> None:
        self.links = [link]
        while self.to_send and link.ready:
            message = self.to_send.pop(0)
            link.send(message[:4], message, settled=link.settled)

    def settle(self, delivery_tag: bytes, outcome: Outcome) -> Outcome:
        self.settled.append((delivery_tag, outcome))
        return outcome

    def detached(self, link: OutgoingLink) -> None:
        self.links.remove(link)


class Container:
    def __init__(self) -> None:
        self.node = Node()

    def source(self, address: str, attach: Attach) -> SourceNode:
        return self._node(address)

    def target(self, address: str, attach: Attach) -> TargetNode:
        return self._node(address)

    def _node(self, address: str) -> Node:
        if address != "queue":
            raise LinkError(NOT_FOUND, f"no {address}")
        return self.node


class Peer:
    """The other side of a connection, with a clock for heartbeats that does not run."""

    def __init__(self) -> None:
        self.container = Container()
        self.node = self.container.node
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.connection = Connection(
            self.container, lambda: None, lambda *timer: self.timers.append(timer), idle_timeout_s=240
        )
        self._reader = FrameReader()

    def greeted(self) -> "Peer":
        self.connection.receive(AMQP_HEADER)
        assert self.connection.take_output() == AMQP_HEADER
        return self

    def begun(self, *, window: int = 1000, max_frame_size: int = 65_536) -> "Peer":
        self.greeted().say(Open("me", max_frame_size=max_frame_size))
        self.say(Begin(None, 0, window, 1000))
        return self

    def say(self, performative: object, payload: bytes = b"", *, channel: int = 0) -> list[object]:
        """What the connection says to that."""
        self.connection.receive(encode_frame(channel, performative, payload))
        return [frame.performative for frame in self.hear()]

    def hear(self) -> list[Frame]:
        self._reader.feed(self.connection.take_output())
        frames = []
        while frame := self._reader.next_frame():
            frames.append(frame)
        return frames

    def attach_receiver(self, credit: int, *, settle_mode: int = 0) -> list[Frame]:
        """The transfers that follow."""
        self.say(Attach("r", 1, RECEIVER, settle_mode, source=Source("queue"), target=Target("me")))
        self.connection.receive(encode_frame(0, Flow(0, 1000, 0, 1000, 1, 0, credit)))
        return self.hear()

    def attach_sender(self) -> None:
        attached, flow = self.say(
            Attach("s", 2, SENDER, source=Source("me"), target=Target("queue"), initial_delivery_count=5)
        )
        assert isinstance(attached, Attach)
        assert (attached.role, attached.target, attached.max_message_size) == (RECEIVER, Target("queue"), 256 * 1024)
        assert isinstance(flow, Flow)
        assert (flow.handle, flow.delivery_count, flow.link_credit) == (2, 5, 1000)


@pytest.fixture
def peer() -> Peer:
    return Peer()


def _condition(error: object) -> str:
    assert isinstance(error, Error)
    return error.condition


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
    assert _condition(close.error) == "amqp:invalid-field"


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
    assert _condition(refused.state.error) == "amqp:link:message-size-exceeded"
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
    assert (detached.handle, detached.closed, _condition(detached.error)) == (1, True, condition)
    assert peer.say(Transfer(1, 0, b"tag"), b"sent too early") == []
    assert peer.say(Detach(1, True)) == []
    (end,) = peer.say(Transfer(1, 0, b"tag"), b"sent too late")
    assert isinstance(end, End)
    assert _condition(end.error) == "amqp:session:unattached-handle"


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
    assert _condition(end.error) == "amqp:session:handle-in-use"
    assert peer.say(Flow(0, 1, 0, 1)) == []
    assert peer.say(End()) == []
    assert [type(answer) for answer in peer.say(Begin(None, 0, 1, 1))] == [Begin]


@pytest.mark.parametrize(
    ("performative", "condition"),
    [
        (Flow(0, 1, 0, 1), "amqp:not-allowed"),
        (Open("again"), "amqp:not-allowed"),
        (Begin(None, 0, 1, 1), None),
        (SaslInit("PLAIN"), "amqp:not-allowed"),
    ],
    ids=["no session", "a second open", "begin", "SASL"],
)
def test_what_is_out_of_place_closes_the_connection(peer: Peer, performative: object, condition: str | None) -> None:
    (answer,) = peer.begun().say(performative, channel=1)

    assert peer.connection.closed is (condition is not None)
    assert not isinstance(answer, Close) or _condition(answer.error) == condition


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
        assert _condition(close.error) in ("amqp:decode-error", "amqp:connection:framing-error", "amqp:not-implemented")


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
    assert "amqp:internal-error" not in [_condition(error) for error in closes if error]
