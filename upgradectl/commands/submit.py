"""`upgradectl submit`."""

from typing import Annotated, Any

import typer
from azure.core.exceptions import ClientAuthenticationError

from shared.errors import StoreUnavailable
from upgradectl.connections import Connections
from upgradectl.errors import ExitCode, explained
from upgradectl.given_requests import Customer, Family, File, SkipInvalid, given, show_problems, validated
from upgradectl.options import Invocation, command
from upgradectl.output import Output
from upgradectl.requests_file import RequestsFile
from upgradectl.store import AccessRefused
from upgradectl.submit import HARMLESS, Known, Sending, Validation, known

EXAMPLES = (
    "submit customers.csv",
    "submit wave-2.jsonl --dry-run",
    "submit --customer 2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6 --request-id wave-1/contoso",
    "submit - --batch wave-3 < wave-3.jsonl",
)
NEEDED = ("SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE")


@command
def run(  # noqa: PLR0913  a command's options
    invocation: Invocation,
    *,
    file: File = None,
    customer: Customer = None,
    family: Family = None,
    request_id: Annotated[
        str | None, typer.Option(help="With --customer: the request id.", metavar="ID", show_default=False)
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            help="A request without an id gets one of customer, family and this name. Default: the file's name.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    skip_invalid: SkipInvalid = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing: say what would be sent.")] = False,
) -> ExitCode:
    """Send upgrade requests: a CSV, JSON Lines, standard input, or a single one.

    Every line is held against the published contract first: nothing is sent while one is wrong (exit code 1).

    A second run is harmless: it sends the same requests under the same ids, and each counts once.

    Needs Azure Service Bus Data Sender on the queue. Who may read the tables leaves out what they know already.
    """
    output = invocation.output
    with invocation.connect(*(() if dry_run else NEEDED)) as connections:
        families = connections.settings.product_families
        with given(file, customer, family=family, request_id=request_id, batch=batch, families=families) as requests:
            validation = validated(output, requests)
            sending = Sending(requests, validation)
            goes_on = not validation.problems or skip_invalid
            if goes_on:
                sending.known = _known(connections, requests, validation, output)
                if not dry_run:
                    _send(connections, sending, output)
    _show(output, requests, sending, would_send=dry_run and goes_on, dry_run=dry_run)
    return ExitCode.NOT_OK if validation.problems else ExitCode.OK


def _known(connections: Connections, requests: RequestsFile, validation: Validation, output: Output) -> Known | None:
    """None: nobody looked. A producer need not be able to."""
    if not validation.keys or not connections.target.has("TABLES_URL"):
        return None
    try:
        with output.busy("looking for what was answered already"):
            return known(connections.store, requests, validation.keys)
    except (StoreUnavailable, ClientAuthenticationError) as error:
        if not isinstance(error, AccessRefused):
            output.warn(f"not compared with what was answered already: {explained(error).message}")
        return None


def _send(connections: Connections, sending: Sending, output: Output) -> None:
    if not sending.total:
        return
    output.note_system()
    try:
        with output.progress("sending", sending.total) as advance:
            sending.run(connections.queue, advance)
    except KeyboardInterrupt:
        output.note(f"interrupted: {sending.so_far}; {HARMLESS}")
        raise


def _show(output: Output, requests: RequestsFile, sending: Sending, *, would_send: bool, dry_run: bool) -> None:
    """`would_send`: it does not for it is a dry run."""
    if output.as_json:
        output.json(_document(requests, sending, dry_run=dry_run))
        return
    problems, found = sending.validation.problems, sending.known
    show_problems(output.line, requests.name, problems)
    output.line(_summary(sending, would_send=would_send, dry_run=dry_run))
    if found and found.keys:
        output.line(
            f"Left out: {len(found.answered):,} answered already, {len(found.in_flight):,} in flight;"
            " `upgradectl retry`, another request id or a new --batch asks again."
        )
    if sending.validation.repeated:
        output.line(f"Repeated in {requests.name}, and counted once: {sending.validation.repeated:,}.")


def _summary(sending: Sending, *, would_send: bool, dry_run: bool) -> str:
    """What was done, or would be."""
    wrong = len(sending.validation.problems)
    without = f" {wrong:,} lines are no requests." if wrong > 1 else " 1 line is no request." if wrong else ""
    if sending.sent:
        return f"Sent: {_requests(sending.sent)}.{without}"
    if would_send:
        return f"Would be sent: {_requests(sending.total)}.{without}"
    hint = f" --skip-invalid sends the others ({sending.total:,})." if wrong and sending.total else ""
    return f"Nothing {'would be' if dry_run else 'was'} sent.{without}{hint}"


def _requests(count: int) -> str:
    return f"{count:,} request{'' if count == 1 else 's'}"


def _document(requests: RequestsFile, sending: Sending, *, dry_run: bool) -> dict[str, Any]:
    """`answered_already`, `in_flight`: null where nobody looked."""
    validation, found = sending.validation, sending.known
    return {
        "file": requests.name,
        "batch": requests.batch,
        "requests": len(validation.keys),
        "repeated": validation.repeated,
        "invalid": [{"line": problem.line, "problem": problem.text} for problem in validation.problems],
        "answered_already": len(found.answered) if found else None,
        "in_flight": len(found.in_flight) if found else None,
        "sent": sending.sent,
        "dry_run": dry_run,
    }
