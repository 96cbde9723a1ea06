"""`upgradectl dead-letters list`."""

from typing import Any

from rich.text import Text

from upgradectl.commands.dead_letters import NEEDED, opened
from upgradectl.dead_letters import summary, visible
from upgradectl.listing import Listing
from upgradectl.options import Invocation, command
from upgradectl.output import Cell

EXAMPLES = ("dead-letters list --local", "dead-letters list --json | jq '.[] | select(.valid) | .number'")
_COLUMNS = (
    ("number", 6),
    ("enqueued (UTC)", 19),
    ("deliveries", 10),
    ("broker's reason", 24),
    ("message id", 36),
    ("reason", 0),
)


@command
def run(invocation: Invocation) -> None:
    """List the dead letters: what is wrong with each, as the app sees it today.

    A valid one is marked "system trouble, send again": `resubmit` does. Bodies are not shown; `show` does.

    Needs Azure Service Bus Data Receiver on the queue. Changes nothing.
    """
    with (
        invocation.connect(*NEEDED) as connections,
        opened(connections) as letters,
        Listing(invocation.output, _COLUMNS) as listing,
    ):
        families = connections.settings.product_families
        for letter in letters.peek_all():
            row = summary(letter, families)
            listing.add(_cells(row), row)
    if not listing.count:
        invocation.output.note("There are no dead letters.")


def _cells(row: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        str(row["number"]),
        f"{row['enqueued_at']:%Y-%m-%d %H:%M:%S}",
        str(row["delivery_count"]),
        visible(row["broker_reason"] or ""),
        visible(row["message_id"] or ""),
        Text(row["reason"], style="green" if row["valid"] else ""),
    )
