"""Those functions of ARM templates ("ARM template functions") that we use and that need nothing but their arguments."""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

SUBSCRIPTION = "/subscriptions/11111111-1111-4111-8111-111111111111"
RESOURCE_GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-test"
TENANT_ID = "22222222-2222-4222-8222-222222222222"
LOCATION = "westeurope"


def resource_id(resource_type: str, *names: str, at: str = RESOURCE_GROUP) -> str:
    provider, *types = resource_type.split("/")
    segments = "/".join(f"{kind}/{name}" for kind, name in zip(types, names, strict=True))
    return f"{at}/providers/{provider}/{segments}"


def _concat(*values: Any) -> Any:
    if isinstance(values[0], list):
        return [item for value in values for item in value]
    return "".join(map(_string, values))


def _union(*values: Any) -> Any:
    if isinstance(values[0], dict):
        return {key: item for value in values for key, item in value.items()}
    merged: list[Any] = []
    for item in _concat(*values):
        if item not in merged:
            merged.append(item)
    return merged


def _format(template: str, *values: Any) -> str:
    return template.format(*map(_string, values))


def _string(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _object(*pairs: Any) -> dict[str, Any]:
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def _items(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value[key]} for key in sorted(value)]


def _unique(*values: str) -> str:
    """13 characters, as the real one; other ones."""
    return hashlib.sha256("|".join(values).encode()).hexdigest()[:13]


def _guid(*values: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join(values)))


PURE: Mapping[str, Callable[..., Any]] = {
    "and": lambda *values: all(values),
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "concat": _concat,
    "contains": lambda container, item: item in container,
    "createArray": lambda *values: list(values),
    "createObject": _object,
    "empty": lambda value: not value,
    "environment": lambda: {"authentication": {"loginEndpoint": "https://login.microsoftonline.com/"}},
    "false": lambda: False,
    "equals": lambda one, other: one == other,
    "flatten": lambda lists: [item for value in lists for item in value],
    "format": _format,
    "guid": _guid,
    "items": _items,
    "length": len,
    "map": lambda values, function: [function(value) for value in values],
    "mul": lambda one, other: one * other,
    "not": lambda value: not value,
    "null": lambda: None,
    "or": lambda *values: any(values),
    "range": lambda start, count: list(range(start, start + count)),
    "replace": lambda text, old, new: text.replace(old, new),
    "resourceGroup": lambda: {"id": RESOURCE_GROUP, "name": "rg-test", "location": LOCATION},
    "resourceId": resource_id,
    "shallowMerge": lambda values: _union(*values),
    "split": lambda text, separator: text.split(separator),
    "string": _string,
    "subscription": lambda: {"id": SUBSCRIPTION, "tenantId": TENANT_ID},
    "subscriptionResourceId": lambda kind, *names: resource_id(kind, *names, at=SUBSCRIPTION),
    "tenant": lambda: {"tenantId": TENANT_ID},
    "toLower": str.lower,
    "true": lambda: True,
    "tryGet": lambda container, key: container.get(key),
    "union": _union,
    "uniqueString": _unique,
}
