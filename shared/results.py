"""The final row of a request: written once, and before the row in flight goes."""

import logging
from dataclasses import replace
from typing import Any

from shared.errors import RowChanged, RowExists
from shared.events import about, emit
from shared.models import InFlightUpgrade, Status, UpgradeRequest, UpgradeResult
from shared.ports import Ports


def record(ports: Ports, result: UpgradeResult) -> UpgradeResult:
    """Writes a result once, and returns what is there now: a verdict is never replaced, a `Duplicate` by a verdict."""
    while True:
        try:
            return ports.store.insert_result(result)
        except RowExists:
            present = ports.store.get_result(result.customer_id, result.product_family, result.request_id)
        if present is None:
            continue
        if present.is_verdict or not result.is_verdict:
            return present
        try:
            return ports.store.update_result(replace(result, etag=present.etag))
        except RowChanged:
            continue


def finish(
    ports: Ports, row: InFlightUpgrade, status: Status, *, line_items_failed: int | None = None, **found: Any
) -> bool:
    """First the result, then the row: a crash in between leaves a row that the next tick clears away. True: ended."""
    result = UpgradeResult(
        customer_id=row.customer_id,
        product_family=row.product_family,
        request_id=row.request_id,
        status=status,
        requested_at=row.requested_at,
        claimed_at=row.claimed_at,
        submitted_at=row.submitted_at,
        finished_at=ports.clock.now(),
        correlation_id=row.correlation_id,
        # The last one that was sent: of a withdrawn row not the one that was meant for the next call.
        ms_request_id=row.answered_ms_request_id if status is Status.CANCELLED else row.ms_request_id,
        upgrade_id=row.upgrade_id,
        adopted=row.adopted,
        attempts=row.attempts,
        polls=row.polls,
        **found,
    )
    if record(ports, result).status is status:
        # Also where it was there already: whoever wrote it may have died before this line.
        _log_finished(row, result, line_items_failed)
    drop(ports, row)
    return True


def drop(ports: Ports, row: InFlightUpgrade) -> None:
    """Deletes the row as it was read; whoever has written it since has it now."""
    try:
        ports.store.delete_in_flight(row)
    except RowChanged:
        return


def record_duplicate(ports: Ports, request: UpgradeRequest | InFlightUpgrade, of: str) -> None:
    """Writes `request` as a duplicate of the request `of`."""
    now = ports.clock.now()
    in_flight = request if isinstance(request, InFlightUpgrade) else None
    result = UpgradeResult(
        customer_id=request.customer_id,
        product_family=request.product_family,
        request_id=request.request_id,
        status=Status.DUPLICATE,
        duplicate_of=of,
        requested_at=request.requested_at,
        claimed_at=in_flight.claimed_at if in_flight else None,
        finished_at=now,
        correlation_id=request.correlation_id,
        attempts=in_flight.attempts if in_flight else 0,
    )
    if record(ports, result).duplicate_of == of:
        emit(logging.INFO, "upgrade.duplicate", **about(request), duplicate_of=of)


def _log_finished(row: InFlightUpgrade, result: UpgradeResult, line_items_failed: int | None) -> None:
    level = logging.INFO if result.status is Status.COMPLETED else logging.WARNING
    duration_s = round((result.finished_at - result.requested_at).total_seconds(), 1)
    emit(
        level,
        "upgrade.finished",
        **about(row),
        status=result.status,
        polls=result.polls,
        duration_s=duration_s,
        error_code=result.error_code,
        line_items_failed=line_items_failed,
    )
