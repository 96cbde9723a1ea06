"""`upgradectl dead-letters discard`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from upgradectl.commands.dead_letters import NEEDED, Numbers, note_locked, opened, show_outcomes
from upgradectl.dead_letter_discard import Discarding, name_of
from upgradectl.dead_letter_queue import DeadLetterQueue
from upgradectl.dead_letters import Fate, Outcome, chosen, exit_code, summary
from upgradectl.errors import CommandError, ExitCode
from upgradectl.interrupts import between_steps
from upgradectl.options import Invocation, command
from upgradectl.output import Output

EXAMPLES = ("dead-letters discard 17", "dead-letters discard 17 18 --yes --to discarded")


@command
def run(
    invocation: Invocation,
    *,
    numbers: Numbers,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without it: say what would be done.")] = False,
    folder: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Where the bodies go; made where it is missing.")
    ] = Path("dead-letters"),
) -> ExitCode:
    """Remove dead letters for good, after writing the body of each to a file that only you can read.

    Ends with 2 where --yes is missing.

    Needs Azure Service Bus Data Receiver on the queue.
    """
    output = invocation.output
    outcomes: list[Outcome] = []
    with invocation.connect(*NEEDED) as connections, opened(connections) as letters:
        if not yes:
            show_outcomes(output, _plan(letters, numbers, folder, connections.settings.product_families))
            raise CommandError("nothing was done", "give --yes", code=ExitCode.USAGE)
        output.note_system()
        try:
            _discard(Discarding(letters, folder), numbers, outcomes, output)
        finally:
            show_outcomes(output, outcomes)
            note_locked(output, letters)
    return exit_code({outcome.fate for outcome in outcomes})


def _discard(discarding: Discarding, numbers: Sequence[int], outcomes: list[Outcome], output: Output) -> None:
    """`outcomes`: those there are, also where it is broken off."""
    outcomes += (found for found in chosen(discarding.letters, numbers) if isinstance(found, Outcome))
    wanted = dict.fromkeys(numbers)
    for outcome in outcomes:
        del wanted[outcome.number]
    with between_steps() as is_over, output.progress("discarding", len(wanted)) as advance:
        for outcome in discarding.discard(wanted, is_over):
            outcomes.append(outcome)
            advance(1)


def _plan(letters: DeadLetterQueue, numbers: Sequence[int], folder: Path, families: Sequence[str]) -> list[Outcome]:
    return [
        found
        if isinstance(found, Outcome)
        else Outcome(
            found.number,
            Fate.FOUND,
            f"{summary(found, families)['reason']}: would be removed, its body written to {folder / name_of(found)}",
        )
        for found in chosen(letters, numbers)
    ]
