"""Step 5: one due row, and the status call that it waits for."""

import logging
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from shared import backoff, errors
from shared.answers import CreatedUpgrade, UpgradeStatus
from shared.events import about, emit
from shared.models import CensusRow, GateState, InFlightUpgrade, State, Status
from shared.outcomes import adopt, create_again, wait_for_status
from shared.ports import MaySend, Ports
from shared.refusals import is_of_another_upgrade
from shared.results import finish
from shared.setbacks import code_of, defer, is_own_refusal, refused, set_back
from shared.upgrades import check_and_submit, take


def touch(ports: Ports, row: InFlightUpgrade) -> frozenset[str]:
    """Does what a due row waits for. What was done: of `submitted`, `polled`, `finished`. Never raises.

    Whatever goes wrong with one row moves that row only.
    """
    try:
        return _touch(ports, row)
    except Exception as error:  # noqa: BLE001  one row never ends a tick
        _move_failed(ports, row, error)
        return frozenset()


def is_touchable(ports: Ports, row: InFlightUpgrade, gate: GateState) -> bool:
    """Whether PollUpgrade may touch the row while the gate is like this."""
    return row.state is State.WITHDRAWN or ports.gate.lets_through(gate, create=row.upgrade_id is None)


def is_overdue(ports: Ports, row: InFlightUpgrade | CensusRow) -> bool:
    """Whether the upgrade is in progress for longer than its deadline, counted from the accepted create."""
    since = row.submitted_at if row.state is State.IN_PROGRESS else None
    return since is not None and ports.clock.now() - since >= timedelta(hours=ports.settings.upgrade_deadline_h)


def _touch(ports: Ports, row: InFlightUpgrade) -> frozenset[str]:
    if row.state is State.WITHDRAWN:
        finish(ports, row, Status.CANCELLED)
        return frozenset({"finished"})
    if row.upgrade_id is None:
        lease = take(ports, row)
        return check_and_submit(ports, lease) if lease else frozenset()
    return _poll(ports, row, row.upgrade_id)


def _poll(ports: Ports, row: InFlightUpgrade, upgrade_id: str) -> frozenset[str]:
    """One status call, and what follows from it. The deadline counts only after an answer: outages time nothing out."""
    polled = replace(row, polls=row.polls + 1)
    try:
        status = ports.partner_center.get_status(row, upgrade_id, may_send=_may_send(ports))
    except errors.HeldBack:
        return frozenset()  # still due: the gate alone holds it
    except errors.NotSent as error:
        set_back(ports, row, error)
        return frozenset()
    except errors.CallFailed as error:
        return _not_answered(ports, polled, error)
    ports.gate.evidence.note_answer(row)
    return _answered(ports, polled, status)


def _not_answered(ports: Ports, row: InFlightUpgrade, error: errors.CallFailed) -> frozenset[str]:
    match error:
        case errors.UpgradeNotFound():
            ports.gate.evidence.note_answer(row)
            return _not_found(ports, row, error)
        case errors.RefusedForNow() if is_of_another_upgrade(error.code):
            ports.gate.evidence.note_answer(row)
            return _ask_eligibility(ports, row, error)
        case errors.RefusedForGood() | errors.RefusedForNow():
            ports.gate.evidence.note_answer(row)
            return _refused(ports, row, error)
        case errors.Refused() if is_own_refusal(ports, row, error):
            ports.gate.evidence.note_answer(row)
            return _refused(ports, row, error)
    set_back(ports, row, error)
    return frozenset({"polled"})


def _answered(ports: Ports, row: InFlightUpgrade, status: UpgradeStatus) -> frozenset[str]:
    if status.end is None and not is_overdue(ports, row):
        settings = ports.settings
        delay_s = backoff.doubling_s(settings.first_poll_s, settings.max_poll_s, row.polls)
        wait_for_status(ports, row, delay_s, status.server_status)
        return frozenset({"polled"})
    finish(
        ports,
        row,
        status.end or Status.TIMED_OUT,
        server_status=status.server_status or None,
        error_code=status.error_code,
        error_description=status.error_description,
        line_items=status.line_items,
        line_items_failed=status.line_items_failed,
    )
    return frozenset({"polled", "finished"})


def _refused(ports: Ports, row: InFlightUpgrade, error: errors.Refused) -> frozenset[str]:
    """Counts as "not yet", with the delays of a refusal; past the deadline as a refusal to tell."""
    if not is_overdue(ports, row):
        defer(ports, refused(ports, row, error))
        return frozenset({"polled"})
    finish(ports, row, Status.TIMED_OUT, error_code=code_of(error), error_description=error.description or None)
    return frozenset({"polled", "finished"})


def _not_found(ports: Ports, row: InFlightUpgrade, error: errors.UpgradeNotFound) -> frozenset[str]:
    """Young: not yet. Older: eligibility tells."""
    grace = timedelta(seconds=ports.settings.not_found_grace_s)
    if row.submitted_at is None or ports.clock.now() - row.submitted_at < grace:
        wait_for_status(ports, row, ports.settings.first_poll_s, "")
        return frozenset({"polled"})
    return _ask_eligibility(ports, row, error)


def _ask_eligibility(ports: Ports, row: InFlightUpgrade, error: errors.Refused) -> frozenset[str]:
    """The upgrade that is in place is adopted; where there is none, it is created again, once."""
    try:
        in_place = ports.partner_center.get_eligibility(row, may_send=_may_send(ports)).upgrade_id
    except errors.CallFailed as trouble:
        set_back(ports, row, trouble)
        return frozenset({"polled"})
    if in_place == row.upgrade_id:
        return _refused(ports, row, error)
    if in_place:
        adopt(ports, row, CreatedUpgrade(in_place, adopted=True))
    elif not row.recreated:
        create_again(ports, row, error)
    else:
        finish(ports, row, Status.FAILED, error_code=code_of(error), error_description=error.description or None)
        return frozenset({"polled", "finished"})
    return frozenset({"polled"})


def _may_send(ports: Ports) -> MaySend:
    return partial(ports.gate.may_send, create=False)


def _move_failed(ports: Ports, row: InFlightUpgrade, error: Exception) -> None:
    settings = ports.settings
    delay_s = backoff.doubling_s(settings.retry_first_s, settings.retry_max_s, row.setbacks)
    next_attempt_at = ports.clock.now() + timedelta(seconds=backoff.spread_s(delay_s, ports.random()))
    moved = None
    # Changed: whoever has it knows better, a lease of ours runs out. Unavailable: the row stays due.
    with suppress(errors.StoreError):
        failed = replace(row, next_attempt_at=next_attempt_at, setbacks=row.setbacks + 1)
        moved = ports.store.update_in_flight(failed).next_attempt_at
    emit(logging.ERROR, "row.failed", **about(row), error_type=type(error).__name__, next_attempt_at=moved)
