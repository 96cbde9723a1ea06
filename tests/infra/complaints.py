"""What policies are made of: a policy looks at a deployment and yields a sentence for each thing that is wrong."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.infra.arm import Deployment, Resource

type Complaints = Iterator[str]
type Policy = Callable[[Deployment], Complaints]


def complaints(policy: Policy, deployment: Deployment) -> list[str]:
    """All of them; a resource that is missing, or is there twice, is one too."""
    try:
        return list(policy(deployment))
    except AssertionError as error:
        return [str(error)]


def each(deployment: Deployment, resource_type: str, **expected: Any) -> Complaints:
    """Every resource of the type, and at least one, has these properties (`a__b`: b within a)."""
    resources = deployment.of_type(resource_type)
    if not resources:
        yield f"there is no {resource_type}"
    for resource in resources:
        yield from differs(resource, **expected)


def differs(resource: Resource, **expected: Any) -> Complaints:
    for path, value in expected.items():
        found = within(resource.properties, path)
        if found != value or type(found) is not type(value):
            yield f"{resource.type} {resource.name}: {path.replace('__', '.')} is {found!r}, not {value!r}"


def within(value: Mapping[str, Any], path: str) -> Any:
    """None where there is no such property."""
    found: Any = value
    for key in path.split("__"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def unequal(what: str, found: Any, expected: Any) -> Complaints:
    if found != expected:
        yield f"{what} is {found!r}, not {expected!r}"


def strings(value: Any) -> Iterator[str]:
    """Every text of a template, keys included."""
    match value:
        case str():
            yield value
        case Mapping():
            for key, item in value.items():
                yield from strings(key)
                yield from strings(item)
        case list():
            for item in value:
                yield from strings(item)
