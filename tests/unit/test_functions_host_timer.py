import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.functions_host.messages import TriggerData
from local.functions_host.schedule import Occurrence, Schedule, following, parse_schedule
from local.functions_host.timer import TimerListener, timer_data

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("text", "next_one"),
    [
        ("0 * * * * *", NOON + timedelta(minutes=1)),
        ("*/5 * * * * *", NOON + timedelta(seconds=5)),
        ("30 15 13 * * *", NOON.replace(hour=13, minute=15, second=30)),
        ("* * * * *", NOON + timedelta(minutes=1)),
        ("00:00:10", NOON + timedelta(seconds=10)),
        ("00:00:00.5", NOON + timedelta(milliseconds=500)),
    ],
)
def test_a_schedule_tells_its_next_time(text: str, next_one: datetime) -> None:
    assert parse_schedule(text).next_after(NOON) == next_one


def test_day_of_month_and_day_of_week_must_both_match() -> None:
    monday_the_13th = parse_schedule("0 0 0 13 * MON").next_after(NOON)

    assert (monday_the_13th.day, monday_the_13th.strftime("%a")) == (13, "Mon")


@pytest.mark.parametrize("text", ["", "often", "0 * * *", "61 * * * * *", "0 0 * * * * *", "00:00:00", "1:2"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no schedule|no interval|no time span"):
        parse_schedule(text)


@pytest.mark.parametrize("text", ["0 * * * * *", "00:01:00"])
def test_a_short_run_is_followed_by_the_next_time(text: str) -> None:
    after = following(parse_schedule(text), Occurrence(NOON), NOON + timedelta(seconds=3))

    assert after == Occurrence(NOON + timedelta(minutes=1))


@pytest.mark.parametrize("text", ["0 * * * * *", "00:01:00"])
def test_a_run_of_several_intervals_is_followed_by_one_catch_up(text: str) -> None:
    schedule, end = parse_schedule(text), NOON + timedelta(minutes=3, seconds=20)

    catch_up = following(schedule, Occurrence(NOON), end)
    after = following(schedule, catch_up, end + timedelta(seconds=1))

    assert catch_up == Occurrence(end, past_due=True)
    assert not after.past_due
    assert after.at > end + timedelta(seconds=1)


def test_runs_never_overlap_and_a_missed_time_is_caught_up_once() -> None:
    world = _World(durations_s=[0, 25, 0, 0])

    world.run(parse_schedule("00:00:10"), runs=4)

    assert world.started_s == [10, 20, 45, 55]
    assert [content["IsPastDue"] for content in world.contents] == [False, False, True, False]


def test_a_timer_may_run_at_start_up() -> None:
    world = _World(durations_s=[0, 0])

    world.run(parse_schedule("00:00:10"), runs=2, run_on_startup=True)

    assert world.started_s == [0, 10]


def test_a_monitored_timer_is_told_its_last_and_its_next_run() -> None:
    world = _World(durations_s=[0, 0])

    world.run(parse_schedule("00:00:10"), runs=2, monitored=True)

    assert world.contents[0]["ScheduleStatus"]["Last"].startswith("0001-")
    assert world.contents[1]["ScheduleStatus"] == {
        "Last": "2026-03-02T12:00:10+00:00",
        "Next": "2026-03-02T12:00:30+00:00",
        "LastUpdated": "2026-03-02T12:00:10+00:00",
    }


def test_a_timer_stops_while_it_waits() -> None:
    async def scenario() -> None:
        listener = TimerListener(parse_schedule("01:00:00"), _never)
        serving = asyncio.create_task(listener.run())
        await asyncio.sleep(0)
        listener.stop()
        await asyncio.wait_for(serving, 5)

    asyncio.run(scenario())


def test_timer_data_is_json_with_the_platforms_names() -> None:
    value = timer_data(past_due=True).value

    assert value.WhichOneof("data") == "json"
    assert json.loads(value.json)["IsPastDue"] is True  # type: ignore[attr-defined]  # named at run time


class _World:
    """A clock that only waiting and running move."""

    def __init__(self, durations_s: list[float]) -> None:
        self.now = NOON
        self.started_s: list[float] = []
        self.contents: list[dict[str, Any]] = []
        self._durations_s = durations_s

    def run(self, schedule: Schedule, *, runs: int, run_on_startup: bool = False, monitored: bool = False) -> None:
        listener = TimerListener(
            schedule,
            self._invoke(lambda: listener.stop() if len(self.started_s) == runs else None),
            run_on_startup=run_on_startup,
            monitored=monitored,
            clock=lambda: self.now,
            wait=self._wait,
        )
        asyncio.run(listener.run())

    def _invoke(self, then: Callable[[], None]) -> Callable[[TriggerData], Awaitable[object]]:
        async def invoke(trigger: TriggerData) -> None:
            self.started_s.append((self.now - NOON).total_seconds())
            self.contents.append(json.loads(trigger.value.json))  # type: ignore[attr-defined]  # named at run time
            self.now += timedelta(seconds=self._durations_s[len(self.started_s) - 1])
            then()

        return invoke

    async def _wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        if not event.is_set():
            self.now += timedelta(seconds=timeout_s)
        return event.is_set()


async def _never(_: TriggerData) -> None:
    raise AssertionError("it is not due")
