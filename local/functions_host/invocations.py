"""The one place that every invocation passes: its id, its time limit, and the line that says how it ended."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from local.functions_host.logs import HostLog
from local.functions_host.messages import TriggerData
from local.functions_host.worker import InvocationResult, Worker


class Invocations:
    """Invokes one function of a worker. `running` holds the ids of the invocations under way."""

    def __init__(
        self, worker: Worker, function: str, log: HostLog, *, timeout_s: float | None, give_up: Callable[[], None]
    ) -> None:
        self.running: set[str] = set()
        self._worker = worker
        self._function = function
        self._log = log
        self._timeout_s = timeout_s
        self._give_up = give_up

    async def invoke(self, trigger: TriggerData) -> InvocationResult:
        invocation_id = str(uuid.uuid4())
        started_s = time.monotonic()
        self.running.add(invocation_id)
        try:
            with self._limited(invocation_id):
                result = await self._worker.invoke(self._function, trigger, invocation_id)
        finally:
            self.running.discard(invocation_id)
        self._report(result, round((time.monotonic() - started_s) * 1000))
        return result

    @contextmanager
    def _limited(self, invocation_id: str) -> Iterator[None]:
        if self._timeout_s is None:
            yield
            return
        timer = asyncio.get_running_loop().call_later(self._timeout_s, self._time_out, invocation_id)
        try:
            yield
        finally:
            timer.cancel()

    def _time_out(self, invocation_id: str) -> None:
        message = f"Timeout value of {self._timeout_s} s exceeded by 'Functions.{self._function}' (Id={invocation_id})"
        self._log.write("Error", f"Function.{self._function}", message, invocation_id)
        # A thread cannot be ended from outside: the platform ends the worker process, and starts another.
        self._give_up()

    def _report(self, result: InvocationResult, duration_ms: int) -> None:
        outcome = "Succeeded" if result.succeeded else "Failed"
        message = (
            f"Executed 'Functions.{self._function}' ({outcome}, Id={result.invocation_id}, Duration={duration_ms}ms)"
        )
        if result.error:
            message += f"\nResult: Failure\nException: {result.error.message}\nStack: {result.error.stack_trace}"
        level = "Information" if result.succeeded else "Error"
        self._log.write(level, f"Function.{self._function}", message, result.invocation_id)
