"""What a service answers that refuses, or is not as it should be."""

from tests.unit.raw_server import Peer, Script


def answering(head: str, body: str = '{"code": 1}') -> Script:
    """A server that says this to every call."""
    answer = f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"

    def script(peer: Peer) -> None:
        peer.answer(answer.encode())

    return script


def forbidden(code: str, **which: object) -> dict[str, object]:
    """A part's fault. `which`: of which calls."""
    return {"name": "forbidden", "do": "answer", "status": 403, "code": code, **which}
