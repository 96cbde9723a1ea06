"""The timer trigger: what it gives to the function, and the listener that waits for the schedule.

Follows "Timer trigger for Azure Functions". What `useMonitor` keeps in blob storage on the platform (when the timer ran
last, across restarts) lives here as long as the process.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from local.functions_host.messages import TriggerData, TypedData
from local.functions_host.schedule import Occurrence, Schedule, following

_LONGEST_WAIT_S = 30.0  # the wall clock is looked at again: it may be set, and a laptop may sleep


def timer_data(*, past_due: bool = False, last: datetime | None = None, due: datetime | None = None) -> TriggerData:
    """A timer trigger's data; `last` run and next one `due` are what a monitored timer is told."""
    status = {"Last": _text(last), "Next": _text(due), "LastUpdated": _text(last)} if due else None
    content = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": past_due}
    return TriggerData(TypedData(json=json.dumps(content)))


class TimerListener:
    """Invokes at each occurrence of the schedule, one run at a time."""

    def __init__(
        self,
        schedule: Schedule,
        invoke: Callable[[TriggerData], Awaitable[object]],
        *,
        run_on_startup: bool = False,
        monitored: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait: Callable[[asyncio.Event, float], Awaitable[bool]] | None = None,
    ) -> None:
        self._schedule = schedule
        self._invoke = invoke
        self._run_on_startup = run_on_startup
        self._monitored = monitored
        self._clock = clock
        self._wait = wait or _wait
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Until it is stopped, and a run under way has ended."""
        last: datetime | None = None
        now = self._clock()
        occurrence = Occurrence(now if self._run_on_startup else self._schedule.next_after(now))
        while not await self._stopped_before(occurrence.at):
            started = self._clock()
            await self._invoke(self._data(occurrence, last))
            occurrence, last = following(self._schedule, occurrence, self._clock()), started

    def stop(self) -> None:
        self._stopping.set()

    def _data(self, occurrence: Occurrence, last: datetime | None) -> TriggerData:
        due = self._schedule.next_after(occurrence.at) if self._monitored else None
        return timer_data(past_due=occurrence.past_due, last=last, due=due)

    async def _stopped_before(self, instant: datetime) -> bool:
        while (left_s := (instant - self._clock()).total_seconds()) > 0:
            if await self._wait(self._stopping, min(left_s, _LONGEST_WAIT_S)):
                return True
        return self._stopping.is_set()


async def _wait(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            return await event.wait()
    except TimeoutError:
        return False


def _text(instant: datetime | None) -> str:
    # What .NET's default value of an instant looks like: "it has not run yet".
    return instant.isoformat() if instant else "0001-01-01T00:00:00"
