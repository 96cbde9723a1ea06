"""Which log lines leave the worker, and how they are written: one JSON object a line, a row of AppTraces.

As on the platform ("How to configure monitoring for Azure Functions", "Python developer guide: logging"): a line of the
app counts only while the invocation runs that it belongs to, and host.json's `logLevel` filters by category.
"""

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime
from typing import TextIO

from azure_functions_runtime_v1 import invocation_id_cv
from azure_functions_runtime_v1.bindings.context import _invocation_id_local

from local.functions_host.traces import Host, Invocation, trace

_SEVERITIES = ("Trace", "Debug", "Information", "Warning", "Error", "Critical", "None")
_OF_THE_WORKER = ("azure_functions_worker", "azure_functions_runtime", "azure.functions")


class LogLevels:
    """host.json, `logging.logLevel`: the longest name that the category starts with decides."""

    def __init__(self, levels: Mapping[str, str]) -> None:
        self._default = _severity(levels.get("default", "Information"))
        prefixes = {name.lower(): _severity(level) for name, level in levels.items() if name != "default"}
        self._prefixes = sorted(prefixes.items(), key=lambda item: -len(item[0]))

    def allow(self, category: str, level: str) -> bool:
        name = category.lower()
        least = next((least for prefix, least in self._prefixes if name.startswith(prefix)), self._default)
        return _severity(level) >= least


class HostLog:
    """Where the host and the function write to; for any thread."""

    def __init__(
        self, stream: TextIO, levels: LogLevels, function: str, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._stream = stream
        self._levels = levels
        self._function = function
        self._clock = clock or (lambda: datetime.now(UTC))
        self._host = Host()
        self._lock = threading.Lock()

    def write(self, level: str, category: str, message: str, invocation_id: str | None = None) -> None:
        if not message or not self._levels.allow(category, level):
            return
        invocation = Invocation(self._function, invocation_id) if invocation_id else None
        row = trace(self._host, self._clock(), invocation, level=level, category=category, message=message)
        text = json.dumps(row, ensure_ascii=False)
        # Nobody reads any more: then standard input ends as well, and that ends the host.
        with self._lock, contextlib.suppress(OSError):
            self._stream.write(text + "\n")
            self._stream.flush()


class AppLogHandler(logging.Handler):
    """Forwards the lines of the invocations that are in `running`; every other line is dropped without a word."""

    def __init__(self, log: HostLog, function: str, running: Container[str]) -> None:
        super().__init__()
        self._log = log
        self._category = f"Function.{function}.User"
        self._running = running

    def emit(self, record: logging.LogRecord) -> None:
        invocation_id = _current_invocation_id()
        if invocation_id in self._running and not record.name.startswith(_OF_THE_WORKER):
            self._log.write(_level_name(record.levelno), self._category, self.format(record), invocation_id)


def _current_invocation_id() -> str | None:
    """The worker sets both in the thread of its pool; an app may copy the context, or set the second in its own thread.

    In a thread that runs an event loop only the context tells: the library leaves an old invocation's id in the other.
    """
    return invocation_id_cv.get() or (
        None if _in_event_loop() else getattr(_invocation_id_local, "invocation_id", None)
    )


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _severity(level: str) -> int:
    return _SEVERITIES.index(level.capitalize())


def _level_name(level: int) -> str:
    if level >= logging.CRITICAL:
        return "Critical"
    if level >= logging.ERROR:
        return "Error"
    if level >= logging.WARNING:
        return "Warning"
    return "Information" if level >= logging.INFO else "Debug"
