"""What a queue keeps, and what it tells its journal."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class NewMessage:
    """`time_to_live_s` None: as long as the queue lets it live."""

    content: bytes
    time_to_live_s: float | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """`content` is the message as it was sent; instants are seconds since 1970. `delivery_count` is how often it was
    handed out, a delivery that is under way included."""

    sequence_number: int
    enqueued_at: float
    expires_at: float
    delivery_count: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that one receiver has for itself until `locked_until`."""

    message: Message
    lock_token: UUID
    locked_until: float


@dataclass(frozen=True, slots=True)
class Stored:
    """The queue holds this message from now on."""

    queue: str
    message: Message


@dataclass(frozen=True, slots=True)
class Counted:
    """The message's delivery count has changed."""

    queue: str
    sequence_number: int
    delivery_count: int


@dataclass(frozen=True, slots=True)
class Removed:
    """The queue holds this message no more."""

    queue: str
    sequence_number: int


type Change = Stored | Counted | Removed
