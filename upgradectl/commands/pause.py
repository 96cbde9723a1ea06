"""`upgradectl pause`."""

from typing import Annotated

import typer

from shared.models import Position
from upgradectl.errors import CommandError, ExitCode
from upgradectl.gate_report import Change, show
from upgradectl.options import Invocation, command

EXAMPLES = ('pause "maintenance until 22:00 UTC"', 'pause "wave-2.csv was the wrong file" --azd-env prod')
NEEDED = ("TABLES_URL",)


@command
def run(
    invocation: Invocation,
    *,
    reason: Annotated[str, typer.Argument(help="Why, for whoever looks at the gate.", metavar="REASON")],
) -> None:
    """Stop the create calls by hand: for maintenance, or after a wrong file.

    Requests are still accepted, and wait; status calls of upgrades in progress go on. `resume` ends it, nothing else.

    Takes effect within seconds (GATE_CACHE_S). A gate that is paused already stays as it is: exit code 0.

    Needs Storage Table Data Contributor on the table UpgradeControl.
    """
    if not reason.strip():
        raise CommandError("say why", code=ExitCode.USAGE)
    with invocation.connect(*NEEDED) as connections:
        invocation.output.note_system()
        gate = connections.gate
        before = gate.look(fresh=True)
        gate.pause(reason.strip())
        change = Change(before, gate.look())
        hint = "`upgradectl resume` lets the create calls go on."
        what = f"It was paused already, and stays so. {hint}" if before.position is Position.PAUSED else hint
        show(invocation.output, change, what, connections.clock.now())
