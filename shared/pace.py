"""How many calls PollUpgrade makes at once, and how many a second.

After trouble one call finds out, then each round that comes back adds one (additive increase, multiplicative decrease:
Chiu and Jain, 1989). A limit counts calls per time, so parallelism alone would run into it again and again: from one
throttled stretch to the next the calls that were let through show what the limit is. The rate begins there, grows
quickly while it is far from any rate that was refused, and stays long just below one that was (as in CUBIC, RFC 9438).
"""

from shared.clock import Clock

_BELOW = 0.98  # of what was let through, and of the rate that was refused
# What was let through is a little less than the limit: nothing is while the gate is closed.
_ABOVE = 1.04
_FAR = 0.85  # of the rate that was refused: below it the way is free
_SAME = 0.15  # the most by which what two stretches let through differs where it was the same limit that ended them
_CATCH_UP, _CATCH_UP_S = 2, 1.0  # calls, and those of so many seconds where that is more
# Calls in a stretch: fewer tell nothing about where the limit is, the stretch being closed for most of its time. So
# many in stretches one after the other do: then the limit itself is low.
_FEW, _MANY = 10, 50
# How the rate grows with the seconds for which it holds calls back: far from a limit, twofold in so many; near one,
# hardly at all for long, and twofold in the end, so that a limit that has become a wider one is found as well.
_FAR_S, _NEAR_S = 10.0, 260.0


class Pace:
    """`ceiling`: calls at once. Used by one thread."""

    def __init__(self, ceiling: int, clock: Clock) -> None:
        self._ceiling = ceiling
        self._clock = clock
        self._level = float(ceiling)
        self._recovery: str | None = None
        self._stretch_began: float | None = None  # at the last recovery
        self._passed = 0  # calls since then
        self._dry = False  # since then
        self._few, self._few_s = 0, 0.0  # calls that passed in stretches before, with few each, and how long those took
        self._base: float | None = None  # calls a second, at the last recovery
        self._grown_s = 0.0  # how long the rate has held calls back since then
        self._is_near = False  # to the limit
        self._let_through: float | None = None  # calls a second, in the last stretch that taught something
        self._rate: float | None = None  # calls a second, now
        self._next_at = 0.0

    @property
    def parallelism(self) -> int:
        return int(self._level)

    def recover(self, recovery: str, *, throttled: bool) -> None:
        """A recovery, named so that the same one begins only once, has to find out what is let through.

        `throttled`: from a limit that all calls count for.
        """
        if recovery == self._recovery:
            return
        self._recovery = recovery
        self._level = 1.0
        now = self._clock.monotonic()
        if throttled and (passed_per_s := self._let_through_s(now)):
            self._learn(passed_per_s)
        # Also after other trouble: what was let through meanwhile shows the trouble.
        self._stretch_began, self._passed, self._dry, self._next_at = now, 0, False, now
        self._base, self._grown_s = self._rate, 0.0

    def rest(self) -> None:
        """Nothing waits any more: what is let through from now on shows the demand, not the limit."""
        self._level = float(self._ceiling)
        self._stretch_began = self._rate = self._base = None

    def ran_dry(self) -> None:
        """There was nothing left to start: what was let through in this stretch shows the demand."""
        self._dry = True

    def wait_s(self) -> float:
        """Seconds until the next call may start."""
        return max(0.0, self._next_at - self._clock.monotonic()) if self._rate else 0.0

    def started(self) -> None:
        """A call has started now."""
        if self._rate and self._base:
            # Time that was lost (a slow look at the table) is made up for, but by no more than a few calls at once.
            earliest = self._clock.monotonic() - max(_CATCH_UP_S, _CATCH_UP / self._rate)
            if self._next_at >= earliest:  # else the rate holds nobody back, and to grow would mean nothing
                self._grown_s += 1 / self._rate
                self._rate = self._base * self._growth
            self._next_at = max(self._next_at, earliest) + 1 / self._rate

    def came_back(self) -> None:
        """A call was let through. Where the rate is known it is the limit, not the calls at once."""
        self._passed += 1
        self._level = self._ceiling if self._rate else min(float(self._ceiling), self._level + 1 / int(self._level))

    @property
    def _growth(self) -> float:
        return 1 + (self._grown_s / _NEAR_S) ** 3 if self._is_near else 2 ** (self._grown_s / _FAR_S)

    def _let_through_s(self, now: float) -> float | None:
        """Calls a second, in the stretch that ends, or in several short ones. None: it tells nothing, or not yet."""
        began, passed = self._stretch_began, self._passed
        if began is None or now <= began or self._dry or not passed:
            self._few, self._few_s = 0, 0.0
            return None
        lasted_s = now - began
        if passed < _FEW:
            passed, lasted_s = self._few, self._few_s = self._few + passed, self._few_s + lasted_s
            if passed < _MANY:
                return None
        self._few, self._few_s = 0, 0.0
        return passed / lasted_s

    def _learn(self, passed_per_s: float) -> None:
        refused, before = self._rate, self._let_through
        self._let_through = passed_per_s
        if refused is None:
            self._rate, self._is_near = _BELOW * passed_per_s, False
            return
        # A stretch that began slowly shows less than the limit, and where it ended more.
        between = (passed_per_s * refused) ** 0.5
        self._rate = min(_BELOW * refused, max(_ABOVE * passed_per_s, between))
        is_same = before is not None and abs(passed_per_s - before) < _SAME * before
        self._is_near = is_same or self._rate > _FAR * refused
