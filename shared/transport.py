"""HTTP with a total deadline: whatever a server does, a call ends in time.

The timeouts of requests and urllib3 count from byte to byte: a server that drips holds a caller for ever. Here every
connection attempt and every read of a socket gets at most what is left of the deadline that its caller has set. The
same session serves Partner Center, MSAL and the Azure SDKs, so that one mechanism bounds them all. Only the resolution
of names is not bounded: the operating system's own limits hold there.
"""

import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from azure.core.exceptions import ServiceResponseTimeoutError
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.poolmanager import PoolManager

_CHUNK = 65536


@dataclass
class _Call:
    """What the connection must know of the call that uses it, and tells it."""

    ends: float  # time.monotonic()
    on_used_connection: bool = False  # the connection has carried an answer before


_current: ContextVar[_Call | None] = ContextVar("call", default=None)


@contextmanager
def total_deadline(timeout_s: float) -> Iterator[None]:
    """Everything sent in this block, by this thread, ends within `timeout_s` seconds; an outer deadline still holds."""
    outer = _current.get()
    ends = time.monotonic() + timeout_s
    token = _current.set(_Call(min(ends, outer.ends) if outer else ends))
    try:
        yield
    finally:
        _current.reset(token)


def _left_s(timeout_s: float | None) -> float:
    """What a single wait may take. Raises TimeoutError where nothing is left."""
    call = _current.get()
    if call is None:
        return timeout_s if timeout_s is not None else 60.0
    left_s = call.ends - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the call's total deadline has passed")
    return left_s if timeout_s is None else min(left_s, timeout_s)


class _DeadlineReader(io.RawIOBase):
    """Reads a socket, waiting never longer than the deadline of the reading thread's call."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._timeout_s = sock.gettimeout()
        # makefile keeps the socket open until this reader is closed, also when the connection closes it before.
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left_s(self._timeout_s))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_DeadlineReader(sock))


class _DeadlineConnection(HTTPConnection):
    """Mixed into both kinds of connection. `answers`: how many it has carried."""

    response_class = _DeadlineResponse
    answers = 0

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        timeout_s = self.timeout if isinstance(self.timeout, int | float) else None
        try:
            *others, last = self._addresses()
            for address in others:
                with suppress(ConnectTimeoutError, NewConnectionError):
                    return self._connect_to(address, timeout_s)
            return self._connect_to(last, timeout_s)
        finally:
            self._dns_host = name

    def _addresses(self) -> list[str]:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self._dns_host, self, error) from error
        return [str(address[0]) for *_, address in found]

    def _connect_to(self, address: str, timeout_s: float | None) -> socket.socket:
        """One by one: urllib3 would give every address of the host all of the time that is left."""
        self._dns_host, self.timeout = address, _left_s(timeout_s)
        sock = super()._new_conn()
        sock.settimeout(_left_s(timeout_s))  # for the handshake
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        if call := _current.get():
            call.on_used_connection = self.answers > 0
        super().request(*args, **kwargs)

    def getresponse(self) -> Any:
        answer = super().getresponse()
        self.answers += 1
        return answer


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _DeadlineConnection


class _TlsConnection(_DeadlineConnection, HTTPSConnection):
    pass


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _DeadlineAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        pools: PoolManager = self.poolmanager
        pools.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: even where no redirect is to be followed, requests reads its body whole and parses its Location."""


def new_session(*, connections: int, ca_file: str | None = None) -> requests.Session:
    """One pooled session for a whole process and all of its threads.

    `connections` are kept per host. `ca_file`: a PEM file to trust instead of the public authorities. The environment
    is not read: a .netrc would replace the Authorization header. Cookies are not kept.
    """
    session = _Session()
    session.trust_env = False
    session.verify = ca_file or True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _DeadlineAdapter(pool_connections=8, pool_maxsize=connections)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class AnswerTooLarge(requests.RequestException):
    """The body is longer than the caller takes."""


@dataclass(frozen=True)
class Timeouts:
    """Of one call, in seconds: one connection attempt, one wait for bytes, everything together."""

    connect_s: float
    read_s: float
    total_s: float


def _nothing() -> None:
    pass


def send(
    session: requests.Session,
    method: str,
    url: str,
    *,
    timeouts: Timeouts,
    max_bytes: int,
    on_resend: Callable[[], None] = _nothing,
    **kwargs: Any,
) -> requests.Response:
    """One call; no redirect is followed, and the body is read whole.

    A connection that was kept alive and turns out dead before any answer is replaced and the call sent once more: the
    caller's headers, so also its MS-RequestId, stay the same. `on_resend` is called then: the server may see it twice.

    Raises:
        requests.RequestException: no whole answer in time.
    """
    kwargs |= {"timeout": (timeouts.connect_s, timeouts.read_s), "stream": True, "allow_redirects": False}
    with total_deadline(timeouts.total_s), _open(session, method, url, on_resend, **kwargs) as response:
        # Pieces, not one buffer that grows: the C library keeps what a large one took, once for each thread.
        pieces, size = [], 0
        for piece in response.iter_content(_CHUNK):
            pieces.append(piece)
            size += len(piece)
            if size > max_bytes:
                raise AnswerTooLarge(f"more than {max_bytes} bytes")
        response._content = b"".join(pieces)  # what `response.content` answers with; requests offers no other way
        return response


def _open(
    session: requests.Session, method: str, url: str, on_resend: Callable[[], None], **kwargs: Any
) -> requests.Response:
    try:
        return session.request(method, url, **kwargs)
    except requests.ConnectionError as error:
        call = _current.get()
        if isinstance(error, requests.Timeout) or call is None or not call.on_used_connection:
            raise
        on_resend()
        return session.request(method, url, **kwargs)


class DeadlineTransport(RequestsTransport):  # type: ignore[misc]  # exported lazily, so Any to a type checker
    """For the Azure SDKs: their own retries, too, do not sleep past the deadline."""

    def __init__(self, session: requests.Session) -> None:
        super().__init__(session=session, session_owner=False, connection_verify=session.verify)

    def sleep(self, duration: float) -> None:
        call = _current.get()
        if call and time.monotonic() + duration >= call.ends:
            raise ServiceResponseTimeoutError("the call's total deadline would pass before the next try")
        super().sleep(duration)
