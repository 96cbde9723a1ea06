"""What is wrong with a system: all that the app and its operators need, in an order in which causes come first."""

import re
from collections.abc import Iterator

from shared.errors import InvalidSettings
from shared.settings import Settings
from upgradectl import diagnosis
from upgradectl.azure_checks import AzureChecks
from upgradectl.connections import Connections
from upgradectl.diagnosis import Check, Finding, failed, ok
from upgradectl.errors import SETTINGS_REMEDY
from upgradectl.partner_checks import PartnerChecks
from upgradectl.reach_checks import ReachChecks
from upgradectl.target import Target

NEEDED = (
    *("PARTNER_TENANT_ID", "PARTNER_CLIENT_ID", "KEY_VAULT_URL", "TABLES_URL"),
    *("SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE"),
)
_NAMESPACE = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
_NAME = re.compile(r"\b[A-Z][A-Z0-9_]{3,}\b")


def usable(target: Target) -> tuple[Target, Settings]:
    """The target without the settings that are wrong: the checks that do without them can still be made."""
    values = dict(target.values)
    if not _NAMESPACE.fullmatch(values.get("SERVICE_BUS_NAMESPACE", "").strip()):
        values.pop("SERVICE_BUS_NAMESPACE", None)
    while True:
        left = Target(values, target.source, target.is_local)
        try:
            return left, left.settings()
        except InvalidSettings as error:
            values = {name: value for name, value in values.items() if name not in _NAME.findall(str(error))}


def examine(connections: Connections, target: Target) -> Iterator[tuple[str, Finding]]:
    """Each check's name and finding, as they are made. `target`: with its wrong settings."""
    checks = (
        Check("settings", lambda: _settings(target)),
        *ReachChecks(connections).checks(),
        *AzureChecks(connections).checks(),
        *PartnerChecks(connections).checks(),
    )
    given = [name for name in NEEDED if connections.target.has(name)]
    return diagnosis.examine(checks, given, connections.settings.azure_call_deadline_s)


def _settings(target: Target) -> Finding:
    problems = [f"{name} is missing" for name in NEEDED if not target.has(name)]
    namespace = target.values.get("SERVICE_BUS_NAMESPACE", "").strip()
    if namespace and not _NAMESPACE.fullmatch(namespace):
        problems.append("SERVICE_BUS_NAMESPACE must be a host name")
    try:
        target.settings()
    except InvalidSettings as error:
        problems += error.problems
    return failed("; ".join(problems), SETTINGS_REMEDY) if problems else ok(f"from {target.source}")
