"""Which fault comes when, and for how long: drawn from a seed, so that the same seed gives the same plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Kind:
    """A kind of fault. `often`: in a full run. `lasts_s`: from, to. `latest`: begins within this share of the run.

    `is_trap`: it ends with what it waits for.
    """

    name: str
    often: int
    lasts_s: tuple[float, float] = (0.0, 0.0)
    latest: float = 0.95
    is_trap: bool = False


@dataclass(frozen=True)
class Injection:
    """`at_s` after the start. `draw`: in [0, 1), for what the kind leaves open."""

    at_s: float
    kind: str
    lasts_s: float
    draw: float
    is_trap: bool = False


FULL = 3000  # requests
LONG_OUTAGE_S = (
    45.0  # longer than the deliveries of a message would last: hold x delivery count of the campaign's queue
)
SHORTEST_S = 6.0  # no fault is cut below this, unless it is meant to be shorter
# A message survives an outage of hold x delivery count; those of storage, identity and Key Vault stay well below it.
KINDS: Sequence[Kind] = (
    # the functions' processes: killed in the middle of what they do, and at any moment
    Kind("kill in a claim", 3, (0, 15)),
    Kind("kill in a create call", 4, (0, 15)),
    Kind("kill in a hand-over", 4, (0, 15)),
    Kind("kill in a status call", 3, (0, 15)),
    Kind("kill in a result write", 4, (0, 15)),
    # Another request comes while the row of the one that has ended is still there.
    Kind("kill before a follow-up", 6, is_trap=True),
    Kind("kill in a delete", 4, (0, 15)),
    Kind("kill", 4),
    Kind("terminate", 4),
    Kind("second poller", 3, (8, 15)),
    # Partner Center
    Kind("api: limit of a window", 2, (4, 8)),
    Kind("api: limit of a bucket", 2, (4, 8)),
    Kind("api: 503", 3, (1, 3)),
    Kind("api: reset", 2, (1, 3)),
    Kind("api: HTML", 2, (1, 3)),
    Kind("api: slow", 3, (5, 8)),
    Kind("api: slower than the read timeout", 2, (2, 5)),
    Kind("api: connection refused", 2, (1, 4)),
    Kind("api: long outage", 1, (LONG_OUTAGE_S, LONG_OUTAGE_S), latest=0.5),
    # the operator
    Kind("pause", 3, (2, 4)),
    Kind("cancel", 6),
    # sign-in
    Kind("token: outage", 2, (1, 3)),
    Kind("token: HTML", 1, (1, 3)),
    Kind("token: invalid_grant until replaced", 2, (1, 3)),
    Kind("token: replaced in the moment of a write-back", 2),
    Kind("token: access tokens revoked", 4),
    Kind("token: access tokens live for seconds", 1, (8, 12)),
    Kind("token: no MFA until replaced", 1, (1, 3)),
    Kind("client secret replaced", 2, (1, 3)),
    # Key Vault and identity
    Kind("vault: outage", 2, (2, 5)),
    Kind("vault: throttled", 1, (2, 5)),
    Kind("vault: slow", 1, (2, 5)),
    Kind("identity: outage", 2, (2, 5)),
    Kind("identity: throttled", 1, (2, 5)),
    Kind("identity: slow", 1, (2, 5)),
    # Table Storage
    Kind("storage: outage", 2, (2, 6)),
    Kind("storage: server busy", 3, (2, 6)),
    Kind("storage: slow", 2, (2, 5)),
    Kind("storage: restarted", 2),
    Kind("storage: answers of writes lost", 4, (2, 6)),
    # Service Bus
    Kind("bus: connections cut", 4),
    Kind("bus: locks lost", 4),
    Kind("bus: restarted", 1),
    Kind("bus: killed", 1),
)


def build(seed: int, *, requests: int, over_s: float) -> list[Injection]:
    """Sorted by time. A smaller run has fewer faults, and shorter ones, but each kind at least once."""
    random = Random(seed)
    share = min(1.0, requests / FULL)
    scale = min(1.0, over_s / 120)
    plan = [_injection(random, kind, over_s, scale) for kind in KINDS for _ in range(max(1, round(kind.often * share)))]
    return sorted(plan, key=lambda injection: injection.at_s)


def counts(plan: Sequence[Injection]) -> Mapping[str, int]:
    names = [injection.kind for injection in plan]
    return {kind.name: names.count(kind.name) for kind in KINDS}


def _injection(random: Random, kind: Kind, over_s: float, scale: float) -> Injection:
    lasts_s = max(random.uniform(*kind.lasts_s) * scale, min(kind.lasts_s[0], SHORTEST_S))
    at_s = random.uniform(over_s * 0.04, over_s * kind.latest)
    return Injection(at_s, kind.name, lasts_s, random.random(), kind.is_trap)
