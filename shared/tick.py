"""One run of PollUpgrade: takes the rows that are due, oldest first, as far as gate and budget let it."""

import logging
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from datetime import datetime, timedelta
from typing import Protocol

from shared.events import emit
from shared.models import GateReason, GateState, InFlightUpgrade, Position, Reason, State
from shared.polling import is_touchable, touch
from shared.ports import Ports


class Tokens(Protocol):
    """What a tick wants of the credentials."""

    @property
    def refresh_token_age_d(self) -> float | None: ...

    def drop_token(self) -> None: ...


class Poller:
    """The ticks of one process. They never overlap: the platform runs one at a time."""

    def __init__(self, ports: Ports, tokens: Tokens) -> None:
        self._ports = ports
        self._tokens = tokens
        self._census_at: float | None = None
        self._parallelism = ports.settings.max_parallel_calls

    def tick(self) -> None:
        """Works until nothing that it may touch is due, or its budget is used up; then logs the heartbeat.

        Raises:
            StoreUnavailable: the rows or the gate cannot be read; no heartbeat, so the alert fires.
        """
        run = _Run(self._ports, self._tokens, self._parallelism)
        run.work()
        self._parallelism = run.parallelism
        emit(logging.INFO, "poll.tick", **run.heartbeat(), **self._census())

    def _census(self) -> dict[str, object]:
        """Every CENSUS_S: totals over all rows in flight."""
        clock, settings = self._ports.clock, self._ports.settings
        if self._census_at is not None and clock.monotonic() - self._census_at < settings.census_s:
            return {}
        self._census_at = clock.monotonic()
        return census(self._ports, clock.now())


def census(ports: Ports, now: datetime) -> dict[str, object]:
    """`in_flight`, `overdue` (in progress past the deadline), `oldest_waiting_s` (for a create call, not refused)."""
    deadline = timedelta(hours=ports.settings.upgrade_deadline_h)
    in_flight = overdue = 0
    oldest_waiting_s = 0.0
    for row in ports.store.list_in_flight():
        in_flight += 1
        if row.state is State.IN_PROGRESS:
            overdue += row.submitted_at is not None and now - row.submitted_at >= deadline
        elif row.last_reason is not Reason.REFUSED_FOR_NOW:
            oldest_waiting_s = max(oldest_waiting_s, (now - row.requested_at).total_seconds())
    return {"in_flight": in_flight, "overdue": overdue, "oldest_waiting_s": round(oldest_waiting_s, 1)}


class _Run:
    """A single tick."""

    def __init__(self, ports: Ports, tokens: Tokens, parallelism: int) -> None:
        self._ports = ports
        self._tokens = tokens
        self._started = ports.clock.monotonic()
        self._ends = self._started + ports.settings.tick_budget_s
        self._touched: set[tuple[str, str]] = set()
        self._before: set[str] | None = None  # keys that were due at the look before
        self._done: Counter[str] = Counter()
        self._due = 0
        self._left = 0
        self.parallelism = parallelism

    def work(self) -> None:
        with ThreadPoolExecutor(self._ports.settings.max_parallel_calls, thread_name_prefix="poll") as pool:
            while self._has_time():
                gate = self._ports.gate.look(fresh=True)
                rows = self._look_for_due(gate)
                touchable = [row for row in rows if is_touchable(row, gate.position)]
                if touchable:
                    self._work_on(pool, touchable)
                elif not self._wait_for_gate(gate, rows):
                    break
            self._left = len(self._list_due())

    def heartbeat(self) -> dict[str, object]:
        gate = self._ports.gate.look()
        return {
            "due": self._due,
            "submitted": self._done["submitted"],
            "polled": self._done["polled"],
            "finished": self._done["finished"],
            "left": self._left,
            "gate": gate.position,
            "gate_reason": gate.reason,
            "parallelism": self.parallelism,
            "token_age_d": self._tokens.refresh_token_age_d,
            "duration_s": round(self._ports.clock.monotonic() - self._started, 3),
        }

    def _has_time(self) -> bool:
        return self._ports.clock.monotonic() < self._ends

    def _list_due(self) -> list[InFlightUpgrade]:
        """Oldest first, without those that this tick has touched in vain: they would be looked at for ever."""
        rows = self._ports.store.list_due(self._ports.clock.now())
        fresh = [row for row in rows if (row.key, row.etag) not in self._touched]
        return sorted(fresh, key=lambda row: row.next_attempt_at)

    def _look_for_due(self, gate: GateState) -> list[InFlightUpgrade]:
        rows = self._list_due()
        keys = {row.key for row in rows}
        self._due += len(keys - (self._before or set()))
        worked_off = not keys if self._before is None else keys.isdisjoint(self._before)
        if gate.position is Position.RECOVERING and worked_off:
            self._ports.gate.open()
            self.parallelism = self._ports.settings.max_parallel_calls
        self._before = keys
        return rows

    def _wait_for_gate(self, gate: GateState, rows: list[InFlightUpgrade]) -> bool:
        """Where the gate is closed: waits for its T if this run lasts that long. False: nothing to wait for."""
        if gate.position is not Position.CLOSED:
            return False
        ports = self._ports
        if ports.gate.is_past(gate):
            if gate.reason is GateReason.CREDENTIALS:
                self._tokens.drop_token()
            ports.gate.recover()
            self.parallelism = 1
            return True
        assert gate.until_at
        wait_s = (gate.until_at - ports.clock.now()).total_seconds()
        if not rows or ports.clock.monotonic() + wait_s >= self._ends:
            return False
        ports.clock.sleep(min(wait_s, ports.settings.gate_cache_s))  # whoever mends the trouble moves T to now
        return True

    def _work_on(self, pool: ThreadPoolExecutor, rows: list[InFlightUpgrade]) -> None:
        """Touches the rows in their order, as many at once as the parallelism of the moment."""
        waiting, running = deque(rows), set[Future[frozenset[str]]]()
        while running or (waiting and self._may_start(waiting[0])):
            while waiting and len(running) < self.parallelism and self._may_start(waiting[0]):
                row = waiting.popleft()
                self._touched.add((row.key, row.etag))
                # A context of its own: without it the platform would drop the log lines of the thread.
                call: Callable[..., frozenset[str]] = copy_context().run
                running.add(pool.submit(call, touch, self._ports, row))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                self._done.update(future.result())
                self._pace()

    def _may_start(self, row: InFlightUpgrade) -> bool:
        return self._has_time() and is_touchable(row, self._ports.gate.look().position)

    def _pace(self) -> None:
        """One more at once for each call that came back, while the gate lets any through."""
        if self._ports.gate.look().position in (Position.OPEN, Position.RECOVERING):
            self.parallelism = min(self._ports.settings.max_parallel_calls, self.parallelism + 1)
