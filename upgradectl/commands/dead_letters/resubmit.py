"""`upgradectl dead-letters resubmit`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shared.messages import MAX_BYTES
from upgradectl.commands.dead_letters import NEEDED, note_locked, opened, show_outcomes
from upgradectl.dead_letter_resubmit import Resubmission, sending_to
from upgradectl.dead_letters import Fate, Outcome, exit_code
from upgradectl.errors import CommandError, ExitCode
from upgradectl.interrupts import between_steps
from upgradectl.options import Invocation, command
from upgradectl.output import Output
from upgradectl.requests_file import STDIN

EXAMPLES = (
    "dead-letters resubmit 17 18",
    "dead-letters resubmit --all-valid",
    "dead-letters resubmit 17 --body mended.json",
)


@command
def run(
    invocation: Invocation,
    *,
    numbers: Annotated[list[int] | None, typer.Argument(metavar="NUMBER", help="As `list` shows them.", min=1)] = None,
    all_valid: Annotated[
        bool, typer.Option("--all-valid", help="All that `list` marks as system trouble; the others stay.")
    ] = False,
    body: Annotated[
        str | None, typer.Option("--body", metavar="FILE", help="For exactly one: the mended body; -: standard input.")
    ] = None,
) -> ExitCode:
    """Send dead letters to the queue again, each under a new message id and as the request that it was.

    A body without a request id gets the original one. What is no request is refused, unless it is mended: --body.

    A dead letter is removed only after its message has arrived. A second run is harmless.

    Needs Azure Service Bus Data Receiver and Azure Service Bus Data Sender on the queue.
    """
    if bool(numbers) == all_valid:
        raise CommandError("name dead letters by their numbers, or all of them by --all-valid", code=ExitCode.USAGE)
    if body and (not numbers or len(set(numbers)) > 1):
        raise CommandError("--body is for exactly one dead letter", code=ExitCode.USAGE)
    mended = _read(body) if body else None
    outcomes: list[Outcome] = []
    with (
        invocation.connect(*NEEDED) as connections,
        opened(connections) as letters,
        sending_to(connections.queue) as send,
    ):
        invocation.output.note_system()
        families = connections.settings.product_families
        try:
            _resubmit(Resubmission(letters, send, families, mended), numbers, outcomes, invocation.output)
        finally:
            _show(invocation.output, outcomes, all_valid=all_valid)
            note_locked(invocation.output, letters)
    return exit_code({outcome.fate for outcome in outcomes})


def _resubmit(
    resubmission: Resubmission, numbers: Sequence[int] | None, outcomes: list[Outcome], output: Output
) -> None:
    """`outcomes`: those there are, also where it is broken off."""
    if numbers:
        outcomes += resubmission.refused(numbers)
        wanted = dict.fromkeys(numbers)
        for outcome in outcomes:
            del wanted[outcome.number]
    else:
        with output.busy("looking for those that are valid"):
            wanted = dict.fromkeys(resubmission.valid())
    with between_steps() as is_over, output.progress("sending again", len(wanted)) as advance:
        for outcome in resubmission.send_again(wanted, is_over):
            outcomes.append(outcome)
            advance(1)


def _show(output: Output, outcomes: Sequence[Outcome], *, all_valid: bool) -> None:
    if output.as_json or not all_valid:
        show_outcomes(output, outcomes)
        return
    others = [outcome for outcome in outcomes if outcome.fate is not Fate.SENT]
    output.line(f"Sent again: {len(outcomes) - len(others)}.")
    show_outcomes(output, others)


def _read(path: str) -> bytes:
    """As much as a request may be long, and a byte that gives away that it is longer."""
    try:
        if path == STDIN:
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", code=ExitCode.USAGE) from None
