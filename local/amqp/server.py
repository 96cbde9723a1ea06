"""AMQP over TCP on asyncio: one task a connection, one write for all that a turn of the loop has to say."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

from local.amqp.connection import Connection
from local.amqp.errors import CONNECTION_FORCED, RESOURCE_LIMIT_EXCEEDED, AmqpError
from local.amqp.nodes import Container

_READ_SIZE = 256 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # of SO_LINGER


class Server:
    """`idle_timeout_s` is how long a peer may be silent, which it is told in the open."""

    def __init__(self, container: Container, *, idle_timeout_s: float = 240) -> None:
        self._container = container
        self._idle_timeout_s = idle_timeout_s
        self._connections: dict[Connection, asyncio.StreamWriter] = {}

    @contextlib.asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[int]:
        """Listens on loopback (port 0: a free one) and gives the port; in the end closes every connection as forced."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_READ_SIZE)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for connection in list(self._connections):
                connection.close(AmqpError(CONNECTION_FORCED, "The broker is shutting down."))
            await asyncio.sleep(0)  # the turn in which the closes are written
            server.close_clients()

    def cut(self) -> int:
        """Resets every connection, without a word of AMQP, as a broken network does; how many there were."""
        connections, self._connections = self._connections, {}
        for connection, writer in connections.items():
            connection.lost()
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()
        return len(connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()

        def flush() -> None:
            if not writer.is_closing():
                writer.write(connection.take_output())
            if connection.closed:
                writer.close()

        def flush_soon() -> None:
            loop.call_soon(flush)

        connection = Connection(self._container, flush_soon, loop.call_later, idle_timeout_s=self._idle_timeout_s)
        self._connections[connection] = writer
        try:
            await self._read(connection, reader, writer)
        finally:
            self._connections.pop(connection, None)
            connection.lost()
            flush()

    async def _read(self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not connection.closed:
            try:
                async with asyncio.timeout(self._idle_timeout_s):
                    chunk = await reader.read(_READ_SIZE)
                if not chunk:
                    return
                connection.receive(chunk)
                await writer.drain()  # who does not read is not listened to either
            except TimeoutError:
                connection.close(AmqpError(RESOURCE_LIMIT_EXCEEDED, "The connection was idle for too long."))
            except ConnectionError:
                return
