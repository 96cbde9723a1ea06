"""Types, frames and messages: what goes out comes back, and no bytes of a peer do harm."""

import math
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.amqp.composites import decode_composite, encode_any
from local.amqp.decoding import decode
from local.amqp.encoding import encode
from local.amqp.errors import AmqpError, DecodeError
from local.amqp.frames import MAX_FRAME_SIZE, Frame, FrameReader, encode_frame
from local.amqp.measuring import skip
from local.amqp.messages import DATA, HEADER, Section, map_entries, sections
from local.amqp.performatives import (
    Accepted,
    Attach,
    Begin,
    Disposition,
    Error,
    Flow,
    Modified,
    Open,
    Rejected,
    Source,
    Transfer,
)
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


def _integers(kind: Callable[[int], int], bits: int, *, signed: bool) -> st.SearchStrategy[Any]:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.integers(low, high).map(kind)


symbols = st.text(st.characters(max_codepoint=127), max_size=300).map(Symbol)
scalars = st.one_of(
    st.booleans(),
    _integers(UByte, 8, signed=False),
    _integers(UShort, 16, signed=False),
    _integers(UInt, 32, signed=False),
    _integers(ULong, 64, signed=False),
    _integers(Byte, 8, signed=True),
    _integers(Short, 16, signed=True),
    _integers(Int, 32, signed=True),
    _integers(int, 64, signed=True),
    _integers(Timestamp, 64, signed=True),
    st.floats(width=32, allow_nan=False).map(Float),
    st.floats(allow_nan=False),
    st.uuids(),
    st.binary(max_size=300),
    st.text(max_size=300),
    symbols,
)
values = st.recursive(
    st.none() | scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(scalars, inner, max_size=5),
        st.builds(Described, symbols | _integers(ULong, 64, signed=False), inner),
    ),
    max_leaves=20,
)
uints = _integers(int, 32, signed=False)
ushorts = _integers(int, 16, signed=False)
outcomes = st.one_of(
    st.just(Accepted()),
    symbols.map(lambda condition: Rejected(Error(condition))),
    st.booleans().map(Modified),
)
performatives = st.one_of(
    st.text(max_size=20).map(lambda name: Open(name, properties={"a": 1})),
    st.tuples(st.none() | ushorts, uints, uints, uints).map(lambda fields: Begin(*fields)),
    st.tuples(st.text(max_size=300), uints, st.booleans()).map(lambda fields: Attach(*fields, source=Source("queue"))),
    st.tuples(st.none() | uints, uints, uints, uints, st.none() | uints).map(lambda fields: Flow(*fields)),
    st.tuples(uints, uints, st.binary(max_size=32), uints, st.booleans(), st.booleans()).map(
        lambda fields: Transfer(*fields)
    ),
    st.tuples(st.booleans(), uints, uints, st.booleans(), outcomes).map(lambda fields: Disposition(*fields)),
)


@given(values)
def test_every_value_comes_back_equal(value: object) -> None:
    encoded = encode(value)

    assert decode(encoded) == (value, len(encoded))
    assert skip(encoded, 0) == len(encoded)


@given(st.lists(scalars, min_size=1, max_size=5))
def test_an_array_comes_back_as_a_list(items: list[object]) -> None:
    same = [item for item in items if type(item) is type(items[0])]

    assert decode(encode(Array(same)))[0] == same


def test_an_empty_array_comes_back_empty() -> None:
    assert decode(encode(Array()))[0] == []


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        ("40", None),
        ("41", True),
        ("5601", True),
        ("43", 0),
        ("44", 0),
        ("50ff", 255),
        ("51ff", -1),
        ("600100", 256),
        ("52ff", 255),
        ("70ffffffff", 4294967295),
        ("5380", 128),
        ("54ff", -1),
        ("71ffffff00", -256),
        ("80ffffffffffffffff", 18446744073709551615),
        ("55ff", -1),
        ("723fc00000", 1.5),
        ("823ff8000000000000", 1.5),
        ("7300000041", "A"),
        ("830000000000000001", 1),
        ("9800112233445566778899aabbccddeeff", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
        ("a00161", b"a"),
        ("a102c3a9", "é"),
        ("a30161", "a"),
        ("45", []),
        ("c003024143", [True, 0]),
        ("c10502a1016141", {"a": True}),
        ("d000000006000000024143", [True, 0]),
        ("e003015005", [5]),
        ("f000000006000000015005", [5]),
        ("00531041", Described(16, True)),
        ("e006010053105007", [Described(16, 7)]),
    ],
)
def test_the_standards_encodings_are_understood(encoded: str, value: object) -> None:
    assert decode(bytes.fromhex(encoded))[0] == value


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (UInt(0), "43"),
        (UInt(255), "52ff"),
        (UInt(256), "7000000100"),
        (ULong(0), "44"),
        (ULong(255), "53ff"),
        (1, "5501"),
        (128, "810000000000000080"),
        (Symbol("a"), "a30161"),
        ([], "45"),
    ],
)
def test_the_shortest_encoding_is_chosen(value: object, encoded: str) -> None:
    assert encode(value).hex() == encoded


@given(st.binary(max_size=200))
@settings(max_examples=500)
def test_bytes_that_are_no_value_raise_a_decode_error_and_nothing_else(garbage: bytes) -> None:
    for function in (lambda: decode(garbage), lambda: skip(garbage, 0), lambda: sections(garbage)):
        try:
            function()
        except DecodeError:
            continue


@given(values, st.data())
def test_a_value_that_is_cut_off_raises_a_decode_error(value: object, data: st.DataObject) -> None:
    encoded = encode(value)
    cut = data.draw(st.integers(0, len(encoded) - 1))

    with pytest.raises(DecodeError):
        decode(encoded[:cut])


@pytest.mark.parametrize(
    "bomb",
    [
        b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40",  # an array of four billion nulls
        b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff",  # a list of as many values
        b"\xd0\x00\x00\xff\xff\x00\x00\x00\x01" + b"\xf0\x00\x00\xff\xf0\x00\x00\xff\x00\x40" * 5000,
        b"\x00" * 60_000,  # a descriptor of a descriptor of a descriptor
        b"\xc0\xff\x01" * 20_000,
        b"\xb0\xff\xff\xff\xff",
    ],
    ids=["array", "list", "overlapping arrays", "descriptors", "lists", "binary"],
)
def test_a_few_bytes_cannot_ask_for_much_memory(bomb: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(bomb)


def test_a_value_without_an_amqp_type_is_refused() -> None:
    with pytest.raises(TypeError, match="no AMQP type for set"):
        encode(set())


@given(performatives)
def test_every_performative_comes_back(performative: object) -> None:
    encoded = encode_any(performative)

    decoded, end = decode_composite(encoded)

    assert (type(decoded), decoded, end) == (type(performative), performative, len(encoded))


def test_fields_that_a_peer_leaves_out_have_their_defaults() -> None:
    opened, _ = decode_composite(bytes.fromhex("005310c00401a10161"))

    assert opened == Open("a", None, 4294967295, 65535)


@pytest.mark.parametrize(
    ("encoded", "problem"),
    [
        ("00531045", "container_id is mandatory"),
        ("005310c0020140", "container_id is mandatory"),
        ("005310c003015005", "container_id is a int"),
        ("00531041", "no list"),
        ("005324c0020141", "no list of at most 0 fields"),
    ],
)
def test_a_performative_with_wrong_fields_is_refused(encoded: str, problem: str) -> None:
    with pytest.raises(DecodeError, match=problem):
        decode_composite(bytes.fromhex(encoded))


@given(st.lists(st.tuples(performatives, st.binary(max_size=50)), min_size=1, max_size=4), st.data())
def test_frames_that_come_in_pieces_are_put_together(sent: list[tuple[object, bytes]], data: st.DataObject) -> None:
    stream = b"".join(encode_frame(channel, *content) for channel, content in enumerate(sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader, received = FrameReader(), []

    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        reader.feed(stream[start:end])
        while frame := reader.next_frame():
            received.append(frame)

    assert received == [Frame(0, channel, *content) for channel, content in enumerate(sent)]


def test_a_frame_that_is_not_all_there_is_waited_for() -> None:
    frame = encode_frame(0, Open("me"))
    reader = FrameReader()

    for byte in frame[:-1]:
        reader.feed(bytes((byte,)))
        assert reader.next_frame() is None
    reader.feed(frame[-1:])

    assert reader.next_frame() == Frame(0, 0, Open("me"), b"")


@pytest.mark.parametrize(
    "header",
    [
        b"\x00\x00\x00\x07\x02\x00\x00\x00",
        b"\x00\x00\x00\x08\x01\x00\x00\x00",
        b"\x00\x00\x00\x08\x03\x00\x00\x00",
        b"\x00\x00\x00\x08\x02\x02\x00\x00",
        (MAX_FRAME_SIZE + 1).to_bytes(4) + b"\x02\x00\x00\x00",
    ],
    ids=["too small", "offset in the header", "offset behind the end", "unknown type", "too large"],
)
def test_what_can_be_no_frame_is_refused_before_it_is_all_there(header: bytes) -> None:
    reader = FrameReader()
    reader.feed(header)

    with pytest.raises(AmqpError, match="framing-error"):
        reader.next_frame()


def test_a_section_keeps_its_bytes_and_gets_a_short_descriptor() -> None:
    message = b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x70\x45" + b"\x00\x53\x75\xa0\x02hi"

    assert sections(message) == [Section(HEADER, b"\x45"), Section(DATA, b"\xa0\x02hi")]
    assert sections(message)[0].encode() == b"\x00\x53\x70\x45"


@pytest.mark.parametrize("message", [b"\x41", b"\x00\x53\x10\x45", b"\x00\xa3\x01a\x45", b"\x00\x53\x75\xa0\x05hi"])
def test_what_is_no_section_is_refused(message: bytes) -> None:
    with pytest.raises(DecodeError):
        sections(message)


def test_entries_of_a_map_stay_encoded() -> None:
    entries = map_entries(encode({"a": UByte(1), "b": math.inf}))

    assert entries == {"a": b"\xa1\x01a\x50\x01", "b": encode("b") + encode(math.inf)}
