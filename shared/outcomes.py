"""What the answer to a create call makes of its row (step 4 of docs/architecture.md), and what a row becomes next."""

import logging
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from shared import backoff, errors
from shared.answers import CreatedUpgrade
from shared.events import about, emit
from shared.models import InFlightUpgrade, Reason, State, Status
from shared.ports import Lease, Ports
from shared.results import finish
from shared.setbacks import code_of, defer, is_own_refusal, is_refused_long_enough, refused, set_back, write

# Of a row whose call was answered, and which waits for nothing but the service.
_QUIET: dict[str, Any] = {
    "outcome_unknown": False,
    "setbacks": 0,
    "unauthorized": False,
    "refusals": 0,
    "refused_at": None,
    "refused_code": None,
    "last_reason": None,
    "last_code": None,
    "last_description": None,
}


def created(ports: Ports, lease: Lease, upgrade: CreatedUpgrade) -> None:
    """The create call led to an upgrade: from now on it is polled."""
    ports.gate.evidence.note_answer(lease.row)
    adopt(ports, _attempted(lease), upgrade)


def adopt(ports: Ports, row: InFlightUpgrade, upgrade: CreatedUpgrade) -> bool:
    """The row gets its upgrade, new or found. False: somebody else has the row by now."""
    now = ports.clock.now()
    row = replace(
        row,
        state=State.IN_PROGRESS,
        upgrade_id=upgrade.upgrade_id,
        adopted=upgrade.adopted,
        submitted_at=now,
        next_attempt_at=now + _spread(ports, ports.settings.first_poll_s),
        **_QUIET,
    )
    if not write(ports, row):
        return False
    event = "upgrade.adopted" if upgrade.adopted else "upgrade.submitted"
    wait_s = round((now - row.requested_at).total_seconds(), 1)
    emit(logging.INFO, event, **about(row), attempts=row.attempts, wait_s=wait_s)
    return True


def not_created(ports: Ports, lease: Lease, error: errors.CallFailed) -> bool:
    """The create call led to no upgrade that we know of. True: the request has ended."""
    match error:
        case errors.LeaseTooShort():
            # The row waits for its lease: whoever holds the row by then has all of a new one.
            write(ports, replace(lease.row, outcome_unknown=lease.unknown_before))
        case errors.NotSent():
            set_back(ports, replace(lease.row, outcome_unknown=lease.unknown_before), error)
        case errors.OutcomeUnknown():
            set_back(ports, _attempted(lease), error)
        case errors.RefusedForGood():
            ports.gate.evidence.note_answer(lease.row)
            return _reject(ports, lease, error)
        case errors.RefusedForNow() | errors.UpgradeNotFound():
            ports.gate.evidence.note_answer(lease.row)
            return _refused_for_now(ports, lease, error, replace(_renewed(ports, lease), outcome_unknown=False))
        case errors.Refused() if is_own_refusal(ports, lease.row, error):
            ports.gate.evidence.note_answer(lease.row)
            return _refused_for_now(ports, lease, error, _unseen(ports, lease))
        case _:
            set_back(ports, _unseen(ports, lease), error)
    return False


def _refused_for_now(ports: Ports, lease: Lease, error: errors.Refused, row: InFlightUpgrade) -> bool:
    row = refused(ports, row, error)
    if is_refused_long_enough(ports, row):
        return _reject(ports, lease, error)
    defer(ports, row)
    return False


def _unseen(ports: Ports, lease: Lease) -> InFlightUpgrade:
    """The row after a 429, a 401 or a denied access, which are given before the service looks at the request.

    So they tell nothing about an earlier call whose outcome is unknown: that one stays unknown, and its MS-RequestId
    stays, since only that one leads to what it may have created.
    """
    row = _attempted(lease) if lease.unknown_before else _renewed(ports, lease)
    return replace(row, outcome_unknown=lease.unknown_before)


def _reject(ports: Ports, lease: Lease, error: errors.Refused) -> bool:
    """Refused for good. Where an earlier call may have gone through, only after eligibility names no upgrade."""
    row = _attempted(lease)
    if lease.unknown_before:
        try:
            may_send = partial(ports.gate.may_send, create=True, direct=lease.direct)
            upgrade_id = ports.partner_center.get_eligibility(row, may_send=may_send).upgrade_id
        except errors.CallFailed as trouble:
            set_back(ports, row, errors.OutcomeUnknown(error.description, code=error.code, trouble=trouble))
            return False
        if upgrade_id:
            adopt(ports, row, CreatedUpgrade(upgrade_id, adopted=True))
            return False
    return finish(ports, row, Status.REJECTED, error_code=code_of(error), error_description=error.description or None)


def wait_for_status(ports: Ports, row: InFlightUpgrade, delay_s: float, server_status: str) -> None:
    """The service answered that the upgrade is not final."""
    row = replace(row, next_attempt_at=ports.clock.now() + _spread(ports, delay_s), **_QUIET)
    if write(ports, row):
        emit(
            logging.DEBUG,
            "upgrade.polled",
            **about(row),
            server_status=server_status,
            polls=row.polls,
            next_attempt_at=row.next_attempt_at,
        )


def create_again(ports: Ports, row: InFlightUpgrade, error: errors.Refused) -> None:
    """The service has lost the upgrade: once, the row goes back to where a create call is due."""
    row = replace(
        _with_new_id(ports, row),
        state=State.DEFERRED,
        next_attempt_at=ports.clock.now(),
        upgrade_id=None,
        submitted_at=None,
        adopted=False,
        recreated=True,
        **_QUIET,
    )
    defer(ports, replace(row, last_reason=Reason.REFUSED_FOR_NOW, last_code=code_of(error)))


def _attempted(lease: Lease) -> InFlightUpgrade:
    return replace(lease.row, attempts=lease.row.attempts + 1)


def _renewed(ports: Ports, lease: Lease) -> InFlightUpgrade:
    return _with_new_id(ports, _attempted(lease))


def _with_new_id(ports: Ports, row: InFlightUpgrade) -> InFlightUpgrade:
    """For the next create call; the answered one is kept for the vendor's support."""
    return replace(row, ms_request_id=ports.new_id(), answered_ms_request_id=row.ms_request_id)


def _spread(ports: Ports, delay_s: float) -> timedelta:
    return timedelta(seconds=backoff.spread_s(delay_s, ports.random()))
