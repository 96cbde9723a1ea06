"""Requests onto the queue: all are held against the contract first, then sent under their request ids.

A request is sent under a message id that is its request id: a second run, or a batch that was sent twice, changes
nothing, because the app knows a request by customer, family and request id.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from shared.models import InFlightUpgrade, UpgradeRequest, UpgradeResult
from upgradectl.errors import CommandError, explained
from upgradectl.requests_file import Entry, RequestsFile
from upgradectl.service_bus import Outgoing, Queue
from upgradectl.store import OperatorStore

HARMLESS = "a second run is harmless: what is sent again counts once"
_FEW = 50  # requests: looked up one by one, not by reading everything
_STEP = 500  # of the progress: more often costs more than it shows

type Advance = Callable[[int], None]
type _Named = UpgradeRequest | InFlightUpgrade | UpgradeResult


@dataclass(frozen=True)
class Problem:
    """A line that is no request. `text`: never quotes it."""

    line: int
    text: str


@dataclass
class Validation:
    """What is in a file. `keys`: of its different requests; `repeated`: how many lines more name one of them."""

    keys: set[bytes] = field(default_factory=set)
    repeated: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Known:
    """Keys of requests that the system has already: those that have their verdict, and those in flight."""

    answered: Collection[bytes] = frozenset()
    in_flight: Collection[bytes] = frozenset()

    @property
    def keys(self) -> set[bytes]:
        return {*self.answered, *self.in_flight}


def validate(file: RequestsFile, advance: Advance) -> Validation:
    """
    Raises:
        CommandError: the file as a whole cannot be read.
    """
    found = Validation()
    for number, entry in enumerate(file.entries(), start=1):
        _note(found, entry)
        if number % _STEP == 0:
            advance(_STEP)
    return found


def known(store: OperatorStore, file: RequestsFile, keys: Collection[bytes]) -> Known:
    """Which of these requests the tables know.

    Raises:
        StoreUnavailable, ClientAuthenticationError: the tables cannot be read.
    """
    if len(keys) <= _FEW:
        different = {_key(entry.request): entry.request for entry in file.entries() if entry.request}
        return _looked_up(store, different.values())
    results = (result for result in store.list_all_results(line_items=False) if result.is_verdict)
    return Known(answered=_among(keys, results), in_flight=_among(keys, store.list_in_flight()))


class Sending:
    """One run over a file. `known`: what is left out, None where nobody looked. `sent`: surely on the queue."""

    def __init__(self, file: RequestsFile, validation: Validation) -> None:
        self._file = file
        self.validation = validation
        self.known: Known | None = None
        self.sent = 0

    @property
    def total(self) -> int:
        """How many there are to be sent."""
        return len(self.validation.keys) - (len(self.known.keys) if self.known else 0)

    def run(self, queue: Queue, advance: Advance) -> None:
        """
        Raises:
            CommandError: not all were sent; it says how many were.
        """
        try:
            for count in queue.send(self._messages()):
                self.sent += count
                advance(count)
        except Exception as error:
            trouble = explained(error)
            remedy = "; ".join(part for part in (trouble.remedy, HARMLESS) if part)
            raise CommandError(f"{trouble.message}; {self.so_far}", remedy, code=trouble.code) from error

    @property
    def so_far(self) -> str:
        return f"{self.sent:,} of {self.total:,} were surely sent"

    def _messages(self) -> Iterator[Outgoing]:
        """Read again, and held against the contract again: somebody may have changed the file."""
        done = self.known.keys if self.known else set[bytes]()
        for entry in self._file.entries():
            if entry.request and (key := _key(entry.request)) not in done:
                done.add(key)
                yield Outgoing(entry.body, entry.request.request_id)


def _note(found: Validation, entry: Entry) -> None:
    if entry.request is None:
        found.problems.append(Problem(entry.line, entry.problem))
        return
    before = len(found.keys)
    found.keys.add(_key(entry.request))
    found.repeated += len(found.keys) == before


def _key(named: _Named) -> bytes:
    """A request's identity. Short: of a hundred thousand requests nothing else is kept."""
    name = f"{named.customer_id}|{named.product_family.lower()}|{named.request_id}"
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def _among(keys: Collection[bytes], rows: Iterable[InFlightUpgrade | UpgradeResult]) -> set[bytes]:
    return {key for row in rows if (key := _key(row)) in keys}


def _looked_up(store: OperatorStore, requests: Iterable[UpgradeRequest]) -> Known:
    answered, in_flight = set[bytes](), set[bytes]()
    for request in requests:
        result = store.get_result(request.customer_id, request.product_family, request.request_id)
        row = store.get_in_flight(request.customer_id, request.product_family)
        if result and result.is_verdict:
            answered.add(_key(request))
        elif row and row.answers(request):
            in_flight.add(_key(request))
    return Known(answered, in_flight)
