"""Where a process of the functions is killed: by what it asks of the table storage."""

from collections.abc import Mapping
from typing import Any

from tests.chaos.workload import FOLLOWED

_IN_FLIGHT = "/UpgradesInFlight"
MOMENTS: Mapping[str, Mapping[str, Any]] = {
    "claim": {"method": "POST", "path": f"{_IN_FLIGHT}$"},
    "create call": {"method": "POST|PUT|PATCH|MERGE", "path": _IN_FLIGHT, "body": r'"outcomeUnknown": ?true'},
    "hand-over": {"method": "PUT|PATCH|MERGE", "path": _IN_FLIGHT, "body": r'"upgradeId": ?"[^"]+".*"polls": ?0'},
    "status call": {"method": "GET", "path": rf"{_IN_FLIGHT}\(\)"},
    "result write": {"method": "POST", "path": "/UpgradeResults"},
    "follow-up": {
        "method": "POST",
        "path": "/UpgradeResults",
        "body": rf'"requestId": ?"{FOLLOWED}".*"status": ?"(Failed|PartiallyCompleted|Rejected)"',
    },
    "delete": {"method": "DELETE", "path": _IN_FLIGHT},
}
# A call to Partner Center follows such a request of its process by so much.
CALLS_BEGIN_AFTER_S = (0.01, 0.12)
