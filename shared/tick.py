"""One run of PollUpgrade: takes the rows that are due, oldest first, as far as gate and budget let it."""

import logging
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from datetime import datetime
from typing import Protocol

from shared.errors import TokenRefused, TokenUnavailable
from shared.events import emit
from shared.gate import Trouble
from shared.models import GateReason, GateState, InFlightUpgrade, Position, Reason, State
from shared.pace import Pace
from shared.polling import is_overdue, is_touchable, touch
from shared.ports import Ports


class Tokens(Protocol):
    """What a tick wants of the credentials. `sign_in`: names the one that the present token comes from."""

    @property
    def refresh_token_age_d(self) -> float | None: ...
    @property
    def sign_in(self) -> str | None: ...
    def get_token(self) -> str: ...
    def drop_token(self) -> None: ...
    def renew_if_due(self) -> None: ...


class Poller:
    """The ticks of one process. They never overlap: the platform runs one at a time."""

    def __init__(self, ports: Ports, tokens: Tokens) -> None:
        self._ports = ports
        self._tokens = tokens
        self._pace = Pace(ports.settings.max_parallel_calls, ports.clock)
        self._census_at: float | None = None

    def tick(self) -> None:
        """Works until nothing that it may touch is due, or its budget is used up; then logs the heartbeat.

        Raises:
            StoreUnavailable: the rows or the gate cannot be read; no heartbeat, so the alert fires.
        """
        run = _Run(self._ports, self._tokens, self._pace)
        run.renew_token()
        run.work()
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
    in_flight = overdue = 0
    oldest_waiting_s = 0.0
    for row in ports.store.list_census():
        in_flight += 1
        overdue += is_overdue(ports, row)
        if row.state is not State.IN_PROGRESS and row.last_reason is not Reason.REFUSED_FOR_NOW:
            oldest_waiting_s = max(oldest_waiting_s, (now - row.requested_at).total_seconds())
    return {"in_flight": in_flight, "overdue": overdue, "oldest_waiting_s": round(oldest_waiting_s, 1)}


class _Run:
    """A single tick."""

    def __init__(self, ports: Ports, tokens: Tokens, pace: Pace) -> None:
        self._ports = ports
        self._tokens = tokens
        self._pace = pace
        self._started = ports.clock.monotonic()
        self._ends = self._started + ports.settings.tick_budget_s
        self._touched: set[tuple[str, str]] = set()
        self._before: set[str] | None = None  # keys that were due at the look before
        self._done: Counter[str] = Counter()
        self._due: set[str] = set()
        self._left = 0
        self._sign_in = tokens.sign_in

    def renew_token(self) -> None:
        """So that the refresh token's 90 days never run out, also when nothing is in flight."""
        gate = self._ports.gate.look(fresh=True)
        forbidden = gate.position is Position.CLOSED and gate.reason is GateReason.CREDENTIALS
        if forbidden or (gate.position is Position.PAUSED and not self._ports.gate.is_past(gate)):
            return
        try:
            self._tokens.renew_if_due()
        except TokenRefused as error:
            self._ports.gate.close(Trouble(GateReason.CREDENTIALS, error.code))
        except TokenUnavailable as error:
            emit(logging.WARNING, "auth.renewal_failed", detail=error.description)

    def work(self) -> None:
        with ThreadPoolExecutor(self._ports.settings.max_parallel_calls, thread_name_prefix="poll") as pool:
            while self._has_time():
                gate = self._ports.gate.look(fresh=True)
                rows = self._look_for_due(gate)
                gate = self._recover(gate, rows)
                touchable = [row for row in rows if is_touchable(self._ports, row, gate)]
                self._left = len(rows) - len(touchable)
                if touchable:
                    self._left += self._work_on(pool, touchable)
                elif not self._wait_for_gate(gate, rows):
                    break
            if not self._left and self._ports.gate.look().position is Position.OPEN:
                self._pace.rest()

    def heartbeat(self) -> dict[str, object]:
        gate = self._ports.gate.look()
        return {
            "due": len(self._due),
            "submitted": self._done["submitted"],
            "polled": self._done["polled"],
            "finished": self._done["finished"],
            "left": self._left,
            "gate": gate.position,
            "gate_reason": gate.reason,
            "parallelism": self._pace.parallelism,
            "token_age_d": self._tokens.refresh_token_age_d,
            "duration_s": round(self._ports.clock.monotonic() - self._started, 3),
        }

    def _has_time(self) -> bool:
        return self._ports.clock.monotonic() < self._ends

    def _look_for_due(self, gate: GateState) -> list[InFlightUpgrade]:
        """Oldest first; rows that were refused our access last, in case they alone are: they would stop the others.

        Without those that this tick has touched in vain: they would be looked at for ever.
        """
        recovers = gate.position is not Position.OPEN
        rows = self._ports.store.list_due(self._ports.clock.now())
        rows = [row for row in rows if (row.key, row.etag) not in self._touched]
        rows.sort(key=lambda row: (recovers and row.last_reason is Reason.CREDENTIALS, row.next_attempt_at))
        self._due.update(row.key for row in rows)
        return rows

    def _recover(self, gate: GateState, rows: list[InFlightUpgrade]) -> GateState:
        """In `recovering`: proves by a token where no row can, opens when the backlog is worked off."""
        keys = {row.key for row in rows}
        before, self._before = self._before, keys
        if gate.position is not Position.RECOVERING:
            return gate
        evidence = self._ports.gate.evidence
        throttled = gate.reason is GateReason.THROTTLED and not evidence.most_got_through
        self._pace.recover(gate.etag, throttled=throttled)
        if self._sign_in != self._tokens.sign_in:
            self._sign_in = self._tokens.sign_in
            evidence.forget()
        if not evidence.suffices_to_open(gate) and self._is_for_the_token_to_prove(gate, rows):
            self._probe_token()
        worked_off = not keys if before is None else keys.isdisjoint(before)
        if worked_off and evidence.suffices_to_open(gate):
            self._ports.gate.open()
        return self._ports.gate.look()

    def _is_for_the_token_to_prove(self, gate: GateState, rows: list[InFlightUpgrade]) -> bool:
        """Where the token exchange was what failed, or nothing is in flight; else a row has to, when it is due."""
        if gate.closed_by is None:
            return True
        return not rows and next(iter(self._ports.store.list_census()), None) is None

    def _probe_token(self) -> None:
        try:
            self._tokens.get_token()
        except TokenRefused as error:
            self._ports.gate.close(Trouble(GateReason.CREDENTIALS, error.code))
        except TokenUnavailable as error:
            self._ports.gate.close(Trouble(GateReason.UNAVAILABLE, error.description))
        else:
            self._sign_in = self._tokens.sign_in
            self._ports.gate.evidence.proved = True

    def _wait_for_gate(self, gate: GateState, rows: list[InFlightUpgrade]) -> bool:
        """Where the gate is closed: waits for its T if this run lasts that long. False: nothing to wait for.

        What this run has touched may be due again by then. The gate alone is looked at meanwhile: to read the rows
        again and again would cost more than all the rest.
        """
        if gate.position is not Position.CLOSED:
            return False
        while not self._ports.gate.is_past(gate):
            if not (rows or self._touched) or not self._pause(gate):
                return False
            gate = self._ports.gate.look(fresh=True)
            if gate.position is not Position.CLOSED:
                return True
        if gate.reason is GateReason.CREDENTIALS:
            self._tokens.drop_token()
        self._ports.gate.recover()
        return True

    def _pause(self, gate: GateState) -> bool:
        """Waits for the gate's T, or until it is time to look at it again: whoever mends the trouble moves T to now.

        False: T comes too late for this run.
        """
        clock = self._ports.clock
        assert gate.until_at
        wait_s = max(0.0, (gate.until_at - clock.now()).total_seconds())
        if clock.monotonic() + wait_s >= self._ends:
            return False
        clock.sleep(min(wait_s, self._ports.settings.gate_cache_s))
        return True

    def _work_on(self, pool: ThreadPoolExecutor, rows: list[InFlightUpgrade]) -> int:
        """Touches the rows in their order, as many at once as the pace allows. How many were left."""
        waiting, running = deque(rows), set[Future[frozenset[str]]]()
        while running or (waiting and self._may_start(waiting[0])):
            while waiting and len(running) < self._pace.parallelism and self._may_start(waiting[0]):
                if self._pace.wait_s():
                    break
                running.add(self._start(pool, waiting.popleft()))
            if running:
                wait_s = self._pace.wait_s() if waiting and len(running) < self._pace.parallelism else 0.0
                done, running = wait(running, timeout=wait_s or None, return_when=FIRST_COMPLETED)
                self._note(done)
            elif waiting:
                left_s = self._ends - self._ports.clock.monotonic()
                self._ports.clock.sleep(max(0.0, min(self._pace.wait_s(), left_s)))
        if not waiting:
            self._pace.ran_dry()
        return len(waiting)

    def _start(self, pool: ThreadPoolExecutor, row: InFlightUpgrade) -> Future[frozenset[str]]:
        self._touched.add((row.key, row.etag))
        self._pace.started()
        # A context of its own: without it the platform would drop the log lines of the thread.
        call: Callable[..., frozenset[str]] = copy_context().run
        return pool.submit(call, touch, self._ports, row)

    def _note(self, done: set[Future[frozenset[str]]]) -> None:
        for future in done:
            self._done.update(future.result())
            if self._ports.gate.look().position in (Position.OPEN, Position.RECOVERING):
                self._pace.came_back()

    def _may_start(self, row: InFlightUpgrade) -> bool:
        return self._has_time() and is_touchable(self._ports, row, self._ports.gate.look())
