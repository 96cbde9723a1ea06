"""Composite types (AMQP 1.0, part 1.4): described lists whose fields have names, types and defaults.

A composite is a NamedTuple whose annotations carry the wire types, in the specification's own words::

    @composite(0x1D)
    class Error(NamedTuple):
        condition: symbol          # mandatory
        description: string | None = None
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_type_hints

from local.amqp.decoding import decode
from local.amqp.encoding import (
    NULL,
    encode,
    encode_binary,
    encode_boolean,
    encode_list,
    encode_string,
    encode_symbol,
    encode_uint,
    encode_ulong,
)
from local.amqp.errors import DecodeError
from local.amqp.values import Described, UByte, UShort

_MISSING = object()


@dataclass(frozen=True)
class Wire:
    """How a field travels: what it is in Python, and how it becomes bytes."""

    python: type
    encode: Callable[[Any], bytes]


def encode_any(value: object) -> bytes:
    """A value, or a composite."""
    shape = _SHAPES_BY_TYPE.get(type(value))
    return shape.encode(value) if shape else encode(value)


boolean = Annotated[bool, Wire(bool, encode_boolean)]
ubyte = Annotated[int, Wire(int, lambda value: encode(UByte(value)))]
ushort = Annotated[int, Wire(int, lambda value: encode(UShort(value)))]
uint = Annotated[int, Wire(int, encode_uint)]
ulong = Annotated[int, Wire(int, encode_ulong)]
binary = Annotated[bytes, Wire(bytes, encode_binary)]
string = Annotated[str, Wire(str, encode_string)]
symbol = Annotated[str, Wire(str, encode_symbol)]
mapping = Annotated[dict[object, object], Wire(dict, encode)]
anything = Annotated[object, Wire(object, encode_any)]


@dataclass(frozen=True)
class _Field:
    name: str
    wire: Wire
    default: object

    def accept(self, value: object) -> object:
        """
        Raises:
            DecodeError: it is mandatory and null, or of another type.
        """
        if value is None:
            if self.default is _MISSING:
                raise DecodeError(f"{self.name} is mandatory")
            return self.default
        if type(value) is Described:
            value = compose(value)
        if not isinstance(value, self.wire.python):
            raise DecodeError(f"{self.name} is a {type(value).__name__}")
        return value


@dataclass(frozen=True)
class _Shape:
    composite: Callable[..., object]
    constructor: bytes
    fields: tuple[_Field, ...]

    def build(self, values: object) -> object:
        if not isinstance(values, list) or len(values) > len(self.fields):
            raise DecodeError(f"{self.composite!r} is no list of at most {len(self.fields)} fields")
        values += [None] * (len(self.fields) - len(values))
        return self.composite(*[field.accept(value) for field, value in zip(self.fields, values, strict=True)])

    def encode(self, value: Any) -> bytes:
        """With every trailing null: some clients take fields by their number without a look at the count."""
        return self.constructor + encode_list(
            [NULL if item is None else field.wire.encode(item) for field, item in zip(self.fields, value, strict=True)]
        )


_SHAPES: dict[object, _Shape] = {}
_SHAPES_BY_TYPE: dict[type, _Shape] = {}


def composite[T: type](code: int) -> Callable[[T], T]:
    """Makes a NamedTuple the composite with this descriptor."""

    def register(kind: T) -> T:
        defaults = getattr(kind, "_field_defaults", {})
        hints = get_type_hints(kind, include_extras=True)
        fields = tuple(_field(name, hint, defaults) for name, hint in hints.items())
        _SHAPES[code] = _SHAPES_BY_TYPE[kind] = _Shape(kind, b"\x00\x53" + bytes((code,)), fields)
        return kind

    return register


def _field(name: str, hint: Any, defaults: dict[str, object]) -> _Field:
    """A field that may be None is not mandatory, wherever it stands."""
    if hasattr(hint, "__metadata__"):
        return _Field(name, hint.__metadata__[0], defaults.get(name, _MISSING))
    wire = next(part.__metadata__[0] for part in get_args(hint) if part is not type(None))
    return _Field(name, wire, None)


def compose(value: object) -> object:
    """The composite that a described list stands for; anything else as it is.

    Raises:
        DecodeError: it does not have the fields of that composite.
    """
    if type(value) is not Described or not isinstance(value.descriptor, int):
        return value
    shape = _SHAPES.get(value.descriptor)
    return shape.build(value.value) if shape else value


def decode_composite(buffer: bytes, offset: int = 0) -> tuple[object, int]:
    """Like `decode`, with known composites built.

    Raises:
        DecodeError: it is no value, or not the composite that it says it is.
    """
    value, end = decode(buffer, offset)
    return compose(value), end
