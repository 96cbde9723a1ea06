"""The browser's part of a sign-in: a loopback address that the answer comes to, or an address that a person pastes.

Source: RFC 8252, "OAuth 2.0 for Native Apps", 7.3 and 8.3.
"""

import queue
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from upgradectl.errors import CommandError

_PAGE = (
    b"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>upgradectl</title>"
    b"<p>You may close this page: the sign-in goes on in the terminal.</p>"
)
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'",
    "Cache-Control": "no-store",
}
_MAX_BYTES = 65536
type Answer = Mapping[str, str]


def is_there_a_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


class LoopbackBrowser:
    """Opens the machine's browser, and listens on 127.0.0.1 until the sign-in's answer has come. A context manager."""

    response_mode = "form_post"  # so that no code gets into the browser's history

    def __init__(self, *, port: int = 0, timeout_s: float, note: Callable[[str], None]) -> None:
        """`note`: tells the person."""
        self._note = note
        self._timeout_s = timeout_s
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        try:
            self._server = _Loopback(port, self._answers)
        except OSError as error:
            raise CommandError(f"port {port} cannot be used: {error.strerror}", "choose another --port") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def redirect_uri(self) -> str:
        return f"http://localhost:{self._server.server_port}"

    def __call__(self, url: str, state: str) -> Answer:
        """The answer of the sign-in that begins at `url`.

        Raises:
            CommandError: none came.
        """
        self._server.state = state
        self._note(f"Sign in, with MFA, in the browser. If none opens, open this in one of this machine:\n\n{url}\n")
        # In a thread: some browsers return only when they are closed.
        threading.Thread(target=_open, args=(url,), daemon=True).start()
        try:
            return self._answers.get(timeout=self._timeout_s)
        except queue.Empty:
            remedy = "run it again; with --no-browser where the browser is on another machine"
            raise CommandError(f"nobody signed in within {self._timeout_s / 60:g} minutes", remedy) from None


class PastedAnswer:
    """A person carries the addresses between terminal and browser: for a machine without one."""

    redirect_uri = "http://localhost"
    response_mode = "query"  # the address is all that there is to carry

    def __init__(self, *, read_line: Callable[[str], str], note: Callable[[str], None]) -> None:
        self._read_line = read_line
        self._note = note

    def __call__(self, url: str, state: str) -> Answer:
        """As `LoopbackBrowser`."""
        self._note(
            f"Sign in, with MFA, in a browser of any machine:\n\n{url}\n\nIt ends at a page on localhost that cannot be"
            " shown. Copy that page's address from the address bar."
        )
        try:
            pasted = self._read_line("Address: ").strip()
        except EOFError:
            pasted = ""
        answer = dict(parse_qsl(urlsplit(pasted).query))
        if not _is_answer(answer):
            raise CommandError(
                "that is not the address after a sign-in", "it begins with http://localhost and has a code"
            )
        if answer["state"] != state:
            raise CommandError("that is the address of another sign-in", "run it again, and use the one that it shows")
        return answer


class _Loopback(ThreadingHTTPServer):
    """Answers the one request that belongs to the sign-in; whatever else a browser asks for is not there."""

    daemon_threads = True
    state = ""

    def __init__(self, port: int, answers: "queue.SimpleQueue[Answer]") -> None:
        self.answers = answers
        super().__init__(("127.0.0.1", port), _Page)


class _Page(BaseHTTPRequestHandler):
    timeout = 10  # browsers open connections that they do not use
    server: _Loopback

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0")) if self.path == "/" else 0
        answer = dict(parse_qsl(self.rfile.read(min(length, _MAX_BYTES)).decode("ascii", "replace")))
        if answer.get("state") != self.server.state or not _is_answer(answer):
            self.send_error(404)
            return
        self.send_response(200)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(_PAGE)
        self.server.answers.put(answer)

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *args: object) -> None:
        """Nothing: the terminal is for the person."""


def _open(url: str) -> None:
    with suppress(OSError, webbrowser.Error):  # its address was shown, too
        webbrowser.open(url)


def _is_answer(answer: Answer) -> bool:
    return "state" in answer and ("code" in answer or "error" in answer)
