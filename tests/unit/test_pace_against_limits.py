"""How much of an API's limit the pace uses, and how many calls it makes in vain: simulated, call by call.

As PollUpgrade does: so many calls at once as the pace allows, each after some work of our own; a 429 closes the gate
for its Retry-After in whole seconds, and what is under way meets the limit, too.
"""

import heapq
import math
from dataclasses import dataclass
from typing import Protocol

import pytest

from shared.pace import Pace
from tests.fakes import FakeClock

LASTS_S = 1200  # at the limit's own speed
OWN_WORK_S, ANSWER_S, BETWEEN_S = 0.05, 0.05, 0.003
SLOW_S, SLOW_WORK_S = 20, 0.25  # at first, while all requests arrive
AT_ONCE_AT_FIRST = 32  # CreateUpgrade's, before anybody knows of a limit
FIRST_TICK_S = 10


class Limit(Protocol):
    def wait_s(self, at_s: float) -> float:
        """Counts a call; 0 where it passes, else how long until one does."""

    def allowed(self, elapsed_s: float) -> float:
        """The most calls that can pass in that time."""


@dataclass
class Window:
    calls: int
    per_s: float
    began_s: float = -math.inf
    counted: int = 0

    def wait_s(self, at_s: float) -> float:
        if at_s - self.began_s >= self.per_s:
            self.began_s, self.counted = at_s, 0
        self.counted += 1
        return 0 if self.counted <= self.calls else self.began_s + self.per_s - at_s

    def allowed(self, elapsed_s: float) -> float:
        return self.calls * (elapsed_s // self.per_s + 1)


@dataclass
class Bucket:
    per_s: float
    burst: float
    at_s: float = 0.0
    tokens: float = math.inf

    def wait_s(self, at_s: float) -> float:
        self.tokens = min(self.burst, self.tokens + (at_s - self.at_s) * self.per_s)
        self.at_s = at_s
        if self.tokens < 1:
            return (1 - self.tokens) / self.per_s
        self.tokens -= 1
        return 0

    def allowed(self, elapsed_s: float) -> float:
        return self.burst + self.per_s * elapsed_s


@dataclass
class Simulation:
    """Until so many `calls` have passed."""

    limit: Limit
    clock: FakeClock
    pace: Pace
    began_s: float
    calls: int
    passed: int = 0
    refused: int = 0

    def run(self) -> "Simulation":
        self._all_at_once()
        self.clock.advance(FIRST_TICK_S)
        stretches = 0
        while self.passed < self.calls:
            stretches += 1
            self.pace.recover(str(stretches), throttled=True)
            self.clock.advance(self._stretch())
        return self

    @property
    def now_s(self) -> float:
        return self.clock.monotonic() - self.began_s

    @property
    def used(self) -> float:
        return self.passed / self.limit.allowed(self.now_s)

    @property
    def in_vain(self) -> float:
        return self.refused / (self.refused + self.passed)

    def _all_at_once(self) -> None:
        for number in range(AT_ONCE_AT_FIRST):
            self._count(self.limit.wait_s(number * BETWEEN_S))

    def _count(self, wait_s: float) -> bool:
        self.refused += bool(wait_s)
        self.passed += not wait_s
        return not wait_s

    def _stretch(self) -> float:
        """Until a 429, and what was under way has come back. How long the gate stays closed then."""
        running: list[tuple[float, float]] = []
        opens_s = 0.0
        while self.passed < self.calls and not (opens_s and not running):
            if running and running[0][0] <= self.now_s:
                ended_s, wait_s = heapq.heappop(running)
                if not self._count(wait_s):
                    opens_s = max(opens_s, ended_s + 1.05 * math.ceil(wait_s))
                elif not opens_s:
                    self.pace.came_back()
            elif not opens_s and len(running) < self.pace.parallelism and not self.pace.wait_s():
                heapq.heappush(running, self._call())
                self.clock.advance(BETWEEN_S)
            else:
                self._sleep(running, closed=bool(opens_s))
        return max(0.0, opens_s - self.now_s)

    def _call(self) -> tuple[float, float]:
        self.pace.started()
        sent_s = self.now_s + (SLOW_WORK_S if self.now_s < SLOW_S else OWN_WORK_S)
        return sent_s + ANSWER_S, self.limit.wait_s(sent_s)

    def _sleep(self, running: list[tuple[float, float]], *, closed: bool) -> None:
        waits = [running[0][0] - self.now_s] if running else []
        if not closed and len(running) < self.pace.parallelism:
            waits.append(self.pace.wait_s())
        self.clock.advance(max(min(waits), 1e-4))


def _simulated(limit: Limit) -> Simulation:
    clock = FakeClock()
    return Simulation(limit, clock, Pace(16, clock), clock.monotonic(), int(limit.allowed(LASTS_S))).run()


@pytest.mark.parametrize(
    "limit",
    [
        Window(60, 10), Window(600, 60), Window(60, 60), Window(300, 10),
        Bucket(10, 20), Bucket(10, 100), Bucket(5, 30), Bucket(30, 30),
    ],
    ids=str,
)  # fmt: skip
def test_little_of_a_limit_is_wasted_and_few_calls_are_made_in_vain(limit: Limit) -> None:
    found = _simulated(limit)
    assert found.used > 0.85
    assert found.in_vain < 0.06
