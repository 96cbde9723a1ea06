"""`upgradectl doctor`."""

from rich.text import Text

from upgradectl.connections import Connections
from upgradectl.diagnosis import Finding, State
from upgradectl.doctor import examine, usable
from upgradectl.errors import ExitCode
from upgradectl.options import Invocation, command
from upgradectl.output import Output

EXAMPLES = ("doctor --local", "doctor --azd-env prod --json", "doctor --set UPGRADE_QUEUE=upgrades")
_STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red", State.NOT_TRIED: "dim"}


@command
def run(invocation: Invocation) -> ExitCode:
    """Look for what is wrong: settings, roles, queue, tables, secrets, sign-in.

    Nothing is changed: where a role cannot be tried without an effect, it says so. Ends with 1 where a check failed.
    """
    target, output = invocation.target, invocation.output
    with Connections(*usable(target)) as connections, output.busy("looking"):
        findings = list(examine(connections, target))
    is_well = all(finding.state is not State.FAILED for _, finding in findings)
    if output.as_json:
        checks = [{"name": name, **finding.document()} for name, finding in findings]
        output.json({"ok": is_well, "system": target.source, "checks": checks})
    else:
        _show(output, findings)
    return ExitCode.OK if is_well else ExitCode.NOT_OK


def _show(output: Output, findings: list[tuple[str, Finding]]) -> None:
    rows = [(Text(finding.state, _STYLES[finding.state]), name, finding.line) for name, finding in findings]
    output.table(("state", "check", "found"), rows)
