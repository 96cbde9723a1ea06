"""What rows in flight and results say when they are looked at together. Pure: nothing is read here, and no clock."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.models import InFlightUpgrade, Reason, State, Status, UpgradeResult

# What a request may end with and nobody has to look after it.
GOOD_ENDS = frozenset({Status.COMPLETED, Status.DUPLICATE, Status.CANCELLED})
_WINDOW_S = 300
_SHORTEST_S = 10  # a rate over less is chance


@dataclass(frozen=True)
class InFlight:
    """All rows in flight: by state and by why they wait.

    `overdue`: in progress past the deadline. `oldest`: of those that wait for a create call and were not told to try
    later. `last_attempt_at`: the latest `nextAttemptAt`, so not all of them can be final before.
    """

    counts: Mapping[tuple[State, Reason | None], int]
    overdue: int = 0
    oldest: InFlightUpgrade | None = None
    last_attempt_at: datetime | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def in_state(self, state: State) -> int:
        return sum(count for (of, _), count in self.counts.items() if of is state)

    def waiting_for(self, reason: Reason) -> int:
        return sum(count for (_, of), count in self.counts.items() if of is reason)


def in_flight(rows: Iterable[InFlightUpgrade], now: datetime, deadline: timedelta) -> InFlight:
    """The totals; what is overdue and what is waiting as in the census of the heartbeat."""
    counts: Counter[tuple[State, Reason | None]] = Counter()
    overdue = 0
    oldest: InFlightUpgrade | None = None
    last_attempt_at: datetime | None = None
    for row in rows:
        counts[row.state, row.last_reason] += 1
        last_attempt_at = max(last_attempt_at or row.next_attempt_at, row.next_attempt_at)
        if row.state is State.IN_PROGRESS:
            overdue += row.submitted_at is not None and now - row.submitted_at >= deadline
        elif row.last_reason is not Reason.REFUSED_FOR_NOW and (not oldest or row.requested_at < oldest.requested_at):
            oldest = row
    return InFlight(counts, overdue, oldest, last_attempt_at)


@dataclass(frozen=True)
class Answer:
    """Where the chain of duplicates that begins at a request ends: a verdict, or a row in flight that will bring one.

    `request_ids`: the chain's links after the first. Neither `result` nor `row`: it is broken, or closed to a ring.
    """

    request_ids: tuple[str, ...]
    result: UpgradeResult | None = None
    row: InFlightUpgrade | None = None
    is_ring: bool = False


@dataclass(frozen=True)
class Standing:
    """One customer and family: the row in flight, if there is one, and all results, oldest first."""

    customer_id: str
    product_family: str
    row: InFlightUpgrade | None
    results: Sequence[UpgradeResult]

    @property
    def current(self) -> str:
        """In a word: the state in flight, else the last verdict; but a completed upgrade is never undone."""
        if self.row:
            return self.row.state
        verdicts = [result.status for result in self.results if result.is_verdict]
        return Status.COMPLETED if Status.COMPLETED in verdicts else verdicts[-1] if verdicts else Status.DUPLICATE

    def answers(self) -> dict[str, Answer]:
        """What answers each duplicate, by its request id."""
        results = {result.request_id: result for result in self.results}
        return {result.request_id: self._follow(result, results) for result in self.results if result.duplicate_of}

    def _follow(self, first: UpgradeResult, results: Mapping[str, UpgradeResult]) -> Answer:
        seen = {first.request_id: None}  # in order
        request_id = first.duplicate_of
        while request_id and request_id not in seen:
            seen[request_id] = None
            links = tuple(seen)[1:]
            result = results.get(request_id)
            if result and result.is_verdict:
                return Answer(links, result=result)
            # Before its own duplicate: a request that is claimed again gets a verdict instead of it.
            if self.row and self.row.request_id == request_id:
                return Answer(links, row=self.row)
            request_id = result.duplicate_of if result else None
        return Answer(tuple(seen)[1:], is_ring=request_id is not None)


def standings(rows: Iterable[InFlightUpgrade], results: Iterable[UpgradeResult]) -> list[Standing]:
    """Of one customer, by family. The rows are to be read before the results: a result is written before its row goes.

    A row whose verdict is there is a leftover that the next tick clears away: it is left out.
    """
    by_family: dict[str, tuple[list[InFlightUpgrade], list[UpgradeResult]]] = {}
    for row in rows:
        by_family.setdefault(row.product_family.lower(), ([], []))[0].append(row)
    for result in results:
        by_family.setdefault(result.product_family.lower(), ([], []))[1].append(result)
    return [_standing(*found) for _, found in sorted(by_family.items())]


def _standing(rows: list[InFlightUpgrade], results: list[UpgradeResult]) -> Standing:
    one: InFlightUpgrade | UpgradeResult = (rows or results)[0]
    verdicts = {result.request_id for result in results if result.is_verdict}
    row = next((row for row in rows if row.request_id not in verdicts), None)
    return Standing(one.customer_id, one.product_family, row, sorted(results, key=lambda one: one.finished_at))


class Throughput:
    """How fast results come in, by a watch's own clock: those of the machines that write them may differ."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def add(self, monotonic_s: float, results: int) -> None:
        """`results`: how many there are by now."""
        self._looks.append((monotonic_s, results))
        while len(self._looks) > 2 and self._looks[1][0] <= monotonic_s - _WINDOW_S:
            self._looks.popleft()

    @property
    def per_minute(self) -> float | None:
        """Over the last minutes. None: too early to tell."""
        if not self._looks:
            return None
        (since_s, before), (until_s, after) = self._looks[0], self._looks[-1]
        return (after - before) / (until_s - since_s) * 60 if until_s - since_s >= _SHORTEST_S else None


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """`at_least`: it is a lower bound, as more may wait than was seen, or nothing tells how fast it goes."""

    seconds: float
    at_least: bool


def time_left(left: int, per_minute: float | None, not_before_s: float, *, more: bool) -> TimeLeft | None:
    """When all is final, at the present rate and not before the last one is looked at again. None: nobody knows.

    `more`: than `left` may be left.
    """
    if per_minute:
        return TimeLeft(max(left / per_minute * 60, not_before_s), more)
    return TimeLeft(not_before_s, at_least=True) if not_before_s > 0 else None
