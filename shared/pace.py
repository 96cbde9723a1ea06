"""How many calls PollUpgrade makes at once, and how many a second.

After trouble one call finds out, then each round that comes back adds one (additive increase, multiplicative decrease:
Chiu and Jain, 1989). A limit counts calls per time, so parallelism alone would run into it again and again: from one
throttled stretch to the next the calls that were let through show what the limit is, and a rate just below it, which
grows slowly until the limit says no, wastes least.
"""

from shared.clock import Clock

_BELOW = 0.98  # of what was let through
_DECREASE = 0.85
_CATCH_UP = 3  # calls
_GROWTH = 1.0015  # with each call, so that it fits whatever the limit's scale is
# With each call past twice as many as were let through before the last no: the limit is far away, or it was none but a
# single customer's, or what was measured was an outage.
_GROWTH_FAR_BELOW = 1.05
_FEW = 10  # calls: fewer tell nothing about where the limit is


class Pace:
    """`ceiling`: calls at once. Used by one thread."""

    def __init__(self, ceiling: int, clock: Clock) -> None:
        self._ceiling = ceiling
        self._clock = clock
        self._level = float(ceiling)
        self._recovery: str | None = None
        self._stretch_began: float | None = None  # at the last recovery
        self._passed = 0  # calls since then
        self._passed_before = 0  # in the stretch before, until its end
        self._dry = False  # since then
        self._rate: float | None = None  # calls a second
        self._next_at = 0.0

    @property
    def parallelism(self) -> int:
        return int(self._level)

    def recover(self, recovery: str, *, throttled: bool) -> None:
        """A recovery, named so that the same one begins only once, has to find out what is let through."""
        if recovery == self._recovery:
            return
        self._recovery = recovery
        self._level = 1.0
        if throttled:
            self._learn()
            self._passed_before = self._passed
        self._begin_stretch()  # also after other trouble: what was let through meanwhile shows the trouble

    def rest(self) -> None:
        """Nothing waits any more: what is let through from now on shows the demand, not the limit."""
        self._level = float(self._ceiling)
        self._stretch_began = self._rate = None

    def ran_dry(self) -> None:
        """There was nothing left to start: what was let through in this stretch shows the demand."""
        self._dry = True

    def wait_s(self) -> float:
        """Seconds until the next call may start."""
        return max(0.0, self._next_at - self._clock.monotonic()) if self._rate else 0.0

    def started(self) -> None:
        """A call has started now."""
        if self._rate:
            # Time that was lost (a slow look at the table) is made up for, but by no more than a few calls at once.
            earliest = self._clock.monotonic() - _CATCH_UP / self._rate
            if self._next_at >= earliest:  # else the rate holds nobody back, and to grow would mean nothing
                far_below = self._passed > 2 * max(_FEW, self._passed_before)
                self._rate *= _GROWTH_FAR_BELOW if far_below else _GROWTH
            self._next_at = max(self._next_at, earliest) + 1 / self._rate

    def came_back(self) -> None:
        """A call was let through. Where the rate is known it is the limit, not the calls at once."""
        self._passed += 1
        self._level = self._ceiling if self._rate else min(float(self._ceiling), self._level + 1 / int(self._level))

    def _learn(self) -> None:
        now = self._clock.monotonic()
        if self._stretch_began is not None and now > self._stretch_began and not self._dry:
            if self._passed >= _FEW:
                passed_per_s = self._passed / (now - self._stretch_began)
                # The average of a stretch that began slowly is too low, the rate that met the limit is too high.
                self._rate = max(_BELOW * passed_per_s, _DECREASE * (self._rate or 0.0))
            elif self._rate:
                self._rate *= _DECREASE

    def _begin_stretch(self) -> None:
        now = self._clock.monotonic()
        self._stretch_began, self._passed, self._dry, self._next_at = now, 0, False, now
