"""Who may call Partner Center now: one row in Table Storage that every process reads, and that trouble closes.

    open ──trouble──> closed until T ──past T, PollUpgrade──> recovering ──backlog worked off──> open
                          ^                                        │
                          └────────────────trouble─────────────────┘

`paused` is an operator's own position. Every write is conditional: who loses reads again and decides anew.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared import backoff
from shared.clock import Clock
from shared.errors import RowChanged, RowExists, StoreUnavailable
from shared.events import emit
from shared.evidence import Evidence
from shared.models import GateReason, GateState, Position
from shared.settings import Settings
from shared.single_flight import SingleFlight


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
        self._reads = SingleFlight[GateState]()
        self._seen: tuple[GateState, float] | None = None  # and when, by the monotonic clock
        self.evidence = Evidence()

    def look(self, *, fresh: bool = False) -> GateState:
        """The gate, read from the table at most GATE_CACHE_S ago.

        Raises:
            StoreUnavailable: nobody knows; then nobody may call.
        """
        if self._seen and not fresh:
            state, at = self._seen
            if self._clock.monotonic() - at < self._settings.gate_cache_s:
                return state
        return self._reads.run(self._read)

    def lets_through(self, state: GateState, *, create: bool) -> bool:
        """Whether PollUpgrade may make such a call (a create call, or another one) in this state."""
        match state.position:
            case Position.OPEN | Position.RECOVERING:
                return True
            case Position.PAUSED:
                return not create and self.is_past(state)
            case Position.CLOSED:
                return False

    def may_send(self, *, create: bool, direct: bool = False) -> bool:
        """Just before a call leaves: a write, a token may have taken long. `direct`: CreateUpgrade's own call."""
        try:
            state = self.look()
        except StoreUnavailable:
            return False
        return state.position is Position.OPEN if direct else self.lets_through(state, create=create)

    def is_past(self, state: GateState) -> bool:
        """Whether the T of a closed or paused gate has passed."""
        return state.until_at is None or state.until_at <= self._clock.now()

    def close(self, trouble: Trouble) -> bool:
        """Closes the gate, or moves the T of a closed one. False: it could not be written, so it holds nobody."""

        def closing(state: GateState) -> GateState | None:
            until_at = self._until(trouble, state)
            if state.position in (Position.OPEN, Position.RECOVERING):
                return self._closed(state, trouble, until_at)
            if state.position is Position.PAUSED and self.is_past(state):
                closures = state.closures + (trouble.reason is not GateReason.THROTTLED)
                return replace(state, until_at=until_at, detail=trouble.detail, closures=closures)
            later = state.until_at is not None and until_at > state.until_at
            return replace(state, until_at=until_at) if later and trouble.reason is GateReason.THROTTLED else None

        try:
            before, after = self._change(closing)
        except StoreUnavailable:
            return False
        if before.position is not after.position:
            self.evidence.gate_closed()
            emit(logging.WARNING, "gate.closed", reason=trouble.reason, detail=trouble.detail, until=after.until_at)
        return True

    def recover(self) -> None:
        """PollUpgrade, past T: from `closed` to `recovering`.

        Raises:
            StoreUnavailable: as for `open`, `pause`, `resume` and `mend`: the gate stays as it is.
        """

        def recovering(state: GateState) -> GateState | None:
            if state.position is not Position.CLOSED or not self.is_past(state):
                return None
            return replace(state, position=Position.RECOVERING)

        self.evidence.forget()
        self._announce("gate.recovering", *self._change(recovering))

    def open(self) -> None:
        """PollUpgrade, when the backlog is worked off: from `recovering` to `open`."""

        def opened(state: GateState) -> GateState | None:
            if state.position is not Position.RECOVERING:
                return None
            return GateState(changed_at=self._clock.now(), etag=state.etag)

        before, after = self._change(opened)
        closed_s = (self._clock.now() - (before.changed_at or self._clock.now())).total_seconds()
        self._announce("gate.opened", before, after, closed_s=round(closed_s, 1))

    def pause(self, detail: str) -> None:
        """An operator: no create calls until `resume`, whatever else happens."""

        def paused(state: GateState) -> GateState | None:
            if state.position is Position.PAUSED:
                return None
            until_at = state.until_at if state.position is Position.CLOSED else None
            return replace(
                GateState(position=Position.PAUSED, reason=GateReason.OPERATOR, detail=detail, until_at=until_at),
                changed_at=self._clock.now(),
                closures=state.closures,
                etag=state.etag,
            )

        before, after = self._change(paused)
        if before is not after:
            emit(logging.INFO, "gate.paused", reason=after.reason, detail=detail)

    def resume(self) -> None:
        """An operator: from `paused` to `recovering`; whatever T a trouble has set is over."""

        def resumed(state: GateState) -> GateState | None:
            if state.position is not Position.PAUSED:
                return None
            return replace(state, position=Position.RECOVERING, until_at=self._clock.now())

        self._announce("gate.recovering", *self._change(resumed))

    def is_unproved(self) -> bool:
        """Whether the gate is recovering, and no answer has come yet that shows that the trouble is over."""
        try:
            return self.look().position is Position.RECOVERING and not self.evidence.proved
        except StoreUnavailable:
            return False

    def mend(self) -> None:
        """Whoever has mended the trouble (a new consent): T of a closed gate is now."""

        def mended(state: GateState) -> GateState | None:
            return None if self.is_past(state) else replace(state, until_at=self._clock.now())

        self._change(mended)

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
            # A gate that was recovering has been closed since then.
            changed_at=state.changed_at if state.position is Position.RECOVERING else self._clock.now(),
            closures=state.closures + (trouble.reason is not GateReason.THROTTLED),
            closed_by=trouble.row_key,
            etag=state.etag,
        )

    def _change(self, decide: Callable[[GateState], GateState | None]) -> tuple[GateState, GateState]:
        """Reads, decides, writes under the etag; again where somebody else was faster.

        The states before and after: the same object where there was nothing to change.
        """
        while True:
            before = self._read()
            wanted = decide(before)
            if wanted is None:
                return before, before
            try:
                after = self._store.write_gate(wanted)
            except (RowChanged, RowExists):
                continue
            self._seen = (after, self._clock.monotonic())
            return before, after

    def _read(self) -> GateState:
        state = self._store.get_gate()
        self._seen = (state, self._clock.monotonic())
        return state

    def _announce(self, event: str, before: GateState, after: GateState, **fields: object) -> None:
        if before is not after:
            emit(logging.INFO, event, reason=before.reason or after.reason, **fields)
