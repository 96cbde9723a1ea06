"""One call to a raw server, the two scripts that most tests of a call need, and a name that is resolved as they say."""

import socket
from typing import Any

import pytest
import requests

from shared.transport import Timeouts, send
from tests.unit.raw_server import Peer, Script

MAX_BYTES = 100_000
TIMEOUTS = Timeouts(connect_s=5, read_s=5, total_s=5)


def post(session: requests.Session, url: str, timeouts: Timeouts = TIMEOUTS, **kwargs: Any) -> requests.Response:
    options: dict[str, Any] = {"json": {"a": 1}, "headers": {"MS-RequestId": "m1"}} | kwargs
    return send(session, "POST", url, timeouts=timeouts, max_bytes=MAX_BYTES, **options)


def answer_with(content: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.answer(content)
        peer.wait_until_gone()

    return script


def silent(peer: Peer) -> None:
    peer.wait_until_gone()


def resolving_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Gives the name `name.invalid` these addresses."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        hosts = addresses if host == "name.invalid" else [host]
        return [found for each in hosts for found in resolve(each, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
