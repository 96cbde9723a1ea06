"""The server on a real socket of the loopback."""

import asyncio

from local.amqp.errors import NOT_FOUND, LinkError
from local.amqp.frames import AMQP_HEADER, FrameReader, encode_frame
from local.amqp.nodes import SourceNode, TargetNode
from local.amqp.performatives import Attach, Close, Error, Open
from local.amqp.server import Server


class Container:
    def source(self, address: str, attach: Attach) -> SourceNode:
        raise LinkError(NOT_FOUND, address)

    def target(self, address: str, attach: Attach) -> TargetNode:
        raise LinkError(NOT_FOUND, address)


def _close_error(said: bytes = b"", *, idle_timeout_s: float = 240, stop: bool = False) -> Error:
    """Why the server closes the connection of a peer that opens it and says something, or stays while it stops."""

    async def converse() -> bytes:
        async with Server(Container(), idle_timeout_s=idle_timeout_s).listening(0) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(AMQP_HEADER + encode_frame(0, Open("me")) + said)
            heard = await (reader.readexactly(len(AMQP_HEADER)) if stop else reader.read())
        heard += await reader.read()
        writer.close()
        await writer.wait_closed()
        return heard

    frames = FrameReader()
    frames.feed(asyncio.run(asyncio.wait_for(converse(), 5)).removeprefix(AMQP_HEADER))
    opened, closed = frames.next_frame(), frames.next_frame()
    assert opened
    assert isinstance(opened.performative, Open)
    assert closed
    assert isinstance(closed.performative, Close)
    assert isinstance(closed.performative.error, Error)
    return closed.performative.error


def test_a_silent_peer_is_told_that_it_was_silent_for_too_long() -> None:
    error = _close_error(idle_timeout_s=0.05)

    assert error == Error("amqp:resource-limit-exceeded", "The connection was idle for too long.")


def test_garbage_ends_the_connection_with_an_error() -> None:
    assert _close_error(b"garbage!").condition == "amqp:connection:framing-error"


def test_peers_are_told_when_the_server_stops() -> None:
    assert _close_error(stop=True) == Error("amqp:connection:forced", "The broker is shutting down.")
