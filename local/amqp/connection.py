"""A connection (AMQP 1.0, part 2.4), as bytes in and bytes out: headers, SASL, open, sessions by channel, close."""

import logging
from collections.abc import Callable
from uuid import uuid4

from local.amqp import sasl
from local.amqp.errors import (
    INTERNAL_ERROR,
    INVALID_FIELD,
    NOT_ALLOWED,
    AmqpError,
    SessionError,
)
from local.amqp.frames import (
    AMQP_HEADER,
    EMPTY_FRAME,
    MAX_FRAME_SIZE,
    SASL_FRAME,
    SASL_HEADER,
    Frame,
    FrameReader,
    encode_frame,
)
from local.amqp.nodes import Container
from local.amqp.performatives import Begin, Close, End, Error, Open
from local.amqp.session import Session

_MIN_MAX_FRAME_SIZE = 512
_CHANNEL_MAX = 255

logger = logging.getLogger(__name__)


class Connection:
    """`on_output` is called when bytes begin to wait in `take_output`; after `closed` no more are read.

    `call_later` is an event loop's; `idle_timeout_s` is how long the peer may be silent, which it is told in the open.
    """

    def __init__(
        self,
        container: Container,
        on_output: Callable[[], None],
        call_later: Callable[[float, Callable[[], None]], object],
        *,
        idle_timeout_s: float,
    ) -> None:
        self.closed = False
        self._call_later = call_later
        self._container = container
        self._on_output = on_output
        self._idle_timeout_ms = round(idle_timeout_s * 1000)
        self._reader = FrameReader()
        self._output: list[bytes] = []
        self._step: Callable[[], bool] = self._read_header
        self._open: Open | None = None
        self._sessions: dict[int, Session] = {}
        self._ended: set[int] = set()  # channels of sessions that were; the SDK still detaches its links there

    def receive(self, chunk: bytes) -> None:
        """Takes bytes from the peer; whatever is wrong with them ends in a close with an error, not in an exception."""
        self._reader.feed(chunk)
        try:
            while not self.closed and self._step():
                pass
        except AmqpError as error:
            logger.warning("a peer broke the protocol: %s", error)
            self.close(error)
        except Exception:  # a peer's nonsense must not end the server that others use
            logger.exception("a frame could not be worked off")
            self.close(AmqpError(INTERNAL_ERROR, "The frame could not be worked off."))

    def take_output(self) -> bytes:
        output = b"".join(self._output)
        self._output.clear()
        return output

    def close(self, error: AmqpError | None = None) -> None:
        if self.closed:
            return
        if self._open:
            self._write(encode_frame(0, Close(Error(error.condition, error.description) if error else None)))
        self.lost()

    def lost(self) -> None:
        """The peer is gone, or about to be."""
        self.closed = True
        for session in self._sessions.values():
            session.forget_links()
        self._sessions.clear()

    def _send_heartbeats(self, interval_s: float) -> None:
        if not self.closed:
            self._write(EMPTY_FRAME)
            self._call_later(interval_s, lambda: self._send_heartbeats(interval_s))

    def _write(self, output: bytes) -> None:
        self._output.append(output)
        if len(self._output) == 1:
            self._on_output()

    def _read_header(self) -> bool:
        header = self._reader.next_header()
        if header is None:
            return False
        if header == SASL_HEADER:
            self._write(SASL_HEADER + encode_frame(0, sasl.OFFER, kind=SASL_FRAME))
            self._step = self._read_sasl
            return True
        self._write(AMQP_HEADER)
        if header != AMQP_HEADER:
            self.lost()
        self._step = self._read_frame
        return True

    def _read_sasl(self) -> bool:
        frame = self._reader.next_frame()
        if frame is None:
            return False
        outcome = sasl.answer(frame.performative)
        self._write(encode_frame(0, outcome, kind=SASL_FRAME))
        if outcome.code:
            self.lost()
        self._step = self._read_header
        return True

    def _read_frame(self) -> bool:
        frame = self._reader.next_frame()
        if frame is None:
            return False
        if frame.performative is not None:
            self._dispatch(frame)
        return True

    def _dispatch(self, frame: Frame) -> None:
        """Every frame of every peer passes here."""
        performative = frame.performative
        if self._open is None:
            self._on_open(performative)
        elif isinstance(performative, Close):
            self.close()
        elif isinstance(performative, Begin):
            self._on_begin(frame.channel, performative)
        else:
            self._to_session(frame)

    def _on_open(self, performative: object) -> None:
        if not isinstance(performative, Open):
            raise AmqpError(NOT_ALLOWED, "expected open")
        self._open = performative
        answer = Open(str(uuid4()), None, MAX_FRAME_SIZE, _CHANNEL_MAX, self._idle_timeout_ms)
        self._write(encode_frame(0, answer))
        if performative.max_frame_size < _MIN_MAX_FRAME_SIZE:
            raise AmqpError(INVALID_FIELD, f"max-frame-size {performative.max_frame_size}")
        if performative.idle_time_out:
            self._send_heartbeats(performative.idle_time_out / 1000 / 2)

    def _on_begin(self, channel: int, begin: Begin) -> None:
        if channel in self._sessions or channel > _CHANNEL_MAX or self._open is None:
            raise AmqpError(NOT_ALLOWED, f"begin on channel {channel}")
        self._ended.discard(channel)
        max_frame_size = min(self._open.max_frame_size, MAX_FRAME_SIZE)
        self._sessions[channel] = Session(channel, begin, self._container, self._write, max_frame_size=max_frame_size)

    def _to_session(self, frame: Frame) -> None:
        session = self._sessions.get(frame.channel)
        if session is None and frame.channel in self._ended:
            return
        if session is None:
            raise AmqpError(NOT_ALLOWED, f"no session on channel {frame.channel}")
        if isinstance(frame.performative, End):
            if not session.ended:
                session.end()
            del self._sessions[frame.channel]
            self._ended.add(frame.channel)
        elif not session.ended:
            try:
                session.receive(frame.performative, frame.payload)
            except SessionError as error:
                session.end(error)
