"""`python -m local.functions_host --app FOLDER --function NAME`: one function of an app, until it is told to stop.

After the ready line, standard output carries log lines, one JSON object each; what the app itself prints goes to
standard error. SIGTERM, SIGINT or the end of standard input drain: nothing new is received, what runs may end and is
settled.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import TextIO

from local.component import announce, call_when_told_to_stop
from local.functions_host.app import AppError, Function, HostOptions, read_function, read_host_options
from local.functions_host.invocations import Invocations
from local.functions_host.listeners import Listener, NoListener, listener_for
from local.functions_host.logs import AppLogHandler, HostLog, LogLevels
from local.functions_host.settings import MissingSettingError, app_settings
from local.functions_host.worker import Worker


def main() -> None:
    # The Azure SDKs add it to their User-Agent: so the local cloud can say which process asked, and kill that one.
    os.environ.setdefault("AZURE_HTTP_USER_AGENT", f"pid/{os.getpid()}")
    arguments = _parse_arguments()
    settings = app_settings(os.environ, arguments.settings)
    os.environ.update(settings)
    lines = _private_standard_output()
    app = arguments.app.resolve()
    options = read_host_options(app)
    log = HostLog(lines, LogLevels(options.log_levels), arguments.function)
    os.chdir(app)  # as on the platform
    host = _Host(arguments.function, app, options, log)
    asyncio.run(host.run(lines, settings, drain_s=arguments.drain_s))
    _end(0)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.functions_host", description=__doc__)
    parser.add_argument("--app", type=Path, required=True, help="folder that holds host.json")
    parser.add_argument("--function", required=True, help="name of the function's folder")
    parser.add_argument("--settings", type=Path, help="a local.settings.json; the environment wins")
    parser.add_argument("--drain-s", type=float, default=30, help="how long running invocations may take to end")
    return parser.parse_args()


def _private_standard_output() -> TextIO:
    """Keeps standard output for our lines; whatever else writes to it from now on writes to standard error."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return lines


def _end(code: int) -> None:
    """Ends at once: threads of the app do not keep a host alive."""
    sys.stderr.flush()
    os._exit(code)


class _Host:
    """One function with its worker and its listener."""

    def __init__(self, name: str, app: Path, options: HostOptions, log: HostLog) -> None:
        self._name = name
        self._app = app
        self._options = options
        self._log = log
        self._problems: list[str] = []  # of the start; the ready line comes first
        self._worker = Worker(app)
        self._invocations = Invocations(
            self._worker, name, log, timeout_s=options.function_timeout_s, give_up=lambda: _end(1)
        )

    async def run(self, lines: TextIO, settings: dict[str, str], *, drain_s: float) -> None:
        told = _told_to_stop()
        self._collect_logs()
        listener = await self._listener(settings)
        with contextlib.redirect_stdout(lines):
            announce(function=self._name, listening=not isinstance(listener, NoListener), pid=os.getpid())
        for problem in self._problems:
            self._log.write("Error", "Host.Startup", problem)
        serving = asyncio.create_task(listener.run())
        await _first_failure_or(told, serving)
        listener.stop()
        await self._drain(serving, drain_s)

    def _collect_logs(self) -> None:
        root = logging.getLogger()
        root.setLevel(logging.INFO)
        root.addHandler(AppLogHandler(self._log, self._name, self._invocations.running))
        # Of the host's own event loop: they belong to no invocation, and must not vanish.
        loop_logger = logging.getLogger("asyncio")
        loop_logger.addHandler(logging.StreamHandler())
        loop_logger.propagate = False

    async def _listener(self, settings: dict[str, str]) -> Listener:
        try:
            function = read_function(self._app, self._name)
            await self._load(function)
            invoke = self._invocations.invoke
            return listener_for(function.trigger, settings, invoke, options=self._options, log=self._log)
        except (AppError, MissingSettingError, ValueError) as error:
            self._problems.append(f"The '{self._name}' function is in error: {error}")
            return NoListener()

    async def _load(self, function: Function) -> None:
        if error := await self._worker.load(function.name):
            self._problems.append(
                f"Function '{function.name}' failed to load: {error.message}\nStack: {error.stack_trace}"
            )

    async def _drain(self, serving: "asyncio.Task[None]", drain_s: float) -> None:
        _, unfinished = await asyncio.wait([serving], timeout=drain_s)
        if unfinished:
            left = len(self._invocations.running)
            self._log.write("Warning", "Host.Startup", f"Stopped with {left} invocations under way")
            _end(0)
        serving.result()


def _told_to_stop() -> "asyncio.Task[bool]":
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(told.set)

    call_when_told_to_stop(tell)
    return loop.create_task(told.wait())


async def _first_failure_or(told: "asyncio.Task[bool]", serving: "asyncio.Task[None]") -> None:
    """Waits for the word to stop; a listener that fails ends the host."""
    await asyncio.wait([told, serving], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
        await told


if __name__ == "__main__":
    main()
