"""What a stretch of work took, and how much of it was waiting for the store's answers."""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from shared.transport import DeadlineTransport


@dataclass(frozen=True)
class Effort:
    """`store_s`: waited for the store by this thread, of `elapsed_s`. `cpu_s`: of the process, all threads."""

    elapsed_s: float = 0.0
    store_s: float = 0.0
    cpu_s: float = 0.0

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(*(mine + theirs for mine, theirs in zip(self._values, other._values, strict=True)))

    def __sub__(self, other: "Effort") -> "Effort":
        return Effort(*(mine - theirs for mine, theirs in zip(self._values, other._values, strict=True)))

    @property
    def beyond_store_s(self) -> float:
        return self.elapsed_s - self.store_s

    @property
    def _values(self) -> tuple[float, ...]:
        return tuple(asdict(self).values())


NOTHING = Effort()


class TimedTransport(DeadlineTransport):
    """Counts, for each thread by itself, the time from a request to its whole answer."""

    _own = threading.local()

    @property
    def waited_s(self) -> float:
        """By the thread that asks, so far."""
        return getattr(self._own, "waited_s", 0.0)

    def send(self, *args: Any, **kwargs: Any) -> Any:
        began_s = time.monotonic()
        try:
            return super().send(*args, **kwargs)
        finally:
            self._own.waited_s = self.waited_s + time.monotonic() - began_s

    def measure[Result](self, work: Callable[[], Result]) -> tuple[Result, Effort]:
        before = self._now()
        result = work()
        return result, self._now() - before

    def _now(self) -> Effort:
        return Effort(time.monotonic(), self.waited_s, time.process_time())
