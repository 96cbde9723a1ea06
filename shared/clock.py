"""Time, passed in: the core neither reads a clock nor sleeps by itself."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """`now`: aware UTC, may jump. `monotonic`: seconds that only grow. `sleep`: seconds."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    def sleep(self, duration_s: float) -> None: ...


class SystemClock:
    """The machine's own."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)
