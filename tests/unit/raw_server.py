"""A server that says exactly what a test wants, byte by byte, and remembers what it was sent."""

import contextlib
import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One client's connection."""

    def __init__(self, connection: socket.socket, server: "RawServer") -> None:
        self.connection = connection
        self._server = server
        self._input = connection.makefile("rb")

    def read_request(self) -> None:
        """Reads one whole request, which is then among the server's `requests`."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self._input.readline()
            if not line:
                raise ConnectionError("the client is gone")
            head += line
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
        self._server.requests.append(head + self._input.read(length))

    def send(self, content: bytes) -> None:
        self.connection.sendall(content)

    def answer(self, content: bytes = OK) -> None:
        self.read_request()
        self.send(content)

    def drip(self, content: bytes) -> None:
        """Sends it now and then, until the client is gone."""
        while not self.wait(0.02):
            self.send(content)

    def wait(self, duration_s: float) -> bool:
        """Whether the server was stopped meanwhile."""
        return self._server.stopped.wait(duration_s)

    def wait_until_gone(self) -> None:
        with contextlib.suppress(OSError):
            while self.connection.recv(65536):
                pass

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self._input.close()
        self.connection.close()


type Script = Callable[[Peer], None]


class RawServer:
    """Plays one script per connection, in the order in which they come; the last one again for all others."""

    def __init__(self, *scripts: Script) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopped = threading.Event()
        self.failures: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                script = self._scripts[min(self.connections, len(self._scripts) - 1)]
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._play, args=(script, connection))
                self._threads.append(thread)
                thread.start()

    def _play(self, script: Script, connection: socket.socket) -> None:
        peer = Peer(connection, self)
        try:
            with contextlib.suppress(OSError):  # a client that goes away
                script(peer)
        except BaseException as error:  # noqa: BLE001  the test looks at it
            self.failures.put(error)
        finally:
            with contextlib.suppress(OSError):
                peer.close()


@contextlib.contextmanager
def raw_server(*scripts: Script) -> Iterator[RawServer]:
    server = RawServer(*scripts)
    try:
        yield server
    finally:
        server.stop()
    assert server.failures.empty(), server.failures.get()
