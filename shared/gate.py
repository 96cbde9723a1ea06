"""Who may call Partner Center now: one row in Table Storage that every process reads, and that trouble closes.

    open ──trouble──> closed until T ──past T, PollUpgrade──> recovering ──backlog worked off──> open
                          ^                                        │
                          └────────────────trouble─────────────────┘

`paused` is an operator's own position. Every write is conditional: who loses reads again and decides anew.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared import backoff
from shared.clock import Clock
from shared.errors import RowChanged, RowExists, StoreUnavailable
from shared.events import emit
from shared.models import GateReason, GateState, Position
from shared.settings import Settings

UNKNOWN_OUTCOMES = 5  # of so many different rows in a row, with no answer in between, close the gate


class GateStore(Protocol):
    """The gate's row. `write_gate` is conditional on the state's etag; an empty one inserts."""

    def get_gate(self) -> GateState: ...

    def write_gate(self, state: GateState) -> GateState: ...


@dataclass(frozen=True, slots=True)
class Trouble:
    """What closes the gate. `wait_s`: None means the gate's own backoff. `row_key`: of the row that was answered."""

    reason: GateReason
    detail: str
    wait_s: float | None = None
    row_key: str | None = None


class Gate:
    """The gate as one process sees it. Safe to be used by many threads at once."""

    def __init__(self, store: GateStore, clock: Clock, settings: Settings, random: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._random = random
        self._lock = threading.Lock()
        self._state: GateState | None = None
        self._read_at = 0.0
        self._unknown: set[str] = set()

    def look(self, *, fresh: bool = False) -> GateState:
        """The gate, read from the table at most GATE_CACHE_S ago.

        Raises:
            StoreUnavailable: nobody knows; then nobody may call.
        """
        with self._lock:
            age_s = self._clock.monotonic() - self._read_at
            if fresh or self._state is None or age_s >= self._settings.gate_cache_s:
                self._remember(self._store.get_gate())
            assert self._state
            return self._state

    def is_past(self, state: GateState) -> bool:
        """Whether the T of a closed gate has passed."""
        return state.until_at is None or state.until_at <= self._clock.now()

    def note_answer(self) -> None:
        """The service answered a call: the run of unknown outcomes is over."""
        self._unknown.clear()

    def note_unknown(self, row_key: str) -> None:
        """A call's outcome is unknown; too many in a row are an outage."""
        self._unknown.add(row_key)
        if len(self._unknown) >= UNKNOWN_OUTCOMES:
            self._unknown.clear()
            self.close(Trouble(GateReason.UNAVAILABLE, f"{UNKNOWN_OUTCOMES} unknown outcomes in a row"))

    def close(self, trouble: Trouble) -> bool:
        """Closes the gate, or moves the T of a closed one. False: it could not be written, so it holds nobody."""

        def closing(state: GateState) -> GateState | None:
            until_at = self._until(trouble, state)
            if state.position in (Position.OPEN, Position.RECOVERING):
                return self._closed(state, trouble, until_at)
            later = state.until_at is None or until_at > state.until_at
            if state.position is Position.PAUSED:
                return replace(state, until_at=until_at, detail=trouble.detail) if later else None
            return replace(state, until_at=until_at) if later and trouble.reason is GateReason.THROTTLED else None

        try:
            before, after = self._change(closing)
        except StoreUnavailable:
            return False
        if before.position is not after.position:
            emit(logging.WARNING, "gate.closed", reason=trouble.reason, detail=trouble.detail, until=after.until_at)
        return True

    def recover(self) -> None:
        """PollUpgrade, past T: from `closed` to `recovering`.

        Raises:
            StoreUnavailable: the gate stays as it is.
        """

        def recovering(state: GateState) -> GateState | None:
            if state.position is not Position.CLOSED or not self.is_past(state):
                return None
            return replace(state, position=Position.RECOVERING, changed_at=self._clock.now())

        before, after = self._change(recovering)
        if before is not after:
            emit(logging.INFO, "gate.recovering", reason=after.reason)

    def open(self) -> None:
        """PollUpgrade, when the backlog is worked off: from `recovering` to `open`.

        Raises:
            StoreUnavailable: the gate stays as it is.
        """

        def opened(state: GateState) -> GateState | None:
            if state.position is not Position.RECOVERING:
                return None
            return GateState(changed_at=self._clock.now(), etag=state.etag)

        before, after = self._change(opened)
        if before is not after and before.changed_at:
            closed_s = (self._clock.now() - before.changed_at).total_seconds()
            emit(logging.INFO, "gate.opened", reason=before.reason, closed_s=round(closed_s, 1))

    def _until(self, trouble: Trouble, state: GateState) -> datetime:
        settings = self._settings
        wait_s = trouble.wait_s
        if wait_s is None:
            wait_s = backoff.doubling_s(settings.retry_first_s, settings.retry_max_s, state.closures)
        return self._clock.now() + timedelta(seconds=backoff.later_s(wait_s, self._random()))

    def _closed(self, state: GateState, trouble: Trouble, until_at: datetime) -> GateState:
        return GateState(
            position=Position.CLOSED,
            reason=trouble.reason,
            detail=trouble.detail,
            until_at=until_at,
            changed_at=self._clock.now(),
            closures=state.closures + (trouble.reason is not GateReason.THROTTLED),
            closed_by=trouble.row_key,
            etag=state.etag,
        )

    def _change(self, decide: Callable[[GateState], GateState | None]) -> tuple[GateState, GateState]:
        """Reads, decides, writes under the etag; again where somebody else was faster.

        The states before and after: the same object where there was nothing to change.
        """
        with self._lock:
            while True:
                before = self._store.get_gate()
                self._remember(before)
                wanted = decide(before)
                if wanted is None:
                    return before, before
                try:
                    after = self._store.write_gate(wanted)
                except (RowChanged, RowExists):
                    continue
                self._remember(after)
                return before, after

    def _remember(self, state: GateState) -> None:
        self._state = state
        self._read_at = self._clock.monotonic()
