"""Python types that carry an AMQP type to the encoder (AMQP 1.0, part 1.6).

What Python has already needs none: `None`, `bool`, `int` (long), `float` (double), `bytes` (binary), `str` (string),
`UUID`, `list` and `dict` (map). Decoding gives plain ints, floats and lists back: equal, but without their width.
"""

from typing import NamedTuple


class UByte(int): ...


class UShort(int): ...


class UInt(int): ...


class ULong(int): ...


class Byte(int): ...


class Short(int): ...


class Int(int): ...


class Float(float):
    """Four bytes; Python's own `float` is AMQP's double."""


class Timestamp(int):
    """Milliseconds since 1970, UTC."""


class Symbol(str):
    """A string of ASCII characters from a constrained domain."""

    __slots__ = ()


class Array(list[object]):
    """Values of one type, told from the first; an empty one is an array of nulls."""


class Described(NamedTuple):
    """A value with a descriptor (a numeric code or a symbol) that says what it means."""

    descriptor: object
    value: object
