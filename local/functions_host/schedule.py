"""When a timer is due: pure, each instant is passed in (aware UTC).

Follows "Timer trigger for Azure Functions: NCRONTAB expressions" and its TimeSpan form.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from croniter import croniter

from local.functions_host.app import parse_time_span


class Schedule(Protocol):
    def next_after(self, instant: datetime) -> datetime: ...


@dataclass(frozen=True)
class Cron:
    """NCRONTAB: seconds first; five fields start with minutes."""

    expression: str

    def next_after(self, instant: datetime) -> datetime:
        # NCRONTAB wants the day of the month *and* the day of the week to match; plain cron wants either.
        times = croniter(self.expression, instant, second_at_beginning=True, day_or=False)
        following: datetime = times.get_next(datetime)
        return following


@dataclass(frozen=True)
class Interval:
    period: timedelta

    def next_after(self, instant: datetime) -> datetime:
        return instant + self.period


@dataclass(frozen=True)
class Occurrence:
    """One run: when it is due, and whether it makes up for a time that was missed."""

    at: datetime
    past_due: bool = False


def parse_schedule(text: str) -> Schedule:
    """Raises: ValueError."""
    if ":" in text:
        period = timedelta(seconds=parse_time_span(text))
        if not period:
            raise ValueError(f"{text!r} is no interval")
        return Interval(period)
    if len(text.split()) not in (5, 6) or not croniter.is_valid(text, second_at_beginning=True):
        raise ValueError(f"{text!r} is no schedule (six fields of NCRONTAB, or hh:mm:ss)")
    return Cron(text)


def following(schedule: Schedule, ran: Occurrence, now: datetime) -> Occurrence:
    """The run after one that has just ended: where it took longer than the interval, one catch-up at once."""
    at = schedule.next_after(ran.at)
    return Occurrence(now, past_due=True) if at < now else Occurrence(at)
