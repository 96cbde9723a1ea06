"""An https reverse proxy in front of Table Storage, to break it and to record its writes (RFC 9110, 7.6).

What passes through is unchanged, but for hop-by-hop headers. `GET /_fake/writes?since=N` answers the writes after the
first N that the storage answered with success, also where that answer was then lost by a fault on its way back.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from local.faults import Faults
from local.http import Request, Response, Server, json_response, reset
from local.table_writes import TableWrites
from local.tls import ensure

WRITES_PATH = "/_fake/writes"
CONNECTIONS = 64
TIMEOUT = urllib3.Timeout(connect=5, read=60)
_HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
}
_ADDED_BY_URLLIB3 = ("User-Agent", "Accept-Encoding")


class StorageFront:
    """Passes requests on to `target`, whose certificate the authority `ca` has signed."""

    def __init__(self, target: str, ca: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._pool = urllib3.connection_from_url(
            target, maxsize=CONNECTIONS, timeout=TIMEOUT, retries=False, cert_reqs="CERT_REQUIRED", ca_certs=str(ca)
        )
        self._clock = clock
        self._writes = TableWrites()

    def answer(self, request: Request) -> Response | None:
        if request.path == WRITES_PATH:
            return self._written(request.query.get("since", "0"))
        sent_s = self._clock()
        try:
            response = self._forward(request)
        except urllib3.exceptions.HTTPError:
            reset(request.connection)  # whatever it is, clients see it as they would without a proxy: no answer
            return None
        if 200 <= response.status < 300:
            self._writes.add(request, sent_s=sent_s, answered_s=self._clock())
        return response

    def _forward(self, request: Request) -> Response:
        headers = urllib3.HTTPHeaderDict(_end_to_end(request.headers.items()))
        for name in _ADDED_BY_URLLIB3:
            headers.setdefault(name, urllib3.util.SKIP_HEADER)
        answer = self._pool.urlopen(
            request.method,
            request.target,
            request.body or None,
            headers,
            assert_same_host=False,
            redirect=False,
            decode_content=False,
        )
        return Response(answer.status, answer.data, dict(_end_to_end(answer.headers.itermerged())))

    def _written(self, since: str) -> Response:
        if not since.isdecimal():
            return json_response(400, {"error": "since is a number of writes."})
        return json_response(200, self._writes.since(int(since)))


def _end_to_end(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that are meant for the other end; Connection names more that are not."""
    headers = list(headers)
    named = ",".join(value for name, value in headers if name.lower() == "connection")
    dropped = _HOP_BY_HOP | {name.strip().lower() for name in named.split(",")}
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.storage_front", description="A proxy before Table Storage.")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--tls", type=Path, required=True, metavar="FOLDER", help="the certificates; made if missing")
    parser.add_argument("--target", required=True, metavar="URL", help="the storage; its path becomes that of our URL")
    arguments = parser.parse_args()
    tls = ensure(arguments.tls)
    front = StorageFront(arguments.target, tls.ca)
    server = Server(Faults(front.answer), port=arguments.port, tls=tls)
    server.run(url=server.url + urlsplit(arguments.target).path, control_url=server.url)


if __name__ == "__main__":
    main()
