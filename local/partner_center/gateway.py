"""What stands before the service: outages, and limits that count every call ("API throttling guidance")."""

import math
from collections.abc import Callable
from dataclasses import replace

from local.partner_center.replies import CUT, Reply, error_reply, html_reply, throttled
from local.partner_center.switches import Bucket, Outage, SwitchBoard, Window

type Limit = Window | Bucket


class WindowLimiter:
    def __init__(self, limit: Window) -> None:
        self._limit = limit
        self._began_s = -math.inf
        self._calls = 0

    def wait_s(self, now_s: float) -> float:
        """Counts a call; returns 0 where it may pass, else how long until calls pass again."""
        if now_s - self._began_s >= self._limit.per_s:
            self._began_s, self._calls = now_s, 0
        self._calls += 1
        return self._began_s + self._limit.per_s - now_s if self._calls > self._limit.calls else 0


class BucketLimiter:
    """Refused calls count too: they put the bucket into debt, by no more than its size."""

    def __init__(self, limit: Bucket) -> None:
        self._limit = limit
        self._level: float = limit.burst
        self._at_s: float | None = None

    def wait_s(self, now_s: float) -> float:
        """As `WindowLimiter.wait_s`."""
        elapsed_s = 0 if self._at_s is None else max(0, now_s - self._at_s)
        self._at_s = now_s
        level = min(self._limit.burst, self._level + elapsed_s * self._limit.rate_per_s) - 1
        self._level = max(level, -self._limit.burst)
        # 1: the next call needs a token of its own.
        return (1 - self._level) / self._limit.rate_per_s if level < 0 else 0


class Gateway:
    def __init__(self, board: SwitchBoard, clock: Callable[[], float]) -> None:
        self._board = board
        self._clock = clock
        self._limiters: dict[Limit, WindowLimiter | BucketLimiter] = {}

    def refusal(self) -> Reply | None:
        """The answer to a call that does not get through; every call is counted here, once."""
        switches = self._board.switches
        if switches.api_outage:
            return outage_reply(switches.api_outage)
        limits = [limit for limit in (switches.api_window, switches.api_bucket) if limit]
        wait_s = max((self._limiter(limit).wait_s(self._clock()) for limit in limits), default=0)
        return throttled(str(math.ceil(wait_s))) if wait_s > 0 else None

    def _limiter(self, limit: Limit) -> WindowLimiter | BucketLimiter:
        if limit not in self._limiters:
            limiter = WindowLimiter(limit) if isinstance(limit, Window) else BucketLimiter(limit)
            self._limiters[limit] = limiter
        return self._limiters[limit]


def outage_reply(outage: Outage) -> Reply:
    if outage == "reset":
        return CUT
    if outage == "html":
        return html_reply(503)
    return replace(error_reply(503, 800003, "The service is unavailable."), from_service=False)
