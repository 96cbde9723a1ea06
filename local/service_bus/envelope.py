"""Messages on the wire: what the broker reads of them, and what it adds (protocol guide, "Messages").

The body, the properties and every value that the sender set go through it byte for byte.
"""

from collections.abc import Mapping
from functools import cache

from local.amqp.decoding import decode
from local.amqp.encoding import encode
from local.amqp.errors import DecodeError
from local.amqp.messages import (
    APPLICATION_PROPERTIES,
    DATA,
    FOOTER,
    HEADER,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    Section,
    decode_header,
    encode_entry,
    encode_header,
    encode_map,
    map_entries,
    sections,
)
from local.amqp.values import Int, Symbol, Timestamp
from local.service_bus.message import Message, NewMessage

BATCH_FORMAT = 0x80013700
SCHEDULED_ENQUEUE_TIME = "x-opt-scheduled-enqueue-time"
_UINT_MAX = (1 << 32) - 1


def unpack(transfer: bytes, message_format: int) -> list[NewMessage]:
    """The messages of a transfer: one, or those of a batch, each in a data section of its own.

    Raises:
        DecodeError: these bytes are no message.
    """
    if message_format != BATCH_FORMAT:
        return [_new(transfer)]
    return [_new(_binary(part.value)) for part in sections(transfer) if part.code == DATA]


def is_scheduled(content: bytes) -> bool:
    """Whether the sender wants the message to appear later."""
    if SCHEDULED_ENQUEUE_TIME.encode() not in content:
        return False
    annotations = [decode(part.value)[0] for part in sections(content) if part.code == MESSAGE_ANNOTATIONS]
    return any(isinstance(found, dict) and found.get(SCHEDULED_ENQUEUE_TIME) is not None for found in annotations)


def pack(message: Message, *, earlier_deliveries: int, locked_until: float | None = None) -> bytes:
    """The message as somebody gets it who receives it or peeks at it."""
    header, annotations, rest = _apart(message.content)
    packed_header = decode_header(header)._replace(
        ttl=min(round((message.expires_at - message.enqueued_at) * 1000), _UINT_MAX),
        first_acquirer=earlier_deliveries == 0,
        delivery_count=earlier_deliveries,
    )
    annotations.update(_annotations(message, locked_until))
    return (
        encode_header(packed_header)
        + Section(MESSAGE_ANNOTATIONS, encode_map(annotations.values())).encode()
        + b"".join([part.encode() for part in rest])
    )


def dead_letter_properties(reason: str | None, description: str | None) -> dict[str, object]:
    """The application properties that say why a message is a dead letter."""
    properties = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
    return {name: value for name, value in properties.items() if value is not None}


def with_properties(content: bytes, added: Mapping[str, object]) -> bytes:
    """The message with these application properties (over those of the same name), and otherwise as it was."""
    found = sections(content)
    properties: dict[object, bytes] = {}
    for part in found:
        if part.code == APPLICATION_PROPERTIES:
            properties |= map_entries(part.value)
    properties |= {name: encode_entry(name, value) for name, value in added.items()}
    changed = [part for part in found if part.code != APPLICATION_PROPERTIES]
    changed.append(Section(APPLICATION_PROPERTIES, encode_map(properties.values())))
    return b"".join([part.encode() for part in sorted(changed, key=lambda part: part.code)])


def _new(content: bytes) -> NewMessage:
    found = sections(content)
    if not any(DATA <= part.code < FOOTER for part in found):
        raise DecodeError("a message without a body")
    for part in found:
        if part.code in (MESSAGE_ANNOTATIONS, APPLICATION_PROPERTIES):
            map_entries(part.value)  # so that nobody stumbles over it later
    ttl_ms = decode_header(_apart(content)[0]).ttl
    return NewMessage(content, None if ttl_ms is None else ttl_ms / 1000)


def _apart(content: bytes) -> tuple[bytes | None, dict[object, bytes], list[Section]]:
    """Header, the sender's message annotations, and the sections that nobody on the way may touch."""
    header, annotations, rest = None, dict[object, bytes](), []
    for part in sections(content):
        if part.code == HEADER:
            header = part.value
        elif part.code == MESSAGE_ANNOTATIONS:
            annotations = map_entries(part.value)
        elif part.code >= PROPERTIES:
            rest.append(part)
    return header, annotations, rest


def _binary(value: bytes) -> bytes:
    decoded = decode(value)[0]
    if not isinstance(decoded, bytes):
        raise DecodeError("a data section that holds no binary")
    return decoded


def _annotations(message: Message, locked_until: float | None) -> dict[object, bytes]:
    values: dict[str, object] = {
        "x-opt-enqueued-time": _timestamp(message.enqueued_at),
        "x-opt-sequence-number": message.sequence_number,
        "x-opt-enqueue-sequence-number": message.sequence_number,
        "x-opt-message-state": Int(0),
    }
    if locked_until is not None:
        values["x-opt-locked-until"] = _timestamp(locked_until)
    return {name: _symbol(name) + encode(value) for name, value in values.items()}


@cache
def _symbol(name: str) -> bytes:
    return encode(Symbol(name))


def _timestamp(instant: float) -> Timestamp:
    return Timestamp(round(instant * 1000))
