"""Steps 2 to 4: claim a request, check what became of earlier ones, submit it. What CreateUpgrade does.

Knows neither azure.* nor HTTP nor the clock: they come in as `Ports`.
"""

import logging
from dataclasses import replace
from datetime import timedelta
from functools import partial

from shared import errors
from shared.errors import RowChanged, RowExists, StoreUnavailable
from shared.events import about, emit
from shared.models import InFlightUpgrade, Position, Reason, State, Status, UpgradeRequest
from shared.outcomes import created, not_created
from shared.ports import Lease, Ports
from shared.results import drop, finish, record_duplicate
from shared.setbacks import log_deferred


def claim(ports: Ports, request: UpgradeRequest) -> Lease | None:
    """Step 2. A lease where this call has claimed and the gate is open; None where there is nothing left to do.

    Raises:
        StoreUnavailable: neither a row nor a result could be written, so the message must be kept.
    """
    gate_open = _gate_is_open(ports)
    while True:
        started = ports.clock.monotonic()
        try:
            row = ports.store.insert_in_flight(_new_row(ports, request, gate_open=gate_open))
        except RowExists:
            if _is_settled(ports, request):
                return None
            continue
        emit(logging.INFO, "upgrade.accepted", **about(request))
        if not gate_open:
            log_deferred(row)
            return None
        return Lease(row, started + ports.settings.lease_s, unknown_before=False, direct=True)


def submit_claimed(ports: Ports, lease: Lease) -> None:
    """Steps 3 and 4 right after the claim. Never raises: the row speaks for the request now, not the message."""
    try:
        check_and_submit(ports, lease)
    except Exception as error:  # noqa: BLE001  whatever it was, the row is due again when its lease ends
        due_at = lease.row.next_attempt_at
        emit(logging.ERROR, "row.failed", **about(lease.row), error_type=type(error).__name__, next_attempt_at=due_at)


def take(ports: Ports, row: InFlightUpgrade) -> Lease | None:
    """PollUpgrade's claim: takes a due row for the time of a create call. None: somebody else was faster."""
    started = ports.clock.monotonic()
    lease_ends_at = ports.clock.now() + timedelta(seconds=ports.settings.lease_s)
    try:
        taken = ports.store.update_in_flight(replace(row, next_attempt_at=lease_ends_at, outcome_unknown=True))
    except RowChanged:
        return None
    return Lease(taken, started + ports.settings.lease_s, unknown_before=row.outcome_unknown)


def check_and_submit(ports: Ports, lease: Lease) -> frozenset[str]:
    """Steps 3 and 4. What was done: of `submitted`, `finished`; nothing where the results have answered the request."""
    if _is_answered(ports, lease.row):
        return frozenset()
    try:
        may_send = partial(ports.gate.may_send, create=True, direct=lease.direct)
        upgrade = ports.partner_center.create_upgrade(lease.row, lease_ends=lease.ends, may_send=may_send)
    except errors.NotSent as error:
        not_created(ports, lease, error)
        return frozenset()
    except errors.CallFailed as error:
        return frozenset({"submitted", "finished"} if not_created(ports, lease, error) else {"submitted"})
    created(ports, lease, upgrade)
    return frozenset({"submitted"})


def may_be_withdrawn(row: InFlightUpgrade) -> bool:
    """Whether surely no create call of this row can be on its way, or have gone through."""
    return row.upgrade_id is None and not row.outcome_unknown and row.state is not State.WITHDRAWN


def withdraw(ports: Ports, row: InFlightUpgrade) -> bool:
    """An operator takes a waiting request back. False: it is too late, or somebody was faster.

    The mark alone keeps others from submitting; whoever finds it writes the result.
    """
    if not may_be_withdrawn(row):
        return False
    try:
        marked = ports.store.update_in_flight(replace(row, state=State.WITHDRAWN, next_attempt_at=ports.clock.now()))
    except RowChanged:
        return False
    return finish(ports, marked, Status.CANCELLED)


def _gate_is_open(ports: Ports) -> bool:
    """A gate that cannot be read is not open: PollUpgrade will find out."""
    try:
        return ports.gate.look().position is Position.OPEN
    except StoreUnavailable:
        return False


def _new_row(ports: Ports, request: UpgradeRequest, *, gate_open: bool) -> InFlightUpgrade:
    now = ports.clock.now()
    lease = timedelta(seconds=ports.settings.lease_s if gate_open else 0)
    return InFlightUpgrade(
        customer_id=request.customer_id,
        product_family=request.product_family,
        request_id=request.request_id,
        state=State.ACCEPTED if gate_open else State.DEFERRED,
        next_attempt_at=now + lease,
        ms_request_id=ports.new_id(),
        correlation_id=request.correlation_id,
        outcome_unknown=gate_open,
        requested_at=request.requested_at,
        claimed_at=now,
        last_reason=None if gate_open else Reason.GATE,
    )


def _is_settled(ports: Ports, request: UpgradeRequest) -> bool:
    """A conflict: whose row is it? False: it is gone, or was a leftover and is cleared, so claim again."""
    found = ports.store.get_in_flight(request.customer_id, request.product_family)
    if found is None:
        return False
    if found.answers(request):
        return True
    if found.state is State.WITHDRAWN:
        finish(ports, found, Status.CANCELLED)
        return False
    verdict = ports.store.get_result(found.customer_id, found.product_family, found.request_id)
    if verdict and verdict.is_verdict:
        drop(ports, found)
        return False
    record_duplicate(ports, request, of=found.request_id)
    return True


def _is_answered(ports: Ports, row: InFlightUpgrade) -> bool:
    """Step 3: whether the customer's results of this family answer the request. If so, the claim is dropped."""
    results = ports.store.list_results(row.customer_id, row.product_family)
    own = next((result for result in results if result.request_id == row.request_id and result.is_verdict), None)
    completed = next((result for result in results if result.status is Status.COMPLETED), None)
    if own:
        emit(logging.INFO, "upgrade.repeated", **about(row), status=own.status)
    elif completed:
        record_duplicate(ports, row, of=completed.request_id)
    else:
        return False
    drop(ports, row)
    return True
