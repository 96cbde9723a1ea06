"""Who is measured: this app, and the textbook function beside it."""

import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
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


def alternate_at_once[T](
    runs: int, measure: Callable[[str, Contender, int], T], names: Sequence[str]
) -> Mapping[str, dict[Contender, list[T]]]:
    """`measure(name, contender, number of the run)`, for all names at once: what mostly waits leaves room for another.

    Each in a process of its own: a cloud is known to its clients by their environment.
    """
    measured: dict[str, dict[Contender, list[T]]] = {name: {who: [] for who in BOTH} for name in names}
    with ProcessPoolExecutor(len(names), mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            for run, who in product(range(1, runs + 1), BOTH):
                futures = [pool.submit(measure, name, who, run) for name in names]
                for name, future in zip(names, futures, strict=True):
                    measured[name][who].append(future.result())
        except BaseException:
            # Else all that is under way would be waited for. A cloud ends with the process that has started it.
            for child in multiprocessing.active_children():
                child.terminate()
            raise
    return measured
