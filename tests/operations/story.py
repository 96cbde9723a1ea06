"""What a story of an installation is: what happens, and whom it wakes."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.operations.installation import Installation

type Tell = Callable[[Installation], None]


@dataclass(frozen=True)
class Story:
    """It begins after an hour in which all was well. `alerts`: those that fire at its end, and no others."""

    tell: Tell
    alerts: frozenset[str]


class Stories(dict[str, Story]):
    """Stories by the names of the functions that tell them."""

    def ending_with(self, *alerts: str) -> Callable[[Tell], Tell]:
        def register(tell: Tell) -> Tell:
            self[tell.__name__] = Story(tell, frozenset(alerts))
            return tell

        return register
