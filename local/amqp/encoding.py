"""Values to bytes (AMQP 1.0, part 1.6), each in the shortest form that the type has."""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any
from uuid import UUID

from local.amqp.values import (
    Array,
    Byte,
    Described,
    Float,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

NULL = b"\x40"
_SMALL_UINT = tuple(b"\x52" + bytes((n,)) for n in range(256))
_SMALL_ULONG = tuple(b"\x53" + bytes((n,)) for n in range(256))
_ONE_BYTE_SIZE = Struct(">BB").pack
_FOUR_BYTE_SIZE = Struct(">BI").pack
_TWO_ONE_BYTE_SIZES = Struct(">BBB").pack
_TWO_FOUR_BYTE_SIZES = Struct(">BII").pack
_UINT = Struct(">BI").pack
_ULONG = Struct(">BQ").pack
_COUNT = Struct(">I").pack


def _counted(content: bytes) -> bytes:
    return _COUNT(len(content)) + content


# The form that an array's elements take: constructor, and the bytes after it.
_WIDE: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    UByte: (0x50, Struct(">B").pack),
    UShort: (0x60, Struct(">H").pack),
    UInt: (0x70, Struct(">I").pack),
    ULong: (0x80, Struct(">Q").pack),
    Byte: (0x51, Struct(">b").pack),
    Short: (0x61, Struct(">h").pack),
    Int: (0x71, Struct(">i").pack),
    int: (0x81, Struct(">q").pack),
    bool: (0x56, Struct(">?").pack),
    Float: (0x72, Struct(">f").pack),
    float: (0x82, Struct(">d").pack),
    Timestamp: (0x83, Struct(">q").pack),
    UUID: (0x98, lambda value: value.bytes),
    bytes: (0xB0, _counted),
    str: (0xB1, lambda value: _counted(value.encode())),
    Symbol: (0xB3, lambda value: _counted(value.encode("ascii"))),
}


def encode(value: object) -> bytes:
    """
    Raises:
        TypeError: there is no AMQP type for it.
    """
    try:
        encoder = _ENCODERS[type(value)]
    except KeyError:
        raise TypeError(f"no AMQP type for {type(value).__name__}") from None
    return encoder(value)


def encode_boolean(value: bool) -> bytes:
    return b"\x41" if value else b"\x42"


def encode_uint(value: int) -> bytes:
    if value < 256:
        return _SMALL_UINT[value] if value else b"\x43"
    return _UINT(0x70, value)


def encode_ulong(value: int) -> bytes:
    if value < 256:
        return _SMALL_ULONG[value] if value else b"\x44"
    return _ULONG(0x80, value)


def encode_binary(value: bytes) -> bytes:
    return _variable(0xA0, value)


def encode_string(value: str) -> bytes:
    return _variable(0xA1, value.encode())


def encode_symbol(value: str) -> bytes:
    return _variable(0xA3, value.encode("ascii"))


def encode_compound(code: int, content: bytes, count: int) -> bytes:
    """A list (0xC0) or a map (0xC1) of so many values that are encoded already."""
    if len(content) < 255 and count < 256:
        return _TWO_ONE_BYTE_SIZES(code, len(content) + 1, count) + content
    return _TWO_FOUR_BYTE_SIZES(code + 0x10, len(content) + 4, count) + content


def encode_list(items: Sequence[bytes]) -> bytes:
    return encode_compound(0xC0, b"".join(items), len(items)) if items else b"\x45"


def encode_described(descriptor: object, value: bytes) -> bytes:
    return b"\x00" + encode(descriptor) + value


def _variable(code: int, content: bytes) -> bytes:
    if len(content) < 256:
        return _ONE_BYTE_SIZE(code, len(content)) + content
    return _FOUR_BYTE_SIZE(code + 0x10, len(content)) + content


def _small_or(code: int, small_code: int, form: str) -> Callable[[int], bytes]:
    small, wide = Struct(">Bb").pack, Struct(form).pack
    return lambda value: small(small_code, value) if -128 <= value < 128 else wide(code, value)


def _wide(kind: type) -> Callable[[Any], bytes]:
    code, pack = _WIDE[kind]
    constructor = bytes((code,))
    return lambda value: constructor + pack(value)


def _map(value: dict[object, object]) -> bytes:
    content = b"".join([encode(part) for entry in value.items() for part in entry])
    return encode_compound(0xC1, content, 2 * len(value))


def _array(value: Array) -> bytes:
    content = NULL
    if value:
        try:
            code, pack = _WIDE[type(value[0])]
        except KeyError:
            raise TypeError(f"no arrays of {type(value[0]).__name__} here") from None
        content = bytes((code,)) + b"".join([pack(item) for item in value])
    return _TWO_FOUR_BYTE_SIZES(0xF0, len(content) + 4, len(value)) + content


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    **{kind: _wide(kind) for kind in (UByte, UShort, Byte, Short, Float, float, Timestamp, UUID)},
    type(None): lambda _: NULL,
    bool: encode_boolean,
    UInt: encode_uint,
    ULong: encode_ulong,
    Int: _small_or(0x71, 0x54, ">Bi"),
    int: _small_or(0x81, 0x55, ">Bq"),
    bytes: encode_binary,
    str: encode_string,
    Symbol: encode_symbol,
    list: lambda value: encode_list([encode(item) for item in value]),
    dict: _map,
    Array: _array,
    Described: lambda value: encode_described(value.descriptor, encode(value.value)),
}
