"""Which rows in flight are taken back, and which cannot be; and doing it, a few at once."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.giving_up import is_outcome_unknown
from shared.models import InFlightUpgrade, Reason, State, Status, UpgradeResult
from shared.ports import Ports
from shared.upgrades import may_be_withdrawn, withdraw
from upgradectl.choosing import Key, Named, key_of, standings_of
from upgradectl.overview import Standing
from upgradectl.store import OperatorStore

_PARALLEL = 4  # as many connections as are kept
_FEW = 100  # customers whose results are read one by one


class Kind(StrEnum):
    """What can be done with a row."""

    WAITING = "waiting"
    UNKNOWN = "outcome unknown"
    IN_PROGRESS = "in progress"
    WITHDRAWN = "withdrawn already"


class Absent(StrEnum):
    """What is not in flight though it was named; or the status of its result."""

    OTHER = "another request of the customer is in flight"
    NOWHERE = "neither in flight nor ended"


class Outcome(StrEnum):
    """What became of a withdrawal."""

    WITHDRAWN = "withdrawn"
    TOO_LATE = "too late"


@dataclass(frozen=True)
class Wanted:
    """Rows that wait for one of `reasons` (none: any), asked for at or after `since` and before `before`."""

    named: Named = field(default_factory=Named)
    reasons: Collection[Reason] = ()
    since: datetime | None = None
    before: datetime | None = None

    def holds(self, row: InFlightUpgrade) -> bool:
        return (
            self.named.holds(row)
            and (not self.reasons or row.last_reason in self.reasons)
            and (not self.since or row.requested_at >= self.since)
            and (not self.before or row.requested_at < self.before)
        )


@dataclass
class Chosen:
    """Rows by what can be done with them. `duplicates`: request ids by the key of the row that answers them."""

    rows: dict[Kind, list[InFlightUpgrade]] = field(default_factory=lambda: {kind: [] for kind in Kind})
    duplicates: dict[Key, list[str]] = field(default_factory=dict)
    absent: Counter[str] = field(default_factory=Counter)

    def add(self, row: InFlightUpgrade) -> None:
        self.rows[kind_of(row)].append(row)

    def hang(self, results: Iterable[UpgradeResult]) -> None:
        """Notes which results are duplicates of a waiting row."""
        by_key = {key_of(row): row.request_id for row in self.rows[Kind.WAITING]}
        for result in results:
            if result.duplicate_of and by_key.get(key_of(result)) == result.duplicate_of:
                self.duplicates.setdefault(key_of(result), []).append(result.request_id)


def kind_of(row: InFlightUpgrade) -> Kind:
    if may_be_withdrawn(row):
        return Kind.WAITING
    if row.state is State.WITHDRAWN:
        return Kind.WITHDRAWN
    return Kind.UNKNOWN if is_outcome_unknown(row) else Kind.IN_PROGRESS


def choose(store: OperatorStore, wanted: Wanted) -> Chosen:
    """
    Raises:
        StoreUnavailable
    """
    return _named(store, wanted) if wanted.named else _filtered(store, wanted)


def _filtered(store: OperatorStore, wanted: Wanted) -> Chosen:
    found = Chosen()
    for row in filter(wanted.holds, store.list_in_flight()):
        found.add(row)
    waiting = found.rows[Kind.WAITING]
    if len(waiting) <= _FEW:
        found.hang(result for row in waiting for result in store.list_results(row.customer_id, row.product_family))
    else:
        found.hang(store.list_all_results(statuses=[Status.DUPLICATE], line_items=False))
    return found


def _named(store: OperatorStore, wanted: Wanted) -> Chosen:
    found, seen, results = Chosen(), set[Key](), list[UpgradeResult]()
    for standing in standings_of(store, wanted.named):
        seen.add(key_of(standing))
        row = standing.row
        if row and wanted.holds(row):
            found.add(row)
            results += [one for one in standing.results if one.duplicate_of == row.request_id]
        found.absent.update(_absent(standing, wanted.named))
    found.hang(results)
    nowhere = sum(len(ids) for key, ids in wanted.named.requests.items() if key not in seen)
    nowhere += len(wanted.named.customers - {customer for customer, _ in seen})
    found.absent[Absent.NOWHERE] += nowhere
    return found


def _absent(standing: Standing, named: Named) -> Iterator[str]:
    """Of each request that was named and is not in flight, what there is instead."""
    row, ended = standing.row, {result.request_id: result.status for result in standing.results}
    for request_id in named.requests.get(key_of(standing), ()):
        if not row or row.request_id != request_id:
            yield ended.get(request_id) or (Absent.OTHER if row else Absent.NOWHERE)
    if not row and standing.customer_id in named.customers:
        yield standing.current


def withdraw_again(ports: Ports, row: InFlightUpgrade) -> Outcome:
    """As `withdraw`; a row that somebody has changed since it was read is read once more."""
    if withdraw(ports, row):
        return Outcome.WITHDRAWN
    fresh = ports.store.get_in_flight(row.customer_id, row.product_family)
    is_the_same = fresh is not None and fresh.request_id == row.request_id
    return Outcome.WITHDRAWN if fresh and is_the_same and withdraw(ports, fresh) else Outcome.TOO_LATE


def withdraw_all(
    ports: Ports, rows: Iterable[InFlightUpgrade], is_over: Callable[[], bool]
) -> Iterator[tuple[InFlightUpgrade, Outcome]]:
    """Each row with its outcome, as they come. Begins none when it `is_over`, and ends those that are under way.

    Raises:
        StoreUnavailable: of a row that was under way nobody knows; it ends by itself if it was marked.
    """
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="cancel") as pool:
        running: dict[Future[Outcome], InFlightUpgrade] = {}
        for row in rows:
            if is_over():
                break
            running[pool.submit(withdraw_again, ports, row)] = row
            if len(running) == _PARALLEL:
                yield from _ended(running)
        while running:
            yield from _ended(running)


def _ended(running: dict[Future[Outcome], InFlightUpgrade]) -> Iterator[tuple[InFlightUpgrade, Outcome]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield running.pop(future), future.result()
