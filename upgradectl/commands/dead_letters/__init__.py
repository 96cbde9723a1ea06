"""`upgradectl dead-letters`: what the commands of this group share."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Annotated

import typer

from upgradectl.connections import Connections
from upgradectl.dead_letter_queue import DeadLetterQueue, dead_letters_of
from upgradectl.dead_letters import Outcome, visible
from upgradectl.output import Output

NEEDED = ("SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE")

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As `list` shows it.", min=1)]
Numbers = Annotated[list[int], typer.Argument(metavar="NUMBER", help="As `list` shows them.", min=1)]


def opened(connections: Connections) -> AbstractContextManager[DeadLetterQueue]:
    return dead_letters_of(connections.queue, connections.clock, connections.settings.azure_call_deadline_s)


def show_outcomes(output: Output, outcomes: Sequence[Outcome]) -> None:
    if output.as_json:
        output.json([_document(outcome) for outcome in outcomes])
    elif outcomes:
        rows = [(str(one.number), one.fate, visible(_detail(one))) for one in outcomes]
        output.table(("number", "outcome", "detail"), rows)


def note_locked(output: Output, letters: DeadLetterQueue) -> None:
    if letters.still_locked:
        text = f"{len(letters.still_locked)} dead letters that lay before these stay locked until their locks run out"
        output.note(f"{text} (a minute, where the queue is as it was deployed).")


def _document(outcome: Outcome) -> dict[str, object]:
    of_what = {"request_id": outcome.request_id} if outcome.request_id else {}
    return {"number": outcome.number, "outcome": outcome.fate, "detail": outcome.detail, **of_what}


def _detail(outcome: Outcome) -> str:
    request = f"request {outcome.request_id}" if outcome.request_id else ""
    return ": ".join(filter(None, (request, outcome.detail)))
