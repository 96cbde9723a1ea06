"""What a limit of the API would have let through, and what became of the calls that were made. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from local.ledger_calls import Call
from local.partner_center.switches import Bucket, Window

_THROTTLED = 429


@dataclass(frozen=True)
class Use:
    """What was made of a limit in `lasted_s` seconds, from the first call on; `allowed`: what it could have been."""

    passed: int
    refused: int
    allowed: float
    lasted_s: float

    @property
    def used(self) -> float:
        return self.passed / self.allowed

    @property
    def refused_share(self) -> float:
        return self.refused / (self.refused + self.passed)


def allowed(limit: Window | Bucket, elapsed_s: float) -> float:
    """The most calls that can pass within so many seconds after the first one."""
    match limit:
        case Window(calls, per_s):
            # All calls of a window may pass at its very start.
            return calls * (elapsed_s // per_s + 1)
        case Bucket(rate_per_s, burst):
            return burst + rate_per_s * elapsed_s


def shortest_s(limit: Window | Bucket, calls: int) -> float:
    """How long so many calls take at least: when the last of them can pass, after the first one."""
    match limit:
        case Window(per_window, per_s):
            return (calls - 1) // per_window * per_s
        case Bucket(rate_per_s, burst):
            return max(0, calls - burst) / rate_per_s


def use_of(limit: Window | Bucket, calls: Sequence[Call], until_s: float) -> Use:
    """Of the calls that started until then, at least one."""
    counted = [call for call in calls if call.started_s <= until_s]
    refused = sum(call.http == _THROTTLED for call in counted)
    lasted_s = counted[-1].started_s - counted[0].started_s
    return Use(len(counted) - refused, refused, allowed(limit, lasted_s), lasted_s)


def last_result_s(calls: Sequence[Call]) -> float | None:
    """When the last status call that was answered started (seconds since 1970), where one is enough for an upgrade."""
    return max((call.started_s for call in calls if call.kind == "status" and call.is_accepted), default=None)


def let_through(calls: Sequence[Call], *, points: int = 200) -> tuple[tuple[float, float], ...]:
    """A curve: seconds since the first call, and how many calls were not refused by then."""
    passed = [call.started_s for call in calls if call.http != _THROTTLED]
    step = max(1, len(passed) // points)
    curve = [(at_s - calls[0].started_s, float(count)) for count, at_s in enumerate(passed, start=1)]
    return (*curve[::step], curve[-1]) if curve else ()
