"""What was written to tables, in the order of the answers (Table service REST API: "Insert Entity", "Update Entity",
"Merge Entity", "Delete Entity"). Entity group transactions are not taken apart.
"""

import json
import re
import threading
from collections.abc import Mapping
from typing import Any

from local.callers import pid_of
from local.http import Request

_KINDS = {"POST": "insert", "PUT": "update", "PATCH": "update", "MERGE": "update", "DELETE": "delete"}
_TEXT = r"'((?:[^']|'')*)'"
_ENTITY = re.compile(rf"/[^/]+/(\w+)(?:\(PartitionKey={_TEXT},\s*RowKey={_TEXT}\))?", re.ASCII)
_TABLES = "Tables"  # the collection of the tables themselves
_LONG = "lineItems"  # up to 1 MiB of each result, and nothing that a record is kept for


class TableWrites:
    """Safe to be used by many threads at once."""

    def __init__(self) -> None:
        self._writes: list[Mapping[str, Any]] = []
        self._lock = threading.Lock()

    def add(self, request: Request, *, sent_s: float, answered_s: float) -> None:
        """A request that was answered with success; nothing is added where it wrote no entity."""
        kind, entity = _KINDS.get(request.method), _ENTITY.fullmatch(request.path)
        if kind is None or entity is None or entity[1] == _TABLES:
            return
        content = json.loads(request.body) if request.body else {}
        keys = [name.replace("''", "'") for name in entity.groups()[1:] if name is not None]
        write = {
            "sent_s": sent_s,
            "answered_s": answered_s,
            "pid": pid_of(request),
            "table": entity[1],
            "kind": kind,
            "partition_key": keys[0] if keys else content.get("PartitionKey"),
            "row_key": keys[1] if keys else content.get("RowKey"),
            "fields": {name: value for name, value in content.items() if _is_column(name)},
        }
        with self._lock:
            self._writes.append(write)

    def since(self, number: int) -> Mapping[str, Any]:
        """Those after so many, and how many there are now."""
        with self._lock:
            return {"next": len(self._writes), "writes": self._writes[number:]}


def _is_column(name: str) -> bool:
    return "odata." not in name and not name.startswith(_LONG)
