"""Which upgrades are sent again, and under which request ids.

The new request id is derived from the old one, so a second or broken-off run sends the same requests and not new ones;
and a retry of a retry is another link of a chain, whose last verdict is the one that counts.
"""

import json
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.models import Status, UpgradeResult
from upgradectl.choosing import Key, Named, key_of
from upgradectl.overview import Standing
from upgradectl.service_bus import Outgoing, Queue

RETRIED = frozenset({Status.FAILED, Status.REJECTED, Status.TIMED_OUT, Status.CANCELLED})
_NAMESPACE = uuid.UUID("3b0c7a52-7f0e-5d1f-8a43-9d2e6c1b4f58")
_PAGE = 250
_PAGES = 1000  # a quarter of a million messages


class LeftOut(StrEnum):
    """Why a customer's upgrade is not sent again, though it is among those that were asked for."""

    COMPLETED = "completed meanwhile"
    PARTLY = "partly completed meanwhile (--partly sends them)"
    IN_FLIGHT = "in flight"
    WAITING = "sent already, and still on the queue"
    OTHERWISE = "ended otherwise than asked for"
    UNKNOWN = "without a result"


@dataclass(frozen=True)
class Wanted:
    """Results with one of `statuses` and of `codes` (in lower case; none: any), finished in `since` <= t < `until`."""

    named: Named = field(default_factory=Named)
    statuses: Collection[Status] = RETRIED
    codes: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, result: UpgradeResult) -> bool:
        return (
            result.status in self.statuses
            and (not self.codes or (result.error_code or "").lower() in self.codes)
            and (not self.since or result.finished_at >= self.since)
            and (not self.until or result.finished_at < self.until)
        )


@dataclass(frozen=True, slots=True)
class Retry:
    """A request that is to be sent. `old`: the one it repeats. `rivals`: the ids that other runs may have sent."""

    customer_id: str
    product_family: str
    old_request_id: str
    request_id: str
    status: Status
    code: str | None
    rivals: tuple[str, ...] = ()

    @property
    def message(self) -> Outgoing:
        body = {"customerId": self.customer_id, "productFamily": self.product_family, "requestId": self.request_id}
        return Outgoing(json.dumps(body).encode(), self.request_id)


@dataclass
class Plan:
    """What is sent, customer after customer, and how many are not."""

    retries: list[Retry] = field(default_factory=list)
    left_out: Counter[LeftOut] = field(default_factory=Counter)

    def leave_out_waiting(self, waiting: Set[str]) -> None:
        """`waiting`: request ids of messages on the queue."""
        before = len(self.retries)
        self.retries = [one for one in self.retries if waiting.isdisjoint((one.request_id, *one.rivals))]
        self.left_out[LeftOut.WAITING] += before - len(self.retries)


def successor_id(result: UpgradeResult) -> str:
    """The request id under which a result's request is sent again."""
    name = f"{result.customer_id}|{result.product_family.lower()}|{result.request_id}"
    return str(uuid.uuid5(_NAMESPACE, name))


def plan(standings: Iterable[Standing], wanted: Wanted) -> Plan:
    """`standings`: of all that is named, or simply of all."""
    found, seen = Plan(), set[Key]()
    for standing in standings:
        seen.add(key_of(standing))
        match decide(standing, wanted):
            case Retry() as retry:
                found.retries.append(retry)
            case LeftOut() as reason:
                found.left_out[reason] += 1
    unseen = sum(key not in seen for key in wanted.named.requests)
    unseen += len(wanted.named.customers - {customer for customer, _ in seen})
    found.left_out[LeftOut.UNKNOWN] += unseen
    return found


def decide(standing: Standing, wanted: Wanted) -> Retry | LeftOut | None:
    """Of one customer and family. None: nothing of it was asked for."""
    chains = _Chains(standing.results)
    asked_for = _asked_for(standing, chains, wanted.named)
    found = [result for result in asked_for if wanted.holds(result)]
    if not found:
        return _why_none(standing, asked_for) if wanted.named and _is_named(standing, wanted.named) else None
    latest = found[-1]
    statuses = {result.status for result in standing.results if result.finished_at >= latest.finished_at}
    if standing.row:
        return LeftOut.IN_FLIGHT
    if any(result.status is Status.COMPLETED for result in standing.results):
        return LeftOut.COMPLETED
    if Status.PARTIALLY_COMPLETED in statuses and Status.PARTIALLY_COMPLETED not in wanted.statuses:
        return LeftOut.PARTLY
    return Retry(
        latest.customer_id,
        latest.product_family,
        latest.request_id,
        successor_id(latest),
        latest.status,
        latest.error_code,
        tuple(successor_id(result) for result in chains.ends if result is not latest),
    )


class _Chains:
    """The results of one customer and family, as far as one follows from the other. `ends`: oldest first."""

    def __init__(self, results: Iterable[UpgradeResult]) -> None:
        self._by_id = {result.request_id: result for result in results}
        self.ends = [result for result in self._by_id.values() if result.is_verdict and self._next(result) is None]

    def end_of(self, request_id: str) -> UpgradeResult | None:
        """The last verdict on a request: of its last retry, or of what answers it. None: there is none (yet)."""
        seen, result = set[str](), self._by_id.get(request_id)
        while result and result.request_id not in seen:
            seen.add(result.request_id)
            following = self._next(result) or self._by_id.get(result.duplicate_of or "")
            if following is None:
                return result if result.is_verdict else None
            result = following
        return None

    def _next(self, result: UpgradeResult) -> UpgradeResult | None:
        return self._by_id.get(successor_id(result))


def _asked_for(standing: Standing, chains: _Chains, named: Named) -> list[UpgradeResult]:
    """Ends of chains, oldest first."""
    if not named or standing.customer_id in named.customers:
        return chains.ends
    ids = named.requests.get(key_of(standing), ())
    ends = {end.request_id for request_id in ids if (end := chains.end_of(request_id))}
    return [end for end in chains.ends if end.request_id in ends]


def _is_named(standing: Standing, named: Named) -> bool:
    return standing.customer_id in named.customers or key_of(standing) in named.requests


def _why_none(standing: Standing, asked_for: list[UpgradeResult]) -> LeftOut:
    if standing.row:
        return LeftOut.IN_FLIGHT
    if any(result.status is Status.COMPLETED for result in asked_for):
        return LeftOut.COMPLETED
    return LeftOut.OTHERWISE if asked_for else LeftOut.UNKNOWN


def waiting_on(queue: Queue, request_ids: Collection[str], advance: Callable[[int], None]) -> set[str]:
    """Which of these are message ids on the queue (the SDK's `peek_messages`); locked messages are seen too.

    Raises:
        CommandError: the queue cannot be looked at. Needs Data Receiver.
    """
    found: set[str] = set()
    for page in _pages(queue):
        found.update(message_id for message_id in page if message_id in request_ids)
        advance(len(page))
    return found


def _pages(queue: Queue) -> Iterator[list[str]]:
    with queue.in_words("Data Receiver"), queue.client.get_queue_receiver(queue.name) as receiver:
        first = 1  # 0 would mean to the SDK: where the last look ended
        for _ in range(_PAGES):
            page = receiver.peek_messages(_PAGE, sequence_number=first)
            if not page:
                return
            yield [str(message.message_id) for message in page]
            first = (page[-1].sequence_number or 0) + 1
