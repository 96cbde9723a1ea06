"""Bytes to values (AMQP 1.0, part 1.6): a decoder takes a buffer and an offset and gives the value and where it ends.

Nothing that a peer sends may cost more than its own size, so every length and count is checked against the buffer
before it is believed. The decimal types are not decoded.
"""

from collections.abc import Callable
from struct import Struct, error
from uuid import UUID

from local.amqp.errors import DecodeError
from local.amqp.values import Described, Symbol

Decoder = Callable[[bytes, int], tuple[object, int]]

_UINT = Struct(">I").unpack_from
_TWO_UINTS = Struct(">II").unpack_from
MALFORMED = (IndexError, error, UnicodeDecodeError, RecursionError, TypeError, OverflowError)


def decode(buffer: bytes, offset: int = 0) -> tuple[object, int]:
    """One value and the offset behind it.

    Raises:
        DecodeError: it is none, or is cut off.
    """
    try:
        return _decode(buffer, offset)
    except MALFORMED as failure:
        raise DecodeError(f"no AMQP value at byte {offset}: {failure!r}") from failure


def _decode(buffer: bytes, offset: int) -> tuple[object, int]:
    return _DECODERS[buffer[offset]](buffer, offset + 1)


def _constant(value: object) -> Decoder:
    return lambda _, offset: (value, offset)


def _fixed(form: str) -> Decoder:
    layout = Struct(form)
    unpack, width = layout.unpack_from, layout.size
    return lambda buffer, offset: (unpack(buffer, offset)[0], offset + width)


def _bytes(buffer: bytes, start: int, size: int) -> bytes:
    if start + size > len(buffer):
        raise DecodeError(f"{size} bytes announced at byte {start}, {len(buffer) - start} there")
    return buffer[start : start + size]


def _small(convert: Callable[[bytes], object]) -> Decoder:
    def decoder(buffer: bytes, offset: int) -> tuple[object, int]:
        size = buffer[offset]
        return convert(_bytes(buffer, offset + 1, size)), offset + 1 + size

    return decoder


def _large(convert: Callable[[bytes], object]) -> Decoder:
    def decoder(buffer: bytes, offset: int) -> tuple[object, int]:
        size = _UINT(buffer, offset)[0]
        return convert(_bytes(buffer, offset + 4, size)), offset + 4 + size

    return decoder


def _as_is(content: bytes) -> bytes:
    return content


def _text(content: bytes) -> str:
    return content.decode()


def _symbol(content: bytes) -> Symbol:
    return Symbol(content.decode("ascii"))


def _uuid(buffer: bytes, offset: int) -> tuple[UUID, int]:
    return UUID(bytes=_bytes(buffer, offset, 16)), offset + 16


def _character(buffer: bytes, offset: int) -> tuple[str, int]:
    try:
        return chr(_UINT(buffer, offset)[0]), offset + 4
    except ValueError as failure:
        raise DecodeError("no such character") from failure


def _described(buffer: bytes, offset: int) -> tuple[Described, int]:
    descriptor, offset = _decode(buffer, offset)
    value, offset = _decode(buffer, offset)
    return Described(descriptor, value), offset


def _items(buffer: bytes, offset: int, count: int, end: int) -> tuple[list[object], int]:
    """The values of a list that is to end at `end`: were a wrong size believed, bytes could be made to count twice."""
    if count > end - offset or end > len(buffer):
        raise DecodeError(f"{count} values announced in {end - offset} of {len(buffer) - offset} bytes")
    items = []
    for _ in range(count):
        item, offset = _DECODERS[buffer[offset]](buffer, offset + 1)
        items.append(item)
    if offset != end:
        raise DecodeError(f"a list that should end at byte {end} ends at byte {offset}")
    return items, end


def _small_list(buffer: bytes, offset: int) -> tuple[list[object], int]:
    return _items(buffer, offset + 2, buffer[offset + 1], offset + 1 + buffer[offset])


def _large_list(buffer: bytes, offset: int) -> tuple[list[object], int]:
    size, count = _TWO_UINTS(buffer, offset)
    return _items(buffer, offset + 8, count, offset + 4 + size)


def _map_of(items: list[object]) -> dict[object, object]:
    if len(items) % 2:
        raise DecodeError("a map with a key that has no value")
    return dict(zip(items[::2], items[1::2], strict=True))


def _small_map(buffer: bytes, offset: int) -> tuple[dict[object, object], int]:
    items, offset = _small_list(buffer, offset)
    return _map_of(items), offset


def _large_map(buffer: bytes, offset: int) -> tuple[dict[object, object], int]:
    items, offset = _large_list(buffer, offset)
    return _map_of(items), offset


def _elements(buffer: bytes, offset: int, count: int, end: int) -> tuple[list[object], int]:
    """What an array holds: one constructor for all, with a descriptor or without, then `count` times the bytes."""
    if count > end - offset or end > len(buffer):
        raise DecodeError(f"{count} elements announced in {end - offset} of {len(buffer) - offset} bytes")
    descriptor: object = None
    described = buffer[offset] == 0
    if described:
        descriptor, offset = _decode(buffer, offset + 1)
    decoder = _DECODERS[buffer[offset]]
    offset += 1
    elements: list[object] = []
    for _ in range(count):
        element, offset = decoder(buffer, offset)
        elements.append(Described(descriptor, element) if described else element)
    if offset != end:
        raise DecodeError(f"an array that should end at byte {end} ends at byte {offset}")
    return elements, end


def _small_array(buffer: bytes, offset: int) -> tuple[list[object], int]:
    return _elements(buffer, offset + 2, buffer[offset + 1], offset + 1 + buffer[offset])


def _large_array(buffer: bytes, offset: int) -> tuple[list[object], int]:
    size, count = _TWO_UINTS(buffer, offset)
    return _elements(buffer, offset + 8, count, offset + 4 + size)


def _unknown(buffer: bytes, offset: int) -> tuple[object, int]:
    raise DecodeError(f"nothing is decoded with the constructor {buffer[offset - 1]:#04x}")


_KNOWN: dict[int, Decoder] = {
    0x00: _described,
    0x40: _constant(None),
    0x41: _constant(True),
    0x42: _constant(False),
    0x43: _constant(0),
    0x44: _constant(0),
    0x45: lambda _, offset: ([], offset),
    0x50: _fixed(">B"),
    0x51: _fixed(">b"),
    0x52: _fixed(">B"),
    0x53: _fixed(">B"),
    0x54: _fixed(">b"),
    0x55: _fixed(">b"),
    0x56: _fixed(">?"),
    0x60: _fixed(">H"),
    0x61: _fixed(">h"),
    0x70: _fixed(">I"),
    0x71: _fixed(">i"),
    0x72: _fixed(">f"),
    0x73: _character,
    0x80: _fixed(">Q"),
    0x81: _fixed(">q"),
    0x82: _fixed(">d"),
    0x83: _fixed(">q"),
    0x98: _uuid,
    0xA0: _small(_as_is),
    0xA1: _small(_text),
    0xA3: _small(_symbol),
    0xB0: _large(_as_is),
    0xB1: _large(_text),
    0xB3: _large(_symbol),
    0xC0: _small_list,
    0xC1: _small_map,
    0xD0: _large_list,
    0xD1: _large_map,
    0xE0: _small_array,
    0xF0: _large_array,
}
_DECODERS: tuple[Decoder, ...] = tuple(_KNOWN.get(code, _unknown) for code in range(256))
