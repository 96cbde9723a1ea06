"""An answer, or the lack of one, that leaves a row waiting: for how long, why, and what it does to the gate."""

import logging
from dataclasses import dataclass, replace
from datetime import timedelta

from shared import backoff, errors
from shared.errors import RowChanged
from shared.events import about, emit
from shared.gate import Trouble
from shared.models import GateReason, InFlightUpgrade, Reason, State
from shared.ports import Ports
from shared.refusals import is_understood


@dataclass(frozen=True, slots=True)
class Setback:
    """`wait_s` 0: due at once, held by the gate alone. `counts`: the next one waits longer."""

    reason: Reason
    wait_s: float
    counts: bool = False
    unauthorized: bool = False


def set_back(ports: Ports, row: InFlightUpgrade, error: errors.CallFailed) -> None:
    """Throttled, unavailable, unknown, credentials: moves the gate and the row, never the create call's outcome."""
    unknown = isinstance(error, errors.OutcomeUnknown)
    cause = error.trouble if isinstance(error, errors.OutcomeUnknown) and error.trouble else error
    setback = _setback(ports, row, cause)
    defer(
        ports,
        replace(
            row,
            next_attempt_at=ports.clock.now() + timedelta(seconds=setback.wait_s),
            setbacks=row.setbacks + setback.counts,
            unauthorized=setback.unauthorized,
            last_reason=Reason.UNKNOWN_OUTCOME if unknown else setback.reason,
            last_code=code_of(cause),
            last_description=cause.description or None,
        ),
    )


def _setback(ports: Ports, row: InFlightUpgrade, cause: errors.CallFailed) -> Setback:
    """Tells the gate, too."""
    match cause:
        case errors.HeldBack():
            return Setback(Reason.GATE, 0)
        case errors.OutcomeUnknown():
            return _unknown(ports, row)
        case errors.Throttled():
            return _throttled(ports, row, cause)
        case errors.TokenUnavailable():
            trouble = Trouble(GateReason.UNAVAILABLE, cause.description)
            return Setback(Reason.UNAVAILABLE, _held_s(ports, row, trouble))
        case errors.TokenRefused():
            return Setback(Reason.CREDENTIALS, _held_s(ports, row, Trouble(GateReason.CREDENTIALS, cause.code)))
        case errors.Unauthorized() if not row.unauthorized and not ports.gate.is_unproved():
            ports.gate.evidence.note_answer(row, reason=GateReason.CREDENTIALS)
            return Setback(Reason.CREDENTIALS, 0, unauthorized=True)
        case errors.Unauthorized() | errors.AccessDenied():
            ports.gate.evidence.note_answer(row, reason=GateReason.CREDENTIALS)
            trouble = Trouble(GateReason.CREDENTIALS, code_of(cause) or "401", row_key=row.key)
            return Setback(Reason.CREDENTIALS, _held_s(ports, row, trouble))
        case _:  # of the confirming call: it was refused
            ports.gate.evidence.note_answer(row)
            return Setback(Reason.UNKNOWN_OUTCOME, backoff.spread_s(_own_s(ports, row), ports.random()), counts=True)


def _unknown(ports: Ports, row: InFlightUpgrade) -> Setback:
    """An outage where it meets many rows, or the one that was to find out whether an outage is over."""
    gate = ports.gate
    if gate.evidence.note_unknown(row) or gate.is_unproved():
        gate.close(Trouble(GateReason.UNAVAILABLE, "unknown outcomes", row_key=row.key))
    return Setback(Reason.UNKNOWN_OUTCOME, backoff.spread_s(_own_s(ports, row), ports.random()), counts=True)


def _throttled(ports: Ports, row: InFlightUpgrade, cause: errors.Throttled) -> Setback:
    """Closes the gate; but limits may count per customer: one that is refused while others get through waits alone."""
    asked_s, own_s = _asked_s(ports, cause), _own_s(ports, row)
    alone = ports.gate.evidence.is_alone_throttled(row)
    ports.gate.evidence.note_answer(row, reason=GateReason.THROTTLED)
    if not alone:
        throttle(ports, row.key, cause, or_s=own_s)
    # The first time it waits as it was told; then longer each time.
    longest_s = asked_s if asked_s and not row.setbacks else max(asked_s or 0.0, own_s)
    return Setback(Reason.THROTTLED, backoff.later_s(longest_s, ports.random()), counts=True)


def throttle(ports: Ports, row_key: str, cause: errors.Throttled, *, or_s: float | None = None) -> bool:
    """Closes the gate for the Retry-After; without one for `or_s`, None being the gate's own backoff.

    `row_key`: whose answer it was. False: it could not be closed.
    """
    asked_s = _asked_s(ports, cause)
    wait_s = or_s if asked_s is None else asked_s
    return ports.gate.close(Trouble(GateReason.THROTTLED, code_of(cause) or "429", wait_s, row_key))


def _asked_s(ports: Ports, cause: errors.Throttled) -> float | None:
    """The Retry-After, bounded: one odd header must not stop everything for a day."""
    return None if cause.retry_after_s is None else min(cause.retry_after_s, ports.settings.retry_after_max_s)


def _held_s(ports: Ports, row: InFlightUpgrade, trouble: Trouble) -> float:
    """Closes the gate, which then holds the row; one that cannot be written holds nobody, so the row waits itself."""
    return 0 if ports.gate.close(trouble) else _own_s(ports, row)


def is_own_refusal(ports: Ports, row: InFlightUpgrade, error: errors.CallFailed) -> bool:
    """Whether our access is denied for this customer alone: it was before, or others get through by now."""
    if not isinstance(error, errors.AccessDenied | errors.Unauthorized):
        return False
    if row.denied_code is not None and row.denied_code == code_of(error):
        return True
    return row.last_reason is Reason.CREDENTIALS and ports.gate.evidence.others_get_through(row)


def refused(ports: Ports, row: InFlightUpgrade, error: errors.Refused) -> InFlightUpgrade:
    """The row after "try again later", or after a refusal that nobody knows: counted by kind, with long delays."""
    now, settings, code = ports.clock.now(), ports.settings, code_of(error)
    same_kind = row.refusals > 0 and is_understood(row.refused_code) == is_understood(code)
    refusals = row.refusals + 1 if same_kind else 1
    delay_s = backoff.doubling_s(settings.refusal_first_s, settings.refusal_max_s, refusals - 1)
    return replace(
        row,
        next_attempt_at=now + timedelta(seconds=backoff.spread_s(delay_s, ports.random())),
        refusals=refusals,
        refused_at=row.refused_at if same_kind else now,
        refused_code=code,
        # Never forgotten: an access that is denied to this customer alone does not close the gate again.
        denied_code=code if isinstance(error, errors.AccessDenied | errors.Unauthorized) else row.denied_code,
        last_reason=Reason.REFUSED_FOR_NOW,
        last_code=code,
        last_description=error.description or None,
        setbacks=0,
        unauthorized=False,
    )


def is_refused_long_enough(ports: Ports, row: InFlightUpgrade) -> bool:
    """Whether a create call that is refused for now is to be given up."""
    if not is_understood(row.refused_code):
        return row.refusals >= ports.settings.refusals_max
    waited = ports.clock.now() - (row.refused_at or ports.clock.now())
    return waited >= timedelta(days=ports.settings.refusal_deadline_d)


def defer(ports: Ports, row: InFlightUpgrade) -> None:
    """Stores a row that has to wait; its state says what for."""
    if row.state is State.ACCEPTED:
        row = replace(row, state=State.DEFERRED)
    if write(ports, row):
        log_deferred(row)


def log_deferred(row: InFlightUpgrade) -> None:
    emit(
        logging.INFO,
        "upgrade.deferred",
        **about(row),
        reason=row.last_reason,
        code=row.last_code,
        next_attempt_at=row.next_attempt_at,
        attempts=row.attempts,
    )


def write(ports: Ports, row: InFlightUpgrade) -> bool:
    """False: somebody else has the row by now, and what we know of it is theirs to find out."""
    try:
        ports.store.update_in_flight(row)
    except RowChanged:
        return False
    return True


def code_of(error: errors.CallFailed) -> str | None:
    return error.code or (str(error.http_status) if error.http_status else None)


def _own_s(ports: Ports, row: InFlightUpgrade) -> float:
    return backoff.doubling_s(ports.settings.retry_first_s, ports.settings.retry_max_s, row.setbacks)
