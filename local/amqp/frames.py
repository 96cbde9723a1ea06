"""Frames and protocol headers, in and out (AMQP 1.0, parts 2.2 and 2.3)."""

from struct import Struct
from typing import NamedTuple

from local.amqp.composites import decode_composite, encode_any
from local.amqp.errors import FRAMING_ERROR, AmqpError, DecodeError

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
HEADER_SIZE = 8
MAX_FRAME_SIZE = 65_536
AMQP_FRAME, SASL_FRAME = 0, 1
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"

_FRAME_HEADER = Struct(">IBBH")


class Frame(NamedTuple):
    """`performative` is None in an empty frame, which a peer sends to show that it lives."""

    kind: int
    channel: int
    performative: object
    payload: bytes


class FrameReader:
    """Cuts a stream of bytes, in whatever pieces they come, into protocol headers and frames."""

    def __init__(self) -> None:
        self._buffer = b""
        self._start = 0

    def feed(self, chunk: bytes) -> None:
        self._buffer = self._buffer[self._start :] + chunk
        self._start = 0

    def next_header(self) -> bytes | None:
        """Eight bytes; None: they are not all there."""
        if len(self._buffer) - self._start < HEADER_SIZE:
            return None
        return self._take(HEADER_SIZE)

    def next_frame(self) -> Frame | None:
        """None: it is not all there.

        Raises:
            AmqpError: what is there can be no frame of ours, or (DecodeError) holds no performative.
        """
        if len(self._buffer) - self._start < HEADER_SIZE:
            return None
        size, data_offset, kind, channel = _FRAME_HEADER.unpack_from(self._buffer, self._start)
        if not 2 <= data_offset <= size // 4 or size > MAX_FRAME_SIZE or kind not in (AMQP_FRAME, SASL_FRAME):
            raise AmqpError(FRAMING_ERROR, f"size {size}, data offset {data_offset}, type {kind}")
        if len(self._buffer) - self._start < size:
            return None
        frame = self._take(size)
        if data_offset * 4 == size:
            return Frame(kind, channel, None, b"")
        performative, end = decode_composite(frame, data_offset * 4)
        if performative is None:  # an AMQP null would pass for an empty frame, which is a heartbeat
            raise DecodeError("a frame holds a performative or nothing")
        return Frame(kind, channel, performative, frame[end:])

    def _take(self, size: int) -> bytes:
        self._start += size
        return self._buffer[self._start - size : self._start]


def encode_frame(channel: int, performative: object, payload: bytes = b"", *, kind: int = AMQP_FRAME) -> bytes:
    body = encode_any(performative)
    return _FRAME_HEADER.pack(HEADER_SIZE + len(body) + len(payload), 2, kind, channel) + body + payload
