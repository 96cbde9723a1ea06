"""Links, both ways (AMQP 1.0, part 2.6): credit, drain, deliveries, and messages in several transfers."""

from typing import TYPE_CHECKING

from local.amqp.errors import MESSAGE_SIZE_EXCEEDED, TRANSFER_LIMIT_EXCEEDED, LinkError
from local.amqp.nodes import SourceNode, TargetNode
from local.amqp.performatives import (
    RECEIVER,
    SENDER,
    SETTLED,
    Attach,
    Disposition,
    Error,
    Flow,
    Outcome,
    Rejected,
    Source,
    Target,
    Transfer,
)

if TYPE_CHECKING:
    from local.amqp.session import Session

MAX_MESSAGE_SIZE = 256 * 1024
_CREDIT = 1000
_TOO_LARGE = Rejected(Error(MESSAGE_SIZE_EXCEEDED, f"The message is larger than {MAX_MESSAGE_SIZE} bytes."))
_MODULUS = 1 << 32  # delivery counts and ids wrap around


def address_of(terminus: object) -> str:
    """Of a source or a target as a peer sent it; empty: it has none, or is something else."""
    address = terminus.address if isinstance(terminus, Source | Target) else None
    return address if isinstance(address, str) else ""


def refusal(attach: Attach) -> Attach:
    """An attach without the terminus of ours; a detach with the reason has to follow (part 2.6.3)."""
    return Attach(
        attach.name, attach.handle, not attach.role, initial_delivery_count=None if attach.role is SENDER else 0
    )


def _answer(attach: Attach) -> Attach:
    """Names the termini and the settle modes that the peer asked for, and nothing else of what it wished."""
    return Attach(
        attach.name,
        attach.handle,
        not attach.role,
        attach.snd_settle_mode,
        attach.rcv_settle_mode,
        Source(address_of(attach.source)),
        Target(address_of(attach.target)),
        max_message_size=MAX_MESSAGE_SIZE,
    )


class IncomingLink:
    """Over which the peer sends."""

    def __init__(self, session: "Session", attach: Attach, node: TargetNode) -> None:
        self.session = session
        self.handle = attach.handle
        self.address = address_of(attach.target)
        self._node = node
        self._delivery_count = attach.initial_delivery_count or 0
        self._credit = 0
        self._first: Transfer | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        session.send(_answer(attach))
        self._grant()

    def transfer(self, transfer: Transfer, payload: bytes) -> None:
        """
        Raises:
            LinkError: the peer had no credit for it.
        """
        if transfer.aborted:
            self._forget()
            return
        self._size += len(payload)
        if self._size <= MAX_MESSAGE_SIZE:
            self._pieces.append(payload)
        else:
            self._pieces.clear()
        self._first = self._first or transfer
        if not transfer.more:
            self._deliver(self._first, settled=bool(self._first.settled or transfer.settled))
            self._forget()

    def flow(self, flow: Flow) -> None:
        if flow.delivery_count is not None:
            self._delivery_count = flow.delivery_count
        if flow.echo:
            self._grant()

    def _forget(self) -> None:
        self._first, self._pieces, self._size = None, [], 0

    def _deliver(self, first: Transfer, *, settled: bool) -> None:
        if self._credit <= 0:
            raise LinkError(TRANSFER_LIMIT_EXCEEDED, "There was no credit for this message.")
        self._credit -= 1
        self._delivery_count = (self._delivery_count + 1) % _MODULUS
        outcome: Outcome = _TOO_LARGE
        if self._size <= MAX_MESSAGE_SIZE:
            outcome = self._node.receive(b"".join(self._pieces), first.message_format or 0, self)
        if not settled and first.delivery_id is not None:
            self.session.send(Disposition(RECEIVER, first.delivery_id, first.delivery_id, True, outcome))
        if self._credit < _CREDIT // 2:
            self._grant()

    def _grant(self) -> None:
        self._credit = _CREDIT
        self.session.flow(self.handle, self._delivery_count, _CREDIT)


class OutgoingLink:
    """Over which the peer receives."""

    def __init__(self, session: "Session", attach: Attach, node: SourceNode) -> None:
        self.session = session
        self.handle = attach.handle
        self.address = address_of(attach.source)
        self.peer_address = address_of(attach.target)
        self.settled = attach.snd_settle_mode == SETTLED
        self.node = node
        self._delivery_count = 0
        self._credit = 0
        session.send(_answer(attach)._replace(initial_delivery_count=0))

    @property
    def ready(self) -> bool:
        """Whether a message may be sent now."""
        return self._credit > 0 and self.session.ready

    def send(self, delivery_tag: bytes, message: bytes, *, settled: bool) -> None:
        self._credit -= 1
        self._delivery_count = (self._delivery_count + 1) % _MODULUS
        self.session.transfer(self, Transfer(self.handle, None, delivery_tag, 0, settled), message)

    def flow(self, flow: Flow) -> None:
        if flow.link_credit is not None:
            already_sent = (self._delivery_count - (flow.delivery_count or 0)) % _MODULUS
            self._credit = max(0, flow.link_credit - already_sent)
        self.node.credit_granted(self)
        if flow.drain:
            self._delivery_count = (self._delivery_count + self._credit) % _MODULUS
            self._credit = 0
        if flow.drain or flow.echo:
            self.session.flow(self.handle, self._delivery_count, self._credit, drain=flow.drain)
