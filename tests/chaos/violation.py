"""What an invariant reports."""

from collections.abc import Iterable
from dataclasses import dataclass

from local.truth import Key


@dataclass(frozen=True)
class Violation:
    """`key`: the request that it concerns, where it concerns one."""

    invariant: int
    text: str
    key: Key | None = None


def at_most(limit: int, violations: Iterable[Violation]) -> list[Violation]:
    """The first ones, and how many more there are."""
    found = list(violations)
    if len(found) <= limit:
        return found
    return [*found[:limit], Violation(found[0].invariant, f"and {len(found) - limit} more of this kind")]
