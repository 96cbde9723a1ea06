"""Who is measured: this app, and the textbook function beside it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from local.component import REPOSITORY
from shared.upgrade_store import RESULTS

TEXTBOOK_TABLE = "Upgrades"


@dataclass(frozen=True)
class Contender:
    """A function app. Its requests that have ended: the rows of `table` for which `ended` (an OData filter) holds."""

    name: str
    folder: Path
    table: str
    ended: str


APP = Contender("app", REPOSITORY, RESULTS, "status ne ''")
TEXTBOOK = Contender("textbook", REPOSITORY / "bench" / "textbook", TEXTBOOK_TABLE, "status ne 'InProgress'")
BOTH = (APP, TEXTBOOK)


def alternate[T](
    runs: int, measure: Callable[[Contender, int], T], contenders: Iterable[Contender] = BOTH
) -> dict[Contender, list[T]]:
    """`measure(contender, number of the run)`, in turns: a noisy minute of the machine meets both."""
    measured: dict[Contender, list[T]] = {contender: [] for contender in contenders}
    for run in range(1, runs + 1):
        for contender, results in measured.items():
            results.append(measure(contender, run))
    return measured
