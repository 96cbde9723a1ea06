"""Performatives, and the frames that carry them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.amqp.composites import decode_composite, encode_any
from local.amqp.errors import AmqpError, DecodeError
from local.amqp.frames import MAX_FRAME_SIZE, Frame, FrameReader, encode_frame
from local.amqp.performatives import Open
from tests.unit.amqp_examples import performatives


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
