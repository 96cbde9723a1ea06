"""Runs the functions' own `main` as invocations, and writes what they log as the local functions host does."""

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path

from azure_functions_runtime_v1 import invocation_id_cv

from local.component import REPOSITORY
from local.functions_host.app import read_host_options
from local.functions_host.logs import AppLogHandler, HostLog, LogLevels
from shared.clock import Clock

FUNCTIONS = ("CreateUpgrade", "PollUpgrade")


class Invocations:
    """`invoke` runs something as one invocation of a function; its lines become rows of AppTraces."""

    def __init__(self, logs: dict[str, HostLog]) -> None:
        self.running: dict[str, set[str]] = {function: set() for function in logs}
        self._logs = logs

    def invoke(self, function: str, run: Callable[[], None]) -> bool:
        """False: it failed."""
        invocation_id = str(uuid.uuid4())
        context = copy_context()
        context.run(invocation_id_cv.set, invocation_id)
        self.running[function].add(invocation_id)
        try:
            context.run(run)
            outcome, level = "Succeeded", "Information"
        except Exception:  # noqa: BLE001  as the platform does
            outcome, level = "Failed", "Error"
        self.running[function].remove(invocation_id)
        message = f"Executed 'Functions.{function}' ({outcome}, Id={invocation_id}, Duration=1ms)"
        self._logs[function].write(level, f"Function.{function}", message, invocation_id)
        return outcome == "Succeeded"


@contextmanager
def invocations(lines: Path, clock: Clock) -> Iterator[Invocations]:
    """Rows go to the file `lines`, one JSON object each."""
    levels = LogLevels(read_host_options(REPOSITORY).log_levels)
    logger = logging.getLogger("upgrades")
    with lines.open("w") as stream:
        logs = {function: HostLog(stream, levels, function, clock.now) for function in FUNCTIONS}
        invoked = Invocations(logs)
        handlers = [AppLogHandler(logs[function], function, invoked.running[function]) for function in FUNCTIONS]
        logger.setLevel(logging.INFO)  # the worker's root logger is
        for handler in handlers:
            logger.addHandler(handler)
        try:
            yield invoked
        finally:
            logger.setLevel(logging.NOTSET)
            for handler in handlers:
                logger.removeHandler(handler)
