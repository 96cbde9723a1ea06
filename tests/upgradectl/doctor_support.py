"""What `doctor` finds in a system, and the names of its checks by what they need."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from unittest.mock import patch

from shared.upgrade_store import TABLES
from tests.upgradectl.system import System
from upgradectl.azure_checks import AzureChecks
from upgradectl.connections import Connections
from upgradectl.diagnosis import Finding, State, ok
from upgradectl.doctor import examine, usable
from upgradectl.target import Target

OF_VAULT = ("client credential", "refresh token", "Key Vault: write")
OF_SIGN_IN = ("Partner Center sign-in", "MFA", "Partner Center")
OF_TABLES = tuple(f"table {name}" for name in TABLES)
OF_QUEUE = ("queue: receive", "queue: send")


def without_queue() -> AbstractContextManager[object]:
    """It is not looked at, which takes the SDK seconds."""
    return patch.object(AzureChecks, "_queue", lambda self, role: ok("not looked at"))


def look(system: System, *, queue: bool = False, **changed: str) -> dict[str, Finding]:
    """`queue`: looked at in earnest."""
    target = Target({**system.settings, **changed}, "a test")
    with nullcontext() if queue else without_queue(), Connections(*usable(target)) as connections:
        return dict(examine(connections, target))


def only(found: Mapping[str, Finding], state: State) -> tuple[str, ...]:
    """But for the clock: of the local services, Table Storage alone tells its time."""
    return tuple(name for name, finding in found.items() if finding.state is state and name != "clock")
