"""What an answer makes of a row in flight and of the gate (steps 4 and 5 of docs/architecture.md)."""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared import backoff, errors
from shared.answers import CreatedUpgrade
from shared.errors import RowChanged
from shared.events import about, emit
from shared.gate import Trouble
from shared.models import GateReason, InFlightUpgrade, Reason, State, Status
from shared.ports import Lease, Ports
from shared.results import finish


def created(ports: Ports, lease: Lease, upgrade: CreatedUpgrade) -> None:
    """The create call led to an upgrade: from now on it is polled."""
    ports.gate.note_answer()
    adopt(ports, replace(lease.row, attempts=lease.row.attempts + 1), upgrade)


def adopt(ports: Ports, row: InFlightUpgrade, upgrade: CreatedUpgrade) -> None:
    """The row gets its upgrade, new or found."""
    now = ports.clock.now()
    row = replace(
        row,
        state=State.IN_PROGRESS,
        upgrade_id=upgrade.upgrade_id,
        adopted=upgrade.adopted,
        submitted_at=now,
        next_attempt_at=now + _spread(ports, ports.settings.first_poll_s),
        refusals=0,
        refused_at=None,
        **_SETTLED,
    )
    if _write(ports, row):
        event = "upgrade.adopted" if upgrade.adopted else "upgrade.submitted"
        wait_s = round((now - row.requested_at).total_seconds(), 1)
        emit(logging.INFO, event, **about(row), attempts=row.attempts, wait_s=wait_s)


def not_created(ports: Ports, lease: Lease, error: errors.CallFailed) -> None:
    """The create call led to no upgrade that we know of."""
    match error:
        case errors.LeaseTooShort():
            # The row waits for its lease: whoever holds the row by then has all of a new one.
            _write(ports, replace(lease.row, outcome_unknown=lease.unknown_before))
        case errors.NotSent():
            set_back(ports, replace(lease.row, outcome_unknown=lease.unknown_before), error)
        case errors.RefusedForGood():
            _reject(ports, lease, error)
        case errors.OutcomeUnknown():
            set_back(ports, replace(lease.row, attempts=lease.row.attempts + 1), error)
        case errors.RefusedForNow() | errors.UpgradeNotFound():
            ports.gate.note_answer()
            row = refused(ports, replace(lease.row, attempts=lease.row.attempts + 1), error)
            if _refused_long_enough(ports, row):
                _reject(ports, lease, error)
            else:
                _defer(ports, replace(row, ms_request_id=ports.new_id(), outcome_unknown=False))
        case _:
            set_back(ports, _answered_unlooked(ports, lease), error)


def _answered_unlooked(ports: Ports, lease: Lease) -> InFlightUpgrade:
    """The row after a 429, a 401 or a denied access: answers that are given before the service looks at the request.

    So they tell nothing about an earlier call whose outcome is unknown: that one stays unknown, and its MS-RequestId
    stays, since only that one leads to what it may have created.
    """
    row = replace(lease.row, attempts=lease.row.attempts + 1, outcome_unknown=lease.unknown_before)
    return row if lease.unknown_before else replace(row, ms_request_id=ports.new_id())


def set_back(ports: Ports, row: InFlightUpgrade, error: errors.CallFailed) -> None:
    """Throttled, unavailable, unknown or credentials: moves the gate and the row, never the create's outcome."""
    cause = error.trouble if isinstance(error, errors.OutcomeUnknown) and error.trouble else error
    reason, wait_s, changes = _setback(ports, row, cause)
    shown = Reason.UNKNOWN_OUTCOME if isinstance(error, errors.OutcomeUnknown) else reason
    _defer(
        ports,
        replace(
            row,
            next_attempt_at=ports.clock.now() + timedelta(seconds=wait_s),
            last_reason=shown,
            last_code=_code(cause),
            last_description=cause.description or None,
            **changes,
        ),
    )


def _setback(ports: Ports, row: InFlightUpgrade, cause: errors.CallFailed) -> tuple[Reason, float, dict[str, Any]]:
    """Why the row waits, for how long, and what else changes. Tells the gate."""
    settings, gate = ports.settings, ports.gate
    own_s = backoff.doubling_s(settings.retry_first_s, settings.retry_max_s, row.setbacks)
    once_more = {"setbacks": row.setbacks + 1, "unauthorized": False}
    match cause:
        case errors.OutcomeUnknown():
            gate.note_unknown(row.key)
            return Reason.UNKNOWN_OUTCOME, backoff.spread_s(own_s, ports.random()), once_more
        case errors.Throttled(retry_after_s=asked_s):
            gate.note_answer()
            wait_s = own_s if asked_s is None else min(asked_s, settings.retry_after_max_s)
            gate.close(Trouble(GateReason.THROTTLED, _code(cause) or "429", wait_s, row.key))
            return Reason.THROTTLED, backoff.later_s(max(wait_s, own_s), ports.random()), once_more
        case errors.TokenUnavailable():
            held = gate.close(Trouble(GateReason.UNAVAILABLE, cause.description))
            return Reason.UNAVAILABLE, 0 if held else own_s, {}  # due at once: the gate alone holds it
        case errors.TokenRefused():
            held = gate.close(Trouble(GateReason.CREDENTIALS, cause.code))
            return Reason.CREDENTIALS, 0 if held else own_s, {}
        case errors.Unauthorized() if not row.unauthorized:
            gate.note_answer()
            return Reason.CREDENTIALS, 0, {"unauthorized": True}
        case errors.Unauthorized() | errors.AccessDenied():
            gate.note_answer()
            held = gate.close(Trouble(GateReason.CREDENTIALS, _code(cause) or "401", row_key=row.key))
            return Reason.CREDENTIALS, 0 if held else own_s, {"unauthorized": False}
        case _:  # a refusal, of the confirming call
            gate.note_answer()
            return Reason.UNKNOWN_OUTCOME, backoff.spread_s(own_s, ports.random()), once_more


def refused(ports: Ports, row: InFlightUpgrade, error: errors.Refused) -> InFlightUpgrade:
    """The row after "try again later", or after a refusal that nobody knows: counted by kind, with long delays."""
    now, settings = ports.clock.now(), ports.settings
    understood = isinstance(error, errors.RefusedForNow) and error.understood
    same_kind = row.refusals > 0 and row.refusal_understood == understood
    refusals = row.refusals + 1 if same_kind else 1
    delay_s = backoff.doubling_s(settings.refusal_first_s, settings.refusal_max_s, refusals - 1)
    return replace(
        row,
        next_attempt_at=now + _spread(ports, delay_s),
        refusals=refusals,
        refused_at=row.refused_at if same_kind else now,
        refusal_understood=understood,
        last_reason=Reason.REFUSED_FOR_NOW,
        last_code=_code(error),
        last_description=error.description or None,
        setbacks=0,
        unauthorized=False,
    )


def wait_for_status(ports: Ports, row: InFlightUpgrade, delay_s: float, server_status: str) -> None:
    """The service answered that the upgrade is not final."""
    now = ports.clock.now()
    row = replace(row, next_attempt_at=now + _spread(ports, delay_s), **_SETTLED, refusals=0, refused_at=None)
    if _write(ports, row):
        emit(
            logging.DEBUG,
            "upgrade.polled",
            **about(row),
            server_status=server_status,
            polls=row.polls,
            next_attempt_at=row.next_attempt_at,
        )


def defer_refused_status(ports: Ports, row: InFlightUpgrade, error: errors.Refused) -> None:
    """A status call that is refused for this row is "not yet", with the delays of a refusal."""
    _defer(ports, refused(ports, row, error))


def create_again(ports: Ports, row: InFlightUpgrade, error: errors.Refused) -> None:
    """The service has lost the upgrade: once, the row goes back to where a create call is due."""
    row = replace(
        row,
        state=State.DEFERRED,
        next_attempt_at=ports.clock.now(),
        ms_request_id=ports.new_id(),
        upgrade_id=None,
        submitted_at=None,
        adopted=False,
        recreated=True,
        **_SETTLED,
    )
    _defer(ports, replace(row, last_reason=Reason.REFUSED_FOR_NOW, last_code=_code(error)))


def _reject(ports: Ports, lease: Lease, error: errors.Refused) -> None:
    """Refused for good. Where an earlier call may have gone through, only after eligibility names no upgrade."""
    ports.gate.note_answer()
    row = replace(lease.row, attempts=lease.row.attempts + 1)
    if lease.unknown_before:
        try:
            upgrade_id = ports.partner_center.get_eligibility(row).upgrade_id
        except errors.CallFailed as trouble:
            set_back(ports, row, errors.OutcomeUnknown(error.description, code=error.code, trouble=trouble))
            return
        if upgrade_id:
            created(ports, lease, CreatedUpgrade(upgrade_id, adopted=True))
            return
    finish(ports, row, Status.REJECTED, error_code=_code(error), error_description=error.description or None)


def _refused_long_enough(ports: Ports, row: InFlightUpgrade) -> bool:
    if not row.refusal_understood:
        return row.refusals >= ports.settings.refusals_max
    waited = ports.clock.now() - (row.refused_at or ports.clock.now())
    return waited >= timedelta(days=ports.settings.refusal_deadline_d)


_SETTLED: dict[str, Any] = {
    "outcome_unknown": False,
    "setbacks": 0,
    "unauthorized": False,
    "last_reason": None,
    "last_code": None,
    "last_description": None,
}


def _defer(ports: Ports, row: InFlightUpgrade) -> None:
    """Stores a row that has to wait; its state says what for."""
    if row.state is State.ACCEPTED:
        row = replace(row, state=State.DEFERRED)
    if _write(ports, row):
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


def _write(ports: Ports, row: InFlightUpgrade) -> bool:
    """False: somebody else has the row by now, and what we know of it is theirs to find out."""
    try:
        ports.store.update_in_flight(row)
    except RowChanged:
        return False
    return True


def _spread(ports: Ports, delay_s: float) -> timedelta:
    return timedelta(seconds=backoff.spread_s(delay_s, ports.random()))


def _code(error: errors.CallFailed) -> str | None:
    return error.code or (str(error.http_status) if error.http_status else None)
