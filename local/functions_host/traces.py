"""A log line as the row of the table AppTraces that the platform makes of it; docs/telemetry.md says who adds what.

Follows "Trace telemetry" (Application Insights data model) and the reference of the table AppTraces. An identifier for
which there is nothing here is made up.
"""

import os
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MAX_MESSAGE_CHARACTERS = 32_768
_SEVERITY_LEVELS = {"Trace": 0, "Debug": 0, "Information": 1, "Warning": 2, "Error": 3, "Critical": 4}
_OPERATIONS = uuid.UUID("1f0c9a55-8d2e-5b7d-9a34-5e6b8c7d1f02")
_RESOURCE_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/local"
    "/providers/microsoft.insights/components/local"
)


@dataclass(frozen=True)
class Host:
    """The process that writes, as the rows name it."""

    process_id: int = field(default_factory=os.getpid)
    instance_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def role_instance(self) -> str:
        return f"local-{self.process_id}"


@dataclass(frozen=True)
class Invocation:
    """What a line belongs to: one run of a function."""

    function: str
    id: str

    @property
    def operation_id(self) -> str:
        """In the form of a W3C trace id."""
        return uuid.uuid5(_OPERATIONS, self.id).hex


def trace(
    host: Host, time: datetime, invocation: Invocation | None, *, level: str, category: str, message: str
) -> dict[str, Any]:
    """The row; `invocation` None: a line of the host's own."""
    properties = {
        "Category": category,
        "LogLevel": level,
        "HostInstanceId": host.instance_id,
        "ProcessId": str(host.process_id),
    }
    operation_id = invocation.operation_id if invocation else ""
    return {
        "TimeGenerated": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "Message": message.strip()[:MAX_MESSAGE_CHARACTERS],
        "SeverityLevel": _SEVERITY_LEVELS[level],
        "OperationName": invocation.function if invocation else "",
        "OperationId": operation_id,
        "ParentId": operation_id[:16],
        "AppRoleName": "local",
        "AppRoleInstance": host.role_instance,
        "Properties": properties | ({"InvocationId": invocation.id} if invocation else {}),
        "_ResourceId": _RESOURCE_ID,
        "Type": "AppTraces",
    }
