"""A session (AMQP 1.0, part 2.5): windows, links by handle, and the deliveries that are not settled yet."""

from collections import deque
from collections.abc import Callable

from local.amqp.errors import (
    HANDLE_IN_USE,
    NOT_ALLOWED,
    NOT_IMPLEMENTED,
    UNATTACHED_HANDLE,
    AmqpError,
    LinkError,
    SessionError,
)
from local.amqp.frames import encode_frame
from local.amqp.link import IncomingLink, OutgoingLink, address_of, refusal
from local.amqp.nodes import Container
from local.amqp.performatives import (
    RECEIVER,
    SENDER,
    Accepted,
    Attach,
    Begin,
    Coordinator,
    Detach,
    Disposition,
    End,
    Error,
    Flow,
    Modified,
    Outcome,
    Rejected,
    Released,
    Transfer,
)

_WINDOW = (1 << 31) - 1  # no limit of ours: credit bounds what is on its way
_MODULUS = 1 << 32
_HANDLE_MAX = 4095
_FRAME_OVERHEAD = 64  # of a transfer besides its payload: header, performative, a delivery tag of up to 32 bytes


class Session:
    def __init__(
        self, channel: int, begin: Begin, container: Container, write: Callable[[bytes], None], *, max_frame_size: int
    ) -> None:
        self.ended = False
        self._channel = channel
        self._container = container
        self._write = write
        self._max_payload = max_frame_size - _FRAME_OVERHEAD
        self._links: dict[int, IncomingLink | OutgoingLink] = {}
        self._detached: set[int] = set()  # handles that the peer may still use until it has heard of our detach
        self._unsettled: dict[int, tuple[OutgoingLink, bytes]] = {}
        self._next_delivery_id = 0
        self._next_incoming_id = begin.next_outgoing_id
        self._next_outgoing_id = 0
        self._peer_window = begin.incoming_window
        self._held_back: deque[tuple[Transfer, bytes]] = deque()
        self.send(Begin(channel, 0, _WINDOW, _WINDOW, _HANDLE_MAX))

    def send(self, performative: object, payload: bytes = b"") -> None:
        self._write(encode_frame(self._channel, performative, payload))

    def flow(self, handle: int | None, delivery_count: int | None, credit: int | None, *, drain: bool = False) -> None:
        self.send(
            Flow(
                self._next_incoming_id,
                _WINDOW,
                self._next_outgoing_id,
                _WINDOW,
                handle,
                delivery_count,
                credit,
                0,
                drain,
            )
        )

    def receive(self, performative: object, payload: bytes) -> None:
        """
        Raises:
            AmqpError: SessionError where the session has to end; others where the connection has to close.
        """
        handler = _HANDLERS.get(type(performative))
        if handler is None:
            raise AmqpError(NOT_IMPLEMENTED, f"{type(performative).__name__} on channel {self._channel}")
        handler(self, performative, payload)

    def end(self, error: AmqpError | None = None) -> None:
        self.send(End(Error(error.condition, error.description) if error else None))
        self.forget_links()
        self.ended = True

    def forget_links(self) -> None:
        for handle in list(self._links):
            self._forget(handle)

    def reply_link(self, address: str, reply_to: object) -> OutgoingLink | None:
        """The link from this node to the peer's `reply_to`; to anywhere of the peer's where none has that name."""
        links = [link for link in self._links.values() if isinstance(link, OutgoingLink) and link.address == address]
        return next((link for link in links if link.peer_address == reply_to), links[0] if links else None)

    @property
    def ready(self) -> bool:
        """Whether the peer takes another transfer."""
        return self._peer_window > 0 and not self._held_back

    def transfer(self, link: OutgoingLink, transfer: Transfer, message: bytes) -> None:
        """Sends a message in as many transfers as it needs; what the peer's window does not take now follows later."""
        delivery_id = self._next_delivery_id
        self._next_delivery_id = (delivery_id + 1) % _MODULUS
        if not transfer.settled:
            self._unsettled[delivery_id] = (link, transfer.delivery_tag or b"")
        rest = message
        while len(rest) > self._max_payload:
            self._held_back.append((transfer._replace(delivery_id=delivery_id, more=True), rest[: self._max_payload]))
            rest = rest[self._max_payload :]
        self._held_back.append((transfer._replace(delivery_id=delivery_id), rest))
        self._send_held_back()

    def _send_held_back(self) -> None:
        while self._held_back and self._peer_window > 0:
            self._peer_window -= 1
            self._next_outgoing_id = (self._next_outgoing_id + 1) % _MODULUS
            self.send(*self._held_back.popleft())

    def _on_attach(self, attach: Attach, _: bytes) -> None:
        if attach.handle in self._links or attach.handle > _HANDLE_MAX:
            raise SessionError(HANDLE_IN_USE, f"handle {attach.handle}")
        self._detached.discard(attach.handle)
        try:
            self._links[attach.handle] = self._attached(attach)
        except LinkError as error:
            self.send(refusal(attach))
            self._detach(attach.handle, error)

    def _attached(self, attach: Attach) -> IncomingLink | OutgoingLink:
        if isinstance(attach.target, Coordinator):
            raise LinkError(NOT_IMPLEMENTED, "There are no transactions here.")
        if attach.role is SENDER:
            return IncomingLink(self, attach, self._container.target(address_of(attach.target), attach))
        return OutgoingLink(self, attach, self._container.source(address_of(attach.source), attach))

    def _detach(self, handle: int, error: LinkError) -> None:
        self.send(Detach(handle, True, Error(error.condition, error.description)))
        self._forget(handle)
        self._detached.add(handle)

    def _on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        self._next_incoming_id = (self._next_incoming_id + 1) % _MODULUS
        link = self._link(transfer.handle)
        if isinstance(link, OutgoingLink):
            raise SessionError(NOT_ALLOWED, "This link is for receiving.")
        try:
            if link:
                link.transfer(transfer, payload)
        except LinkError as error:
            self._detach(transfer.handle, error)

    def _on_flow(self, flow: Flow, _: bytes) -> None:
        began = 0 if flow.next_incoming_id is None else flow.next_incoming_id
        self._peer_window = flow.incoming_window - (self._next_outgoing_id - began) % _MODULUS
        self._send_held_back()
        if flow.handle is not None:
            link = self._link(flow.handle)
            if link:
                link.flow(flow)
            return
        for link in self._links.values():
            if isinstance(link, OutgoingLink):
                link.node.credit_granted(link)
        if flow.echo:
            self.flow(None, None, None)

    def _on_disposition(self, disposition: Disposition, _: bytes) -> None:
        if disposition.role is not RECEIVER:
            return
        outcome = disposition.state
        if outcome is None and disposition.settled:
            outcome = Released()
        if not isinstance(outcome, Accepted | Rejected | Released | Modified):
            return  # a state on the way to an outcome
        for delivery_id in self._unsettled_from(disposition.first, disposition.last):
            self._settle(delivery_id, outcome, answer=not disposition.settled)

    def _unsettled_from(self, first: int, last: int | None) -> list[int]:
        if last is None or last == first:
            return [first] if first in self._unsettled else []
        return [delivery_id for delivery_id in self._unsettled if first <= delivery_id <= last]

    def _settle(self, delivery_id: int, outcome: Outcome, *, answer: bool) -> None:
        link, delivery_tag = self._unsettled.pop(delivery_id)
        result = link.node.settle(delivery_tag, outcome)
        if answer:
            self.send(Disposition(SENDER, delivery_id, delivery_id, True, result))

    def _on_detach(self, detach: Detach, _: bytes) -> None:
        if self._link(detach.handle):
            self.send(Detach(detach.handle, detach.closed))
            self._forget(detach.handle)
        self._detached.discard(detach.handle)

    def _forget(self, handle: int) -> None:
        link = self._links.pop(handle, None)
        if isinstance(link, OutgoingLink):
            self._held_back = deque(held for held in self._held_back if held[0].handle != handle)
            self._unsettled = {key: entry for key, entry in self._unsettled.items() if entry[0] is not link}
            link.node.detached(link)

    def _link(self, handle: int) -> IncomingLink | OutgoingLink | None:
        """None: it is detached, and the peer could not know that when it sent this.

        Raises:
            SessionError: there was no such link.
        """
        link = self._links.get(handle)
        if link is None and handle not in self._detached:
            raise SessionError(UNATTACHED_HANDLE, f"handle {handle}")
        return link


_HANDLERS: dict[type, Callable[..., None]] = {
    Attach: Session._on_attach,
    Transfer: Session._on_transfer,
    Flow: Session._on_flow,
    Disposition: Session._on_disposition,
    Detach: Session._on_detach,
}
