"""JSON from outside may be nested deeper than recursive code survives."""

from typing import Any


def levels(document: Any) -> int:
    """How deep objects and arrays are nested; a scalar has none. Does not recurse."""
    depth, layer = 0, [document]
    while layer := [item for item in layer if isinstance(item, dict | list)]:
        depth += 1
        layer = [child for item in layer for child in (item.values() if isinstance(item, dict) else item)]
    return depth
