"""`upgradectl resume`."""

from shared.models import Position
from upgradectl.gate_report import Change, show
from upgradectl.options import Invocation, command

EXAMPLES = ("resume", "resume --azd-env prod --json")
NEEDED = ("TABLES_URL",)
_WHAT = {
    Position.OPEN: "It was not paused: calls are made.",
    Position.CLOSED: "It was not paused: it goes on by itself.",
    Position.RECOVERING: "It was not paused: it goes on by itself.",
    Position.PAUSED: "PollUpgrade works off what waits, slowly at first, and then opens it.",
}


@command
def run(invocation: Invocation) -> None:
    """Let the create calls go on after a `pause`.

    The gate is `recovering` then: PollUpgrade makes the calls that had to wait, and opens it when they are made.

    A gate that is not paused stays as it is: exit code 0.

    Needs Storage Table Data Contributor on the table UpgradeControl.
    """
    with invocation.connect(*NEEDED) as connections:
        invocation.output.note_system()
        gate = connections.gate
        before = gate.look(fresh=True)
        gate.resume()
        show(invocation.output, Change(before, gate.look()), _WHAT[before.position], connections.clock.now())
