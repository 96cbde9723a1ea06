"""The sections of a message (AMQP 1.0, part 3.2), taken apart without decoding what a broker only passes on.

A broker must give the bare message on as it came, byte for byte, so sections and the entries of maps stay encoded here.
"""

from collections.abc import Collection
from typing import NamedTuple

from local.amqp.composites import compose, encode_any
from local.amqp.decoding import decode
from local.amqp.encoding import encode, encode_compound
from local.amqp.errors import DecodeError
from local.amqp.measuring import decode_size_and_count, skip
from local.amqp.performatives import Header, Properties
from local.amqp.values import Described

HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS = 0x70, 0x71, 0x72
PROPERTIES, APPLICATION_PROPERTIES = 0x73, 0x74
DATA, SEQUENCE, VALUE, FOOTER = 0x75, 0x76, 0x77, 0x78


class Section(NamedTuple):
    code: int
    value: bytes

    def encode(self) -> bytes:
        """With a one-byte descriptor, however it came: clients take it from its place."""
        return b"\x00\x53" + bytes((self.code,)) + self.value


def sections(message: bytes) -> list[Section]:
    """
    Raises:
        DecodeError: these bytes are no message.
    """
    found, offset = [], 0
    while offset < len(message):
        if message[offset]:
            raise DecodeError(f"no section of a message at byte {offset}")
        code, start = decode(message, offset + 1)
        if not isinstance(code, int) or not HEADER <= code <= FOOTER:
            raise DecodeError(f"no section of a message has the descriptor {code!r}")
        offset = skip(message, start)
        found.append(Section(code, message[start:offset]))
    return found


def decode_header(value: bytes | None) -> Header:
    """
    Raises:
        DecodeError: this section is no header.
    """
    header = compose(Described(HEADER, decode(value)[0])) if value else Header()
    assert isinstance(header, Header)
    return header


def encode_header(header: Header) -> bytes:
    return encode_any(header)


def map_entries(value: bytes) -> dict[object, bytes]:
    """The entries of a map by their keys, each still encoded, its key included.

    Raises:
        DecodeError: this section is no map.
    """
    count, offset = decode_size_and_count(value, 0)
    entries: dict[object, bytes] = {}
    for _ in range(count // 2):
        key, middle = decode(value, offset)
        end = skip(value, middle)
        try:
            entries[key] = value[offset:end]
        except TypeError as failure:
            raise DecodeError(f"a map with the key {key!r}") from failure
        offset = end
    return entries


def encode_entry(key: object, value: object) -> bytes:
    return encode(key) + encode(value)


def encode_map(entries: Collection[bytes]) -> bytes:
    """A map of entries that are encoded already."""
    return encode_compound(0xC1, b"".join(entries), 2 * len(entries))


class Request(NamedTuple):
    """What nodes that answer read of a message."""

    properties: Properties
    application_properties: dict[object, object]
    body: object


def decode_request(message: bytes) -> Request:
    """
    Raises:
        DecodeError: these bytes are no message, or one without a body of one value.
    """
    decoded = {found.code: decode(found.value)[0] for found in sections(message)}
    properties = compose(Described(PROPERTIES, decoded.get(PROPERTIES, [])))
    application_properties = decoded.get(APPLICATION_PROPERTIES, {})
    if not isinstance(application_properties, dict) or VALUE not in decoded:
        raise DecodeError("no request")
    assert isinstance(properties, Properties)
    return Request(properties, application_properties, decoded[VALUE])


def encode_response(properties: Properties, application_properties: dict[object, object], body: object) -> bytes:
    """A message whose body is one value."""
    return b"".join(
        (
            encode_any(properties),
            Section(APPLICATION_PROPERTIES, encode_any(application_properties)).encode(),
            Section(VALUE, encode_any(body)).encode(),
        )
    )
