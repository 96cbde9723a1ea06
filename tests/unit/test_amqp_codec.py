"""Values: what goes out comes back, and no bytes of a peer do harm."""

import uuid

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.amqp.decoding import decode
from local.amqp.encoding import encode
from local.amqp.errors import DecodeError
from local.amqp.measuring import skip
from local.amqp.messages import sections
from local.amqp.values import Array, Described, Symbol, UInt, ULong
from tests.unit.amqp_examples import scalars, values


@given(values)
def test_every_value_comes_back_equal(value: object) -> None:
    encoded = encode(value)

    assert decode(encoded) == (value, len(encoded))
    assert skip(encoded, 0) == len(encoded)


@given(st.lists(scalars, max_size=5))
@example([])
def test_an_array_comes_back_as_a_list(items: list[object]) -> None:
    same = [item for item in items if type(item) is type(items[0])]

    assert decode(encode(Array(same)))[0] == same


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
