"""All that a campaign has seen, for the invariants to be checked against. Times are seconds since the epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.truth import Key
from shared.models import InFlightUpgrade, Position, UpgradeResult


@dataclass(frozen=True)
class Sent:
    """One message. `key`: the request that it is, None for a body that is none. `at_s`: just before it was sent.

    `follows`: it was sent after the result of that request had been seen.
    """

    body: bytes
    message_id: str
    at_s: float
    key: Key | None
    follows: Key | None = None


@dataclass(frozen=True)
class Write:
    """One write of a table row that went through, as the storage front saw it.

    `answered_s`: when the table had it. `writer`: of the functions' processes, `{function}-{pid}`; else "campaign".
    `fields`: what was written (column -> value as sent), empty for a deletion. `kind`: insert, update, delete.
    """

    sent_s: float
    answered_s: float
    writer: str
    table: str
    kind: str
    key: tuple[str, str]
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Pause:
    """An operator's pause: from when it was written, and what the gate was just before it was resumed."""

    from_s: float
    until_s: float
    found: Position


@dataclass(frozen=True)
class MemorySample:
    """Resident memory of one process of a function. `process`: `{function}-{pid}`."""

    process: str
    age_s: float
    rss_mb: float


@dataclass(frozen=True)
class Poller:
    """A process of PollUpgrade was alive. `until_s` None: to the end."""

    process: str
    from_s: float
    until_s: float | None


@dataclass(frozen=True)
class Settings:
    """Those of the app that the invariants speak of."""

    gate_cache_s: float
    max_parallel_calls: int


@dataclass(frozen=True, kw_only=True)
class Record:
    """`ledger`: as the fake Partner Center gives it. `log_lines`: of all functions' processes, as they were written.

    `dead`: message id and body of every dead letter. `drained`: whether everything had ended before the campaign lost
    its patience. `secrets`: every value that must not be in a log line. `canary`: a text that stands in every message's
    body outside the fields of a request.
    """

    sent: Sequence[Sent]
    results: Sequence[UpgradeResult]
    in_flight: Sequence[InFlightUpgrade]
    dead: Sequence[tuple[str, bytes]]
    waiting: bool
    drained: bool
    gate: Position
    ledger: Mapping[str, Any]
    writes: Sequence[Write]
    pauses: Sequence[Pause]
    log_lines: Sequence[str]
    secrets: frozenset[str]
    canary: str
    memory: Sequence[MemorySample]
    pollers: Sequence[Poller]
    settings: Settings
    faults: Mapping[str, int] = field(default_factory=dict)  # how often each kind was injected
