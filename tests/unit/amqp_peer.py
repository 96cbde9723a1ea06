"""The other side of a connection, without a socket: frames in, frames out, on a container of two nodes."""

from collections.abc import Callable

from local.amqp.connection import Connection
from local.amqp.errors import NOT_FOUND, LinkError
from local.amqp.frames import AMQP_HEADER, Frame, FrameReader, encode_frame
from local.amqp.link import IncomingLink, OutgoingLink
from local.amqp.nodes import SourceNode, TargetNode
from local.amqp.performatives import (
    RECEIVER,
    SENDER,
    Accepted,
    Attach,
    Begin,
    Error,
    Flow,
    Open,
    Outcome,
    Source,
    Target,
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


def condition_of(error: object) -> str:
    assert isinstance(error, Error)
    return error.condition
