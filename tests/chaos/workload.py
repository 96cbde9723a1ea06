"""What a campaign sends: requests in a mix of courses, some of them doubled, and bodies that are no requests."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from random import Random
from typing import Any
from uuid import UUID

from local.partner_center.scenarios import NAMED
from local.truth import Key
from tests.chaos.bad_input import bad_bodies, odd_but_valid

# How often a course occurs; those that are not named here: 1. What stops everybody for seconds is rare, what closes
# the gate on purpose is rarer.
DEFAULT_MIX: Mapping[str, float] = {
    "completes": 60,
    "completes-slowly": 5,
    "partly": 5,
    "failed": 5,
    **dict.fromkeys(("cut-before", "cut-after", "location-missing", "lost-upgrade", "slow-answer"), 1.5),
    **dict.fromkeys(("drip", "endless", "endless-status", "slow", "bought-too-recently"), 0.3),
    **dict.fromkeys(("throttled", "throttled-http-date", "throttled-no-header", "throttled-status"), 0.15),
    **dict.fromkeys(("throttled-absurdly", "role-missing", "role-missing-once", "mfa-missing-once"), 0.05),
    **dict.fromkeys(("unauthorized", "unauthorized-once"), 0.05),
}


FOLLOWED = "r1-followed"  # id of a request whose result another one waits for
EARLY = 0.3  # of the run
# Sent early, and once. What ends only at its deadline would make the run longer. And a customer who is refused our
# access is told from an access that nobody has any more by others who get through: alone it keeps the gate closed.
IN_COMPANY = ("never-finishes", "role-missing", "unauthorized")


@dataclass(frozen=True)
class Planned:
    """A message to be sent: `due_s` after the start and, where it follows a request, only once its result was seen."""

    due_s: float
    body: bytes
    message_id: str
    key: Key | None
    follows: Key | None = None


@dataclass(frozen=True)
class Workload:
    """`courses`: how each customer's calls go. `messages`: in the order of `due_s`."""

    courses: Mapping[str, str]
    messages: Sequence[Planned]

    @property
    def keys(self) -> set[Key]:
        return {message.key for message in self.messages if message.key}


def quick_mix() -> dict[str, float]:
    """All courses but the one that ends only at its deadline, minutes later."""
    return {name: DEFAULT_MIX.get(name, 1) for name in NAMED if name != "never-finishes"}


def mix_from(text: str) -> dict[str, float]:
    """`completes=3,partly=1` -> weights of these courses; all others do not occur.

    Raises:
        ValueError: there is no such course, or it is no number.
    """
    weights = {name: float(weight or "no weight") for name, _, weight in (p.partition("=") for p in text.split(","))}
    if unknown := set(weights) - set(NAMED):
        raise ValueError(f"no such course: {', '.join(sorted(unknown))}")
    return weights


def build(seed: int, *, requests: int, invalid: int, over_s: float, mix: Mapping[str, float] | None = None) -> Workload:
    """`requests` distinct requests and `invalid` bodies, sent over `over_s` seconds; the canary is `canary(seed)`."""
    random = Random(seed)
    weights = mix or {name: DEFAULT_MIX.get(name, 1) for name in NAMED}
    author = _Author(random, canary(seed), over_s)
    courses: dict[str, str] = {}
    messages: list[Planned] = []
    while len({message.key for message in messages if message.key}) < requests:
        customer_id = author.guid()
        course = random.choices(list(weights), list(weights.values()))[0]
        courses[customer_id] = course
        if course in IN_COMPANY:
            messages += _once(replace(author, until=EARLY), customer_id)
        else:
            messages += random.choices(PATTERNS, PATTERN_WEIGHTS)[0](author, customer_id)
    bodies = islice(bad_bodies(random, author.canary), invalid)
    messages += [Planned(author.moment(), body, author.guid(), None) for body in bodies]
    return Workload(courses, sorted(messages, key=lambda message: message.due_s))


def canary(seed: int) -> str:
    """Stands in bodies, and must not be in any log line."""
    return f"canary-{seed:x}-{Random(seed).getrandbits(64):016x}"


@dataclass(frozen=True)
class _Author:
    """Writes the messages of one customer. `until`: they are sent within this share of the time."""

    random: Random
    canary: str
    over_s: float
    until: float = 1.0

    def guid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def moment(self) -> float:
        return self.random.uniform(0, self.over_s * self.until)

    def message(self, customer_id: str, request_id: str, due_s: float, follows: Key | None = None) -> Planned:
        key = (customer_id, "azure", request_id)
        return Planned(due_s, self._body(customer_id, request_id), self.guid(), key, follows)

    def _body(self, customer_id: str, request_id: str) -> bytes:
        if self.random.random() < 0.2:
            return odd_but_valid(self.random, customer_id, request_id, self.canary)
        content: dict[str, Any] = {"customerId": customer_id, "productFamily": "Azure", "requestId": request_id}
        return json.dumps(content | {"note": self.canary}).encode()


type Pattern = Callable[[_Author, str], Iterator[Planned]]


def _once(author: _Author, customer_id: str) -> Iterator[Planned]:
    yield author.message(customer_id, "r1", author.moment())


def _same_twice(author: _Author, customer_id: str, *, apart_s: float) -> Iterator[Planned]:
    """The same request again: at once, or when it may have ended by then."""
    due_s = author.moment()
    yield author.message(customer_id, "r1", due_s)
    yield author.message(customer_id, "r1", due_s + author.random.uniform(0, apart_s))


def _two_at_once(author: _Author, customer_id: str) -> Iterator[Planned]:
    """Two requests for one customer, in any order."""
    due_s = author.moment()
    yield author.message(customer_id, "r1", due_s + author.random.uniform(0, 1))
    yield author.message(customer_id, "r2", due_s + author.random.uniform(0, 1))


def _follow_up(author: _Author, customer_id: str) -> Iterator[Planned]:
    """A second request as soon as the first one's result was seen: the row may still be there."""
    due_s = author.moment()
    first = author.message(customer_id, FOLLOWED, due_s)
    yield first
    yield author.message(customer_id, "r2", due_s, follows=first.key)


PATTERNS: Sequence[Pattern] = (
    _once,
    partial(_same_twice, apart_s=0.1),
    partial(_same_twice, apart_s=20),
    _two_at_once,
    _follow_up,
)
PATTERN_WEIGHTS = (12, 1, 1, 2, 3)
