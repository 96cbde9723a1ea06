"""`upgradectl retry`."""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from shared.models import Status
from upgradectl import choosing
from upgradectl.choosing import named_by, standings_of
from upgradectl.commands import note_left_out, note_unreadable
from upgradectl.connections import Connections
from upgradectl.errors import CommandError, ExitCode, explained
from upgradectl.figures import counted
from upgradectl.instants import Since, Until, check_order
from upgradectl.options import Invocation, command
from upgradectl.output import Output
from upgradectl.retrying import RETRIED, LeftOut, Plan, Wanted, plan, waiting_on

EXAMPLES = (
    "retry --since 7d --dry-run",
    "retry --status Failed --code 900130 --azd-env prod",
    "retry 2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6",
    "retry --file wave-2.csv --partly --yes",
)
NEEDED = ("TABLES_URL", "SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE")
_HARMLESS = "a second run is harmless: it sends the same requests, and each counts once"
_SHOWN = 5


class Retryable(StrEnum):
    """What `--status` may name."""

    FAILED = Status.FAILED
    REJECTED = Status.REJECTED
    TIMED_OUT = Status.TIMED_OUT
    CANCELLED = Status.CANCELLED
    PARTIALLY_COMPLETED = Status.PARTIALLY_COMPLETED


@command
def run(  # noqa: PLR0913  a command's options
    invocation: Invocation,
    *,
    customers: choosing.Customers = None,
    file: choosing.File = None,
    batch: choosing.Batch = None,
    skip_invalid: choosing.SkipInvalid = False,
    statuses: Annotated[
        list[Retryable] | None,
        typer.Option("--status", help="Of the last verdict; more than once.", show_default=", ".join(sorted(RETRIED))),
    ] = None,
    partly: Annotated[bool, typer.Option("--partly", help="Those that completed in part, too.")] = False,
    codes: Annotated[
        list[str] | None, typer.Option("--code", help="With this error code; more than once.", show_default=False)
    ] = None,
    since: Since = None,
    until: Until = None,
    dry_run: choosing.DryRun = False,
    yes: choosing.Yes = False,
) -> ExitCode:
    """Send upgrades again that have failed, timed out, or were rejected or cancelled.

    Says what it will do, and asks. Who has completed meanwhile, or is in flight, is left out.

    The new request id is made of the old one: what a second or broken-off run sends again counts once.

    Of a request that was retried before, the last verdict counts. A duplicate counts as what answered it.

    Ends with 1 where somebody or something was named that has no result.

    Needs Storage Table Data Reader; Azure Service Bus Data Receiver and Data Sender on the queue.
    """
    output = invocation.output
    chosen = frozenset(map(Status, statuses or RETRIED)) | ({Status.PARTIALLY_COMPLETED} if partly else frozenset())
    check_order(since, until)
    with invocation.connect(*NEEDED) as connections:
        families = connections.settings.product_families
        wanted = Wanted(
            named_by(customers, file, batch, families=families, skip_invalid=skip_invalid),
            chosen,
            frozenset(code.lower() for code in codes or ()),
            since,
            until,
        )
        with output.busy("reading the results"):
            found = plan(standings_of(connections.store, wanted.named), wanted)
        note_left_out(output, wanted.named.left_out)
        note_unreadable(output, connections.store)
        _leave_out_waiting(connections, found, output)
        _show(found, output.line if dry_run and not output.as_json else output.note)
        sent = 0
        if found.retries and not dry_run:
            output.confirm(f"Send {counted(len(found.retries), 'request')}?", yes=yes)
            sent = _send(connections, found, output)
    if output.as_json:
        output.json(_document(found, sent, dry_run=dry_run))
    elif not dry_run:
        output.line(f"Sent: {counted(sent, 'request')}." if sent else "Nothing was sent.")
    return ExitCode.NOT_OK if found.left_out[LeftOut.UNKNOWN] else ExitCode.OK


def _leave_out_waiting(connections: Connections, found: Plan, output: Output) -> None:
    """Those that an earlier run has sent, and which nobody has processed yet."""
    if not found.retries:
        return
    ids = {request_id for retry in found.retries for request_id in (retry.request_id, *retry.rivals)}
    try:
        with output.progress("looking at the queue", None) as advance:
            found.leave_out_waiting(waiting_on(connections.queue, ids, advance))
    except CommandError as error:
        why = f"not compared with what waits on the queue: {error.line}; {_HARMLESS}"
        output.warn(why)


def _send(connections: Connections, found: Plan, output: Output) -> int:
    sent, total = 0, len(found.retries)
    try:
        with output.progress("sending", total) as advance:
            for count in connections.queue.send(retry.message for retry in found.retries):
                sent += count
                advance(count)
    except KeyboardInterrupt:
        output.note(f"interrupted: {sent:,} of {total:,} were surely sent; {_HARMLESS}")
        raise
    except Exception as error:
        trouble = explained(error)
        remedy = "; ".join(part for part in (trouble.remedy, _HARMLESS) if part)
        so_far = f"{trouble.message}; {sent:,} of {total:,} were surely sent"
        raise CommandError(so_far, remedy, code=trouble.code) from error
    return sent


def _show(found: Plan, show: Callable[[str], None]) -> None:
    show(f"To be sent again: {counted(len(found.retries), 'request')}")
    for (status, code), count in Counter((retry.status, retry.code) for retry in found.retries).most_common():
        show(f"  {count:,} {status}{f' ({code})' if code else ''}")
    for retry in found.retries[:_SHOWN]:
        show(f"  e.g. {retry.customer_id} {retry.product_family}: {retry.old_request_id} -> {retry.request_id}")
    for reason in LeftOut:
        if count := found.left_out[reason]:
            show(f"Left out: {count:,} {reason}")


def _document(found: Plan, sent: int, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "sent": sent,
        "left_out": {reason.name.lower(): found.left_out[reason] for reason in LeftOut},
        "requests": [
            {
                "customer_id": retry.customer_id,
                "product_family": retry.product_family,
                "old_request_id": retry.old_request_id,
                "request_id": retry.request_id,
                "status": retry.status,
                "error_code": retry.code,
            }
            for retry in found.retries
        ],
    }
