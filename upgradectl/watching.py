"""Looking at a system again and again, until everything that was submitted is final."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from azure.core.exceptions import ClientAuthenticationError

from shared.clock import Clock
from shared.errors import StoreUnavailable
from shared.models import GateState, InFlightUpgrade, Position, Status, UpgradeResult
from upgradectl import overview
from upgradectl.errors import CommandError, explained
from upgradectl.overview import GOOD_ENDS, InFlight, Throughput, TimeLeft
from upgradectl.queue_depth import QueueDepth
from upgradectl.store import AccessRefused

_FAILURES_KEPT = 50
# So much later than it says may a result turn up: writing it took a while, and the writers' clocks differ.
_OVERLAP = timedelta(minutes=5)


class Tables(Protocol):
    """What is read. All raise StoreUnavailable."""

    def list_in_flight(self) -> Iterable[InFlightUpgrade]: ...
    def list_all_results(self, *, since: datetime | None = ..., line_items: bool = ...) -> Iterable[UpgradeResult]: ...
    def get_gate(self) -> GateState: ...


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What a look has found. `new`: of the results, those since the watch began; `failures`: the last of these.

    `trouble`: why this look failed; the rest is then what the one before has found. `is_final`: nothing waits and
    nothing is in flight, at this look and at the one before.
    """

    at: datetime
    watched_s: float
    rows: InFlight
    results: Mapping[Status, int]
    new: Mapping[Status, int]
    failures: tuple[UpgradeResult, ...]
    queue: QueueDepth
    gate: GateState
    per_minute: float | None
    left: TimeLeft | None
    trouble: str = ""
    is_final: bool = False

    @property
    def is_idle(self) -> bool:
        """By the tables alone where the queue is not known."""
        return not self.rows.total and not self.queue.waiting

    @property
    def failed(self) -> int:
        return sum(count for status, count in self.new.items() if status not in GOOD_ENDS)


@dataclass
class _Results:
    """Each counted once, however often it is read; a duplicate may give way to a verdict."""

    before: dict[tuple[str, str, str], Status] = field(default_factory=dict)
    new: dict[tuple[str, str, str], Status] = field(default_factory=dict)
    failures: list[UpgradeResult] = field(default_factory=list)
    is_first: bool = True
    latest: datetime | None = None

    def read(self, tables: Tables, now: datetime) -> None:
        """All at first, later those that have come since."""
        since = self.latest - _OVERLAP if self.latest else None
        latest = self.latest
        for result in tables.list_all_results(since=since, line_items=False):
            self._add(result)
            # One that says that it is of tomorrow must not hide those of today.
            finished_at = min(result.finished_at, now)
            latest = max(latest or finished_at, finished_at)
        self.latest, self.is_first = latest, False
        self.failures = sorted(self.failures, key=lambda one: one.finished_at)[-_FAILURES_KEPT:]

    def _add(self, result: UpgradeResult) -> None:
        key = (result.customer_id, result.product_family.lower(), result.request_id)
        if self.is_first:
            self.before[key] = result.status
        elif self.new.get(key, self.before.get(key)) is not result.status:
            self.new[key] = result.status
            if result.status not in GOOD_ENDS:
                self.failures.append(result)

    @property
    def counts(self) -> Counter[Status]:
        return Counter((self.before | self.new).values())


class Watch:
    """`look_at_queue` may raise CommandError. `deadline`: later than that after its create call a row is overdue."""

    def __init__(
        self, tables: Tables, look_at_queue: Callable[[], QueueDepth], clock: Clock, deadline: timedelta
    ) -> None:
        self._tables = tables
        self._look_at_queue = look_at_queue
        self._clock = clock
        self._deadline = deadline
        self._began_s = clock.monotonic()
        self._results = _Results()
        self._throughput = Throughput()
        self._last: Snapshot | None = None

    def snapshots(self, *, every_s: float, timeout_s: float = math.inf) -> Iterator[Snapshot]:
        """The next look begins `every_s` seconds after the last one has ended.

        Raises:
            CommandError: it was not final in time.
        """
        ends_s = self._began_s + timeout_s
        while True:
            snapshot = self.look()
            yield snapshot
            if snapshot.is_final:
                return
            left_s = ends_s - self._clock.monotonic()
            if left_s <= 0:
                raise CommandError("not all is final yet, and the time is over", "`upgradectl status` says what waits")
            self._clock.sleep(min(every_s, left_s))

    def look(self) -> Snapshot:
        """What is found; where the look fails what the one before has found, unless it is the first one.

        Raises:
            AccessRefused: a role is missing, which no further look will change.
        """
        try:
            snapshot = self._look()
        except (StoreUnavailable, ClientAuthenticationError, CommandError) as error:
            if self._last is None or isinstance(error, AccessRefused):
                raise
            snapshot = replace(
                self._last, at=self._clock.now(), watched_s=self._watched_s(), trouble=explained(error).line
            )
        self._last = snapshot
        return snapshot

    def _look(self) -> Snapshot:
        """Against the stream: what leaves one of the three while it is read is already in the next."""
        now = self._clock.now()
        queue = self._look_at_queue()
        rows = overview.in_flight(self._tables.list_in_flight(), now, self._deadline)
        self._results.read(self._tables, now)
        gate = self._tables.get_gate()
        counts = self._results.counts
        self._throughput.add(self._clock.monotonic(), counts.total())
        snapshot = Snapshot(
            at=now,
            watched_s=self._watched_s(),
            rows=rows,
            results=counts,
            new=Counter(self._results.new.values()),
            failures=tuple(self._results.failures),
            queue=queue,
            gate=gate,
            per_minute=self._throughput.per_minute,
            left=None,
        )
        was_idle = self._last is not None and self._last.is_idle and not self._last.trouble
        return replace(snapshot, left=_left(snapshot), is_final=snapshot.is_idle and was_idle)

    def _watched_s(self) -> float:
        return self._clock.monotonic() - self._began_s


def _left(snapshot: Snapshot) -> TimeLeft | None:
    if snapshot.gate.position is Position.PAUSED:
        return None
    dues = [due for due in (snapshot.rows.last_attempt_at, snapshot.gate.until_at) if due]
    not_before_s = max((due - snapshot.at).total_seconds() for due in dues) if dues else 0
    waiting = snapshot.queue.waiting
    return overview.time_left(
        snapshot.rows.total + (waiting or 0),
        snapshot.per_minute,
        not_before_s,
        more=waiting is None or waiting >= QueueDepth.LIMIT,
    )
