"""What the broker adds to a message, and what it leaves alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.amqp.decoding import decode
from local.amqp.encoding import encode
from local.amqp.errors import DecodeError
from local.amqp.messages import (
    APPLICATION_PROPERTIES,
    DATA,
    DELIVERY_ANNOTATIONS,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    Section,
    decode_header,
    encode_header,
    sections,
)
from local.amqp.performatives import Header
from local.amqp.values import Int, Symbol, Timestamp, UByte
from local.service_bus.envelope import BATCH_FORMAT, is_scheduled, pack, unpack, with_properties
from local.service_bus.message import Message, NewMessage

BODY = Section(DATA, encode(b"body")).encode()
PROPERTIES_SECTION = Section(PROPERTIES, encode(["id"])).encode()


def _annotated(annotations: dict[object, object]) -> bytes:
    return Section(MESSAGE_ANNOTATIONS, encode(annotations)).encode() + BODY


def _message(content: bytes) -> Message:
    return Message(5, 1.5, 11.5, 0, content)


def _annotations(packed: bytes) -> object:
    return next(decode(part.value)[0] for part in sections(packed) if part.code == MESSAGE_ANNOTATIONS)


@given(st.binary(max_size=1000))
def test_whatever_follows_the_annotations_is_passed_on_byte_for_byte(body: bytes) -> None:
    bare = PROPERTIES_SECTION + Section(DATA, encode(body)).encode()

    packed = pack(_message(encode_header(Header(True)) + bare), earlier_deliveries=0)

    assert packed.endswith(bare)


def test_the_receiver_learns_number_times_and_deliveries() -> None:
    packed = pack(_message(BODY), earlier_deliveries=2, locked_until=61.5)

    assert _annotations(packed) == {
        "x-opt-enqueued-time": 1500,
        "x-opt-sequence-number": 5,
        "x-opt-enqueue-sequence-number": 5,
        "x-opt-message-state": 0,
        "x-opt-locked-until": 61_500,
    }
    header = decode_header(sections(packed)[0].value)
    assert (header.ttl, header.first_acquirer, header.delivery_count) == (10_000, False, 2)


def test_a_time_to_live_that_has_no_place_in_the_header_is_cut() -> None:
    packed = pack(replace(_message(BODY), expires_at=1e9), earlier_deliveries=0)

    assert decode_header(sections(packed)[0].value).ttl == 4_294_967_295


def test_annotations_of_the_sender_stay_and_cannot_pretend_to_be_ours() -> None:
    content = _annotated({Symbol("x-opt-partition-key"): "k", Symbol("x-opt-sequence-number"): 99})

    annotations = _annotations(pack(_message(content), earlier_deliveries=0))

    assert isinstance(annotations, dict)
    assert (annotations["x-opt-partition-key"], annotations["x-opt-sequence-number"]) == ("k", 5)


def test_annotations_for_the_next_hop_end_here() -> None:
    content = Section(DELIVERY_ANNOTATIONS, encode({Symbol("hop"): 1})).encode() + BODY

    assert DELIVERY_ANNOTATIONS not in [part.code for part in sections(pack(_message(content), earlier_deliveries=0))]


def test_properties_are_added_without_touching_the_types_of_the_others() -> None:
    content = PROPERTIES_SECTION + Section(APPLICATION_PROPERTIES, encode({"n": UByte(1), "old": "x"})).encode() + BODY

    changed = with_properties(content, {"old": "y", "new": True})

    expected = Section(APPLICATION_PROPERTIES, encode({"n": UByte(1), "old": "y", "new": True})).encode()
    assert changed == PROPERTIES_SECTION + expected + BODY


def test_properties_are_added_where_there_were_none() -> None:
    expected = Section(APPLICATION_PROPERTIES, encode({"new": Int(1)})).encode()

    assert with_properties(PROPERTIES_SECTION + BODY, {"new": Int(1)}) == PROPERTIES_SECTION + expected + BODY


def test_a_batch_is_unpacked_into_its_messages() -> None:
    first, second = BODY, encode_header(Header(ttl=1500)) + BODY
    batch = b"".join(Section(DATA, encode(content)).encode() for content in (first, second))

    assert unpack(batch, BATCH_FORMAT) == [NewMessage(first), NewMessage(second, 1.5)]
    assert unpack(second, 0) == [NewMessage(second, 1.5)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        PROPERTIES_SECTION,
        b"garbage",
        Section(MESSAGE_ANNOTATIONS, encode("text")).encode() + BODY,
        Section(APPLICATION_PROPERTIES, b"\xc1\x02\x02\x40").encode() + BODY,
    ],
    ids=["nothing", "no body", "garbage", "annotations that are no map", "a map that is cut off"],
)
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(DecodeError):
        unpack(content, 0)


def test_a_batch_of_something_else_is_refused() -> None:
    with pytest.raises(DecodeError):
        unpack(Section(DATA, encode("text")).encode(), BATCH_FORMAT)


def test_a_message_for_later_is_recognized() -> None:
    assert is_scheduled(_annotated({Symbol("x-opt-scheduled-enqueue-time"): Timestamp(1)}))
    assert not is_scheduled(_annotated({Symbol("x-opt-scheduled-enqueue-time"): None}))
    assert not is_scheduled(Section(DATA, encode(b"x-opt-scheduled-enqueue-time")).encode())
