"""How much of an API's limit the pace uses, and how many calls it makes in vain: simulated, call by call.

As PollUpgrade does: so many calls at once as the pace allows, each after some work of our own; a 429 closes the gate
for its Retry-After in whole seconds, and what is under way meets the limit, too.
"""

import heapq
import math
import random
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from shared.evidence import Evidence
from shared.models import GateReason
from shared.pace import Pace
from tests.fakes import FakeClock
from tests.unit import rows

LASTS_S = 1200  # at the limit's own speed
OWN_WORK_S, ANSWER_S, BETWEEN_S = 0.05, 0.05, 0.003
SLOW_S, SLOW_WORK_S = 20, 0.25  # at first, while all requests arrive
AT_ONCE_AT_FIRST = 32  # CreateUpgrade's, before anybody knows of a limit
FIRST_TICK_S = 10
ROW = rows.in_flight()


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
    evidence: Evidence = field(default_factory=Evidence)

    def run(self) -> "Simulation":
        self._all_at_once()
        self.clock.advance(FIRST_TICK_S)
        stretches = 0
        while self.passed < self.calls:
            stretches += 1
            self.pace.recover(str(stretches), throttled=not self.evidence.most_got_through)
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
                is_first = not opens_s
                if not self._count(wait_s):
                    opens_s = max(opens_s, ended_s + 1.05 * math.ceil(wait_s))
                elif is_first:
                    self.pace.came_back()
                if opens_s:
                    self._note(throttled=bool(wait_s), closes=is_first)
            elif not opens_s and len(running) < self.pace.parallelism and not self.pace.wait_s():
                heapq.heappush(running, self._call())
                self.clock.advance(BETWEEN_S)
            else:
                self._sleep(running, closed=bool(opens_s))
        return max(0.0, opens_s - self.now_s)

    def _note(self, *, throttled: bool, closes: bool) -> None:
        self.evidence.note_answer(ROW, reason=GateReason.THROTTLED if throttled else None)
        if closes:
            self.evidence.gate_closed()

    def _call(self) -> tuple[float, float]:
        self.pace.started()
        sent_s = self.now_s + (SLOW_WORK_S if self.now_s < SLOW_S else OWN_WORK_S)
        return sent_s + ANSWER_S, self.limit.wait_s(sent_s)

    def _sleep(self, running: list[tuple[float, float]], *, closed: bool) -> None:
        waits = [running[0][0] - self.now_s] if running else []
        if not closed and len(running) < self.pace.parallelism:
            waits.append(self.pace.wait_s())
        self.clock.advance(max(min(waits), 1e-4))


def test_a_limit_that_lets_few_calls_pass_at_a_time_is_learnt_too() -> None:
    """It takes some fifty calls, and more than every second one is refused meanwhile."""
    learnt, later = _simulated(Bucket(1, 5), 300), _simulated(Bucket(1, 5), 1200)
    refused, passed = later.refused - learnt.refused, later.passed - learnt.passed
    assert refused / (refused + passed) < 0.05


@dataclass
class Customers:
    """No limit at all, but that of single customers: now and then one of them is told to wait."""

    share: float
    random: random.Random

    def wait_s(self, at_s: float) -> float:
        return self.random.choice([1, 1, 1, 2, 4]) if self.random.random() < self.share else 0

    def allowed(self, elapsed_s: float) -> float:
        return math.inf


def _simulated(limit: Limit, calls: int) -> Simulation:
    clock = FakeClock()
    return Simulation(limit, clock, Pace(16, clock), clock.monotonic(), calls).run()


@pytest.mark.parametrize(
    "limit",
    [
        Window(60, 10), Window(600, 60), Window(60, 60), Window(300, 10),
        Bucket(10, 20), Bucket(10, 100), Bucket(5, 30), Bucket(30, 30),
    ],
    ids=str,
)  # fmt: skip
def test_little_of_a_limit_is_wasted_and_few_calls_are_made_in_vain(limit: Limit) -> None:
    found = _simulated(limit, int(limit.allowed(LASTS_S)))
    assert found.used > 0.95
    assert found.in_vain < 0.05


@pytest.mark.parametrize("seed", range(5))
def test_a_single_customers_limit_does_not_slow_all_the_others_down(seed: int) -> None:
    """Twenty customers of two thousand: the gate is closed for a second or more, twenty times. Without pace 55 s."""
    found = _simulated(Customers(0.01, random.Random(seed)), 2000)
    assert found.now_s < 110
