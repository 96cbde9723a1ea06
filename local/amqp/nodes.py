"""What a server serves, as the endpoints see it (AMQP 1.0, part 2.1.4: a container holds nodes)."""

from typing import TYPE_CHECKING, Protocol

from local.amqp.performatives import Attach, Outcome

if TYPE_CHECKING:
    from local.amqp.link import IncomingLink, OutgoingLink


class SourceNode(Protocol):
    """Sends messages over links that peers attached to it."""

    def credit_granted(self, link: "OutgoingLink") -> None:
        """The link may be able to send now, or more than before."""

    def settle(self, delivery_tag: bytes, outcome: Outcome) -> Outcome:
        """What became of a delivery, in answer to what the peer wants to become of it."""

    def detached(self, link: "OutgoingLink") -> None:
        """The link sends no more; its unsettled deliveries will not be settled over it."""


class TargetNode(Protocol):
    """Takes the messages that peers send to it."""

    def receive(self, message: bytes, message_format: int, link: "IncomingLink") -> Outcome:
        """Takes a message over, or rejects it."""


class Container(Protocol):
    def source(self, address: str, attach: Attach) -> SourceNode:
        """
        Raises:
            LinkError: a peer cannot receive from there.
        """

    def target(self, address: str, attach: Attach) -> TargetNode:
        """
        Raises:
            LinkError: a peer cannot send to there.
        """
